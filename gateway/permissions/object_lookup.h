// The version that a request names, and whether the caller may have it.
#pragma once

#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "metadata/store/object_store.h"

namespace rondel::permissions {

// The version that the request names, no delete marker; `query` says what of it is wanted.
request::Answer<metadata::ObjectLookup> look_up_object(request::Context& context,
                                                       metadata::ObjectQuery query);

}  // namespace rondel::permissions
