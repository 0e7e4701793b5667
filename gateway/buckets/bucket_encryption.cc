// Get, Put, DeleteBucketEncryption.
#include "gateway/buckets/handlers.h"
#include "gateway/permissions/documents.h"
#include "gateway/permissions/settings_commit.h"
#include "gateway/request/answers.h"
#include "gateway/request/bucket_settings.h"
#include "gateway/request/context.h"
#include "gateway/request/object_encryption.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/encryption_document.h"
#include "gateway/s3/error.h"
#include "metadata/model/bucket.h"
#include "metadata/model/kms_key.h"

namespace rondel::buckets {
using metadata::SettingKind;
using s3::ErrorCode;

request::Answer<request::Response> get_bucket_encryption(request::Context& context) {
  const std::string* document = request::find_setting(context, SettingKind::kEncryption);
  if (document == nullptr) {
    co_return s3::fail(ErrorCode::kServerSideEncryptionConfigurationNotFoundError, {},
                       {{"BucketName", context.request.bucket}});
  }
  request::Response response = request::empty_response(200);
  response.head.fields.add("Content-Type", "application/xml");
  response.body = *document;
  co_return response;
}

request::Answer<request::Response> put_bucket_encryption(request::Context& context) {
  CO_S3(const std::string text,
        co_await permissions::read_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const s3::BucketEncryption wanted, s3::parse_bucket_encryption(text));
  // A default that its owner may not use would lead others to a key that is not theirs.
  const auto decide = [&]() -> s3::S3Result<std::optional<std::string>> {
    if (!wanted.key_id.empty()) {
      if (auto allowed = request::check_key_use(context, wanted.key_id,
                                                metadata::KmsOperation::kGenerateDataKey);
          !allowed) {
        return std::unexpected(allowed.error());
      }
    }
    return s3::write_bucket_encryption(wanted);
  };
  CO_S3_VOID(
      co_await permissions::store_decided_setting(context, SettingKind::kEncryption, decide));
  co_return request::empty_response(200);
}

request::Answer<request::Response> delete_bucket_encryption(request::Context& context) {
  CO_S3_VOID(co_await permissions::store_setting(context, SettingKind::kEncryption, std::nullopt));
  co_return request::empty_response(204);
}

}  // namespace rondel::buckets
