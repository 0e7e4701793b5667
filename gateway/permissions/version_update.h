// Changes of attributes of a version that is there.
#pragma once

#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "metadata/store/commit_result.h"
#include "metadata/store/object_store.h"

namespace rondel::permissions {

// Changes attributes of the version that the request names. Errors: kNoSuchKey, kNoSuchVersion,
// kMethodNotAllowed for a delete marker named by its id, kAccessDenied for a locked one.
request::Answer<metadata::CommitOutcome> update_version(request::Context& context,
                                                        metadata::UpdateVersion request);

// The answer to a change: 200 or 204 with x-amz-version-id.
request::Response updated_response(const request::Context& context,
                                   const metadata::CommitOutcome& outcome, int status);

}  // namespace rondel::permissions
