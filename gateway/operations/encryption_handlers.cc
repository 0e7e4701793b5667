// Get, Put, DeleteBucketEncryption; UpdateObjectEncryption.
#include "gateway/operations/handlers.h"
#include "gateway/operations/object_encryption.h"
#include "gateway/operations/settings_handlers.h"
#include "gateway/s3/documents.h"

namespace rondel::operations {
namespace {

using kms::Mode;
using metadata::SettingKind;
using s3::ErrorCode;

// The envelope of the same data key under another key. With the key it has: only wrapped anew, under its newest version.
Answer<ObjectKey> sealed_anew(Context& context, const metadata::ObjectVersion& object, const kms::Envelope& old, const s3::ObjectEncryption& asked) {
  kms::ObjectKeys& keys = context.services.object_keys;
  const bool same = old.mode == Mode::kSseKms && !old.bucket_key && !asked.bucket_key && keys.key_name(old.key_id) == keys.key_name(asked.key_arn);
  if (same && old.key_id == asked.key_arn) {
    ObjectKey key;
    auto renewed = co_await keys.renew(old, context.metadata_deadline());
    if (!renewed) co_return std::unexpected(kms_error(renewed.error(), asked.key_arn));
    key.envelope = *std::move(renewed);
    co_return key;
  }
  CO_S3(ObjectKey opened, co_await open_object_key(context, {object.encryption, context.bucket->id, context.request.key}, s3::kTargetPrefix));
  EncryptionChoice choice;
  choice.wanted.mode = Mode::kSseKms;
  choice.wanted.key_id = asked.key_arn;
  choice.wanted.bucket_key = asked.bucket_key;
  choice.wanted.context = old.context;
  co_return co_await make_object_key(context, std::move(choice), std::move(opened.data_key));
}

}  // namespace

Answer<Response> get_bucket_encryption(Context& context) {
  const std::string* document = find_setting(context, SettingKind::kEncryption);
  if (document == nullptr) co_return s3::fail(ErrorCode::kServerSideEncryptionConfigurationNotFoundError, {}, {{"BucketName", context.request.bucket}});
  Response response = empty_response(200);
  response.head.fields.add("Content-Type", "application/xml");
  response.body = *document;
  co_return response;
}

Answer<Response> put_bucket_encryption(Context& context) {
  CO_S3(const std::string text, co_await read_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const s3::BucketEncryption wanted, s3::parse_bucket_encryption(text));
  CO_S3_VOID(co_await store_setting(context, SettingKind::kEncryption, s3::write_bucket_encryption(wanted)));
  co_return empty_response(200);
}

Answer<Response> delete_bucket_encryption(Context& context) {
  CO_S3_VOID(co_await store_setting(context, SettingKind::kEncryption, std::nullopt));
  co_return empty_response(204);
}

Answer<Response> update_object_encryption(Context& context) {
  CO_S3(const std::string text, co_await read_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const s3::ObjectEncryption asked, s3::parse_object_encryption(text));
  CO_S3(const metadata::ObjectLookup found, co_await look_up_object(context, {}));
  const metadata::ObjectVersion& object = found.object;
  kms::Envelope old;
  if (!object.encryption.empty()) {
    CO_S3(old, kms::decode(object.encryption));
  }
  if (old.mode != Mode::kSseS3 && old.mode != Mode::kSseKms) {
    co_return s3::fail(ErrorCode::kInvalidRequest, "The encryption of objects that are not encrypted, or with customer provided keys, cannot be updated.");
  }
  CO_S3(const ObjectKey key, co_await sealed_anew(context, object, old, asked));
  metadata::UpdateVersion request;
  request.key = context.request.key;
  request.version = object.version;
  request.expected_etag = object.etag;
  request.encryption = key.encoded();
  auto outcome = co_await commit_with(context, [&] {
    request.context = commit_context(context);
    return context.services.objects.update_version(request);
  });
  // Written over or removed since it was looked up.
  if (!outcome && outcome.error().code == ErrorCode::kPreconditionFailed) outcome.error().code = ErrorCode::kOperationAborted;
  if (!outcome) co_return std::unexpected(outcome.error());
  co_return updated_response(context, *outcome, 200);
}

}  // namespace rondel::operations
