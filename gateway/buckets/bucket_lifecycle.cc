// Lifecycle configuration of a bucket. The coordinator runs it: jobs/lifecycle/lifecycle_runner.h.
#include "gateway/buckets/handlers.h"
#include "gateway/permissions/documents.h"
#include "gateway/permissions/settings_commit.h"
#include "gateway/request/answers.h"
#include "gateway/request/beside.h"
#include "gateway/request/bucket_settings.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "gateway/s3/lifecycle_document.h"
#include "jobs/lifecycle/rule.h"
#include "metadata/model/bucket.h"

namespace rondel::buckets {
namespace {

using metadata::SettingKind;
using s3::ErrorCode;

constexpr std::string_view kMinimumSize = "x-amz-transition-default-minimum-object-size";
constexpr size_t kRuleBytes = 500;  // About, of its element.
constexpr std::string_view kEveryClass = "all_storage_classes_128K";

}  // namespace

request::Answer<request::Response> get_bucket_lifecycle(request::Context& context) {
  CO_S3(const auto rules, co_await context.services.lifecycle_rules->of(
                              context.services.buckets, *context.services.documents,
                              *context.bucket, context.metadata_deadline()));
  if (rules == nullptr) {
    co_return s3::fail(ErrorCode::kNoSuchLifecycleConfiguration, {},
                       {{"BucketName", context.request.bucket}});
  }
  request::Response response = request::empty_response(200);
  response.head.fields.add("Content-Type", "application/xml");
  response.head.fields.add(std::string(kMinimumSize), std::string(kEveryClass));
  const auto write = [rules]() -> s3::S3Result<std::string> {
    return s3::write_lifecycle_document(*rules);
  };
  CO_S3(response.body,
        co_await request::work_beside(context.services, rules->rules.size() * kRuleBytes, write));
  co_return response;
}

request::Answer<request::Response> put_bucket_lifecycle(request::Context& context) {
  if (const auto size = context.fields().find(kMinimumSize); size && *size != kEveryClass) {
    if (*size != "varies_by_storage_class") {
      co_return s3::fail(
          ErrorCode::kInvalidArgument, {},
          {{"ArgumentName", std::string(kMinimumSize)}, {"ArgumentValue", std::string(*size)}});
    }
    co_return s3::fail(ErrorCode::kNotImplemented, {}, {{"Header", std::string(kMinimumSize)}});
  }
  CO_S3(std::string text,
        co_await permissions::read_vouched_document(context, s3::kLifecycleDocumentBytesMax));
  CO_S3(std::string rules,
        co_await request::read_beside(
            context.services, std::move(text),
            [seed = context.request_id](const std::string& document) -> s3::S3Result<std::string> {
              const auto parsed = s3::parse_lifecycle_document(document, seed);
              if (!parsed) return std::unexpected(parsed.error());
              return lifecycle::encode(*parsed);
            }));
  CO_S3_VOID(
      co_await permissions::store_setting(context, SettingKind::kLifecycle, std::move(rules)));
  request::Response response = request::empty_response(200);
  response.head.fields.add(std::string(kMinimumSize), std::string(kEveryClass));
  co_return response;
}

request::Answer<request::Response> delete_bucket_lifecycle(request::Context& context) {
  CO_S3_VOID(co_await permissions::store_setting(context, SettingKind::kLifecycle, std::nullopt));
  co_return request::empty_response(204);
}

}  // namespace rondel::buckets
