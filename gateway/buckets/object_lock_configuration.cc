// Object lock: the bucket's configuration.
#include "gateway/buckets/handlers.h"
#include "gateway/permissions/documents.h"
#include "gateway/permissions/settings_commit.h"
#include "gateway/request/answers.h"
#include "gateway/request/bucket_settings.h"
#include "gateway/request/context.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/error.h"
#include "gateway/s3/lock_documents.h"
#include "metadata/model/bucket.h"
#include "metadata/store/bucket_store.h"

namespace rondel::buckets {

using s3::ErrorCode;

request::Answer<request::Response> get_object_lock_configuration(request::Context& context) {
  const std::string* document = request::find_setting(context, metadata::SettingKind::kObjectLock);
  if (!context.bucket->object_lock || document == nullptr) {
    co_return s3::fail(ErrorCode::kObjectLockConfigurationNotFoundError, {},
                       {{"BucketName", context.request.bucket}});
  }
  request::Response response = request::empty_response(200);
  response.head.fields.add("Content-Type", "application/xml");
  response.body = *document;
  co_return response;
}

request::Answer<request::Response> put_object_lock_configuration(request::Context& context) {
  if (context.fields().has("x-amz-bucket-object-lock-token")) {
    co_return s3::fail(ErrorCode::kNotImplemented, {},
                       {{"Header", "x-amz-bucket-object-lock-token"}});
  }
  CO_S3(const std::string text,
        co_await permissions::read_vouched_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const s3::ObjectLockDocument document, s3::parse_object_lock_document(text));
  const auto change = [&]() -> request::Answer<metadata::BucketOutcome> {
    co_return request::as_s3(co_await context.services.buckets.set_object_lock(
        request::commit_context(context), s3::write_object_lock_document(document)));
  };
  CO_S3(const metadata::BucketOutcome outcome,
        co_await permissions::change_bucket(context, change));
  if (outcome.status == metadata::BucketStatus::kWrongState) {
    co_return s3::fail(
        ErrorCode::kInvalidBucketState,
        "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration");
  }
  co_return request::empty_response(200);
}

}  // namespace rondel::buckets
