// Lifecycle configuration of a bucket. The coordinator runs it: jobs/lifecycle/lifecycle_runner.h.
#include "gateway/operations/settings_handlers.h"
#include "gateway/s3/lifecycle_document.h"

namespace rondel::operations {
namespace {

using metadata::SettingKind;
using s3::ErrorCode;

constexpr std::string_view kMinimumSize = "x-amz-transition-default-minimum-object-size";
constexpr std::string_view kEveryClass = "all_storage_classes_128K";

}  // namespace

Answer<Response> get_bucket_lifecycle(Context& context) {
  const std::string* stored = find_setting(context, SettingKind::kLifecycle);
  if (stored == nullptr) co_return s3::fail(ErrorCode::kNoSuchLifecycleConfiguration, {}, {{"BucketName", context.request.bucket}});
  const auto rules = context.services.lifecycle_rules->of(*context.bucket);
  if (rules == nullptr) co_return s3::fail(ErrorCode::kInternalError);
  Response response = empty_response(200);
  response.head.fields.add("Content-Type", "application/xml");
  response.head.fields.add(std::string(kMinimumSize), std::string(kEveryClass));
  response.body = s3::write_lifecycle_document(*rules);
  co_return response;
}

Answer<Response> put_bucket_lifecycle(Context& context) {
  if (const auto size = context.fields().find(kMinimumSize); size && *size != kEveryClass) {
    if (*size != "varies_by_storage_class") co_return s3::fail(ErrorCode::kInvalidArgument, {}, {{"ArgumentName", std::string(kMinimumSize)}, {"ArgumentValue", std::string(*size)}});
    co_return s3::fail(ErrorCode::kNotImplemented, {}, {{"Header", std::string(kMinimumSize)}});
  }
  CO_S3(const std::string text, co_await read_vouched_document(context, s3::kLifecycleDocumentBytesMax));
  CO_S3(const lifecycle::Configuration rules, s3::parse_lifecycle_document(text, context.request_id));
  CO_S3_VOID(co_await store_setting(context, SettingKind::kLifecycle, lifecycle::encode(rules)));
  Response response = empty_response(200);
  response.head.fields.add(std::string(kMinimumSize), std::string(kEveryClass));
  co_return response;
}

Answer<Response> delete_bucket_lifecycle(Context& context) {
  CO_S3_VOID(co_await store_setting(context, SettingKind::kLifecycle, std::nullopt));
  co_return empty_response(204);
}

}  // namespace rondel::operations
