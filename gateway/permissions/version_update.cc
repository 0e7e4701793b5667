#include "gateway/permissions/version_update.h"

#include "gateway/permissions/authorization.h"
#include "gateway/permissions/commit.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "identity/policy/action.h"
#include "metadata/model/bucket.h"
#include "metadata/store/commit_result.h"
#include "metadata/store/object_store.h"

namespace rondel::permissions {

using s3::ErrorCode;

request::Answer<metadata::CommitOutcome> update_version(request::Context& context,
                                                        metadata::UpdateVersion request) {
  CO_S3(const request::VersionName version,
        request::parse_version(context.request.query.find("versionId")));
  request.key = context.request.key;
  request.version = version.id;
  request.null_version = version.null;
  CO_S3_VOID(co_await authorize_change(context, request));
  auto outcome = co_await commit_with(
      context,
      [&] {
        request.context = request::commit_context(context);
        request.expected_access = deciding_access(context);
        return context.services.objects.update_version(request);
      },
      nullptr,
      [&]() -> request::Answer<void> {
        CO_S3_VOID(co_await authorize_object_again(context));
        request.bypass_governance =
            request.bypass_governance &&
            may_also(context, policy::Action::kBypassGovernanceRetention, context.request.key);
        co_return s3::S3Result<void>{};
      });
  if (!outcome && outcome.error().code == ErrorCode::kNoSuchKey && version.given()) {
    const bool marker = !outcome.error().headers.empty();
    outcome.error().code = marker ? ErrorCode::kMethodNotAllowed : ErrorCode::kNoSuchVersion;
    if (marker) outcome.error().headers.emplace_back("Allow", "DELETE");
    outcome.error().details.emplace_back("VersionId",
                                         std::string(*context.request.query.find("versionId")));
  }
  co_return outcome;
}

request::Response updated_response(const request::Context& context,
                                   const metadata::CommitOutcome& outcome, int status) {
  request::Response response = request::empty_response(status);
  if (context.bucket->versioning != metadata::Versioning::kNever) {
    response.head.fields.add("x-amz-version-id",
                             request::version_text(outcome.version, outcome.is_null));
  }
  return response;
}

}  // namespace rondel::permissions
