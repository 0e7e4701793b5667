// What the handlers of sub-resources have in common.
#include "gateway/operations/settings_handlers.h"

#include "gateway/operations/authorization.h"
#include "gateway/operations/object_attributes.h"

namespace rondel::operations {

using s3::ErrorCode;

Answer<void> store_setting(Context& context, metadata::SettingKind kind, std::optional<std::string> document) {
  CO_S3(const metadata::BucketOutcome outcome,
        co_await context.services.buckets.set_bucket_setting(context.bucket->id, kind, std::move(document), context.metadata_deadline()));
  context.services.bucket_cache.forget_bucket(context.bucket->name);
  if (outcome.status != metadata::BucketStatus::kOk) co_return s3::fail(ErrorCode::kNoSuchBucket, {}, {{"BucketName", context.request.bucket}});
  co_return s3::S3Result<void>{};
}

const std::string* find_setting(const Context& context, metadata::SettingKind kind) {
  const auto found = context.bucket->settings.find(kind);
  return found == context.bucket->settings.end() ? nullptr : &found->second;
}

Answer<std::string> read_vouched_document(Context& context, size_t bytes_max) {
  if (!has_integrity_header(context.fields()) && context.identity.payload_form != signature::PayloadForm::kHash) {
    co_return s3::fail(ErrorCode::kInvalidRequest, "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
  }
  co_return co_await read_document(context, bytes_max);
}

Answer<metadata::CommitOutcome> update_version(Context& context, metadata::UpdateVersion request) {
  CO_S3(const VersionName version, parse_version(context.request.query.find("versionId")));
  request.key = context.request.key;
  request.version = version.id;
  request.null_version = version.null;
  CO_S3_VOID(co_await authorize_change(context, request));
  auto outcome = co_await commit_with(context, [&] {
    request.context = commit_context(context);
    return context.services.objects.update_version(request);
  });
  if (!outcome && outcome.error().code == ErrorCode::kNoSuchKey && version.given()) {
    const bool marker = !outcome.error().headers.empty();
    outcome.error().code = marker ? ErrorCode::kMethodNotAllowed : ErrorCode::kNoSuchVersion;
    if (marker) outcome.error().headers.emplace_back("Allow", "DELETE");
    outcome.error().details.emplace_back("VersionId", std::string(*context.request.query.find("versionId")));
  }
  co_return outcome;
}

Response updated_response(const Context& context, const metadata::CommitOutcome& outcome, int status) {
  Response response = empty_response(status);
  if (context.bucket->versioning != metadata::Versioning::kNever) response.head.fields.add("x-amz-version-id", version_text(outcome.version, outcome.is_null));
  return response;
}

}  // namespace rondel::operations
