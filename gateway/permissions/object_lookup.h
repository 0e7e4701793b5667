// The version that a request names, and whether the caller may have it.
#pragma once

#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "metadata/store/object_store.h"

namespace rondel::permissions {

// The version that the request names, no delete marker; `query` says what of it is wanted.
request::Answer<metadata::ObjectLookup> look_up_object(request::Context& context,
                                                       metadata::ObjectQuery query);

// What the version said of who may have it that decided about the request, for its commit; nullopt:
// none did.
std::optional<metadata::ObjectAccess> deciding_access(const request::Context& context);

// When that may be old: what the same version says now decides once more. Nothing where none did.
// kNoSuchKey: it is gone.
request::Answer<void> authorize_object_again(request::Context& context);

}  // namespace rondel::permissions
