// UpdateObjectEncryption.
#include "gateway/objects/handlers.h"
#include "gateway/permissions/commit.h"
#include "gateway/permissions/documents.h"
#include "gateway/permissions/object_lookup.h"
#include "gateway/permissions/version_update.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/object_encryption.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/encryption_document.h"
#include "gateway/s3/encryption_headers.h"
#include "gateway/s3/error.h"
#include "kms/envelope.h"
#include "kms/object_keys.h"
#include "metadata/model/kms_key.h"
#include "metadata/model/object.h"
#include "metadata/store/object_store.h"

namespace rondel::objects {

using kms::Mode;
using s3::ErrorCode;

namespace {

// The envelope of the same data key under another key. With the key it has: only wrapped anew,
// under its newest version.
request::Answer<request::ObjectKey> sealed_anew(request::Context& context,
                                                const metadata::ObjectVersion& object,
                                                const kms::Envelope& old,
                                                const s3::ObjectEncryption& asked) {
  kms::ObjectKeys& keys = context.services.object_keys;
  const bool same = old.mode == Mode::kSseKms && !old.bucket_key && !asked.bucket_key &&
                    keys.key_name(old.key_id) == keys.key_name(asked.key_arn);
  if (same && old.key_id == asked.key_arn) {
    CO_S3_VOID(request::check_key_use(context, asked.key_arn, metadata::KmsOperation::kDecrypt));
    CO_S3_VOID(
        request::check_key_use(context, asked.key_arn, metadata::KmsOperation::kGenerateDataKey));
    request::ObjectKey key;
    auto renewed = co_await keys.renew(old, context.metadata_deadline());
    if (!renewed) co_return std::unexpected(request::kms_error(renewed.error(), asked.key_arn));
    key.envelope = *std::move(renewed);
    co_return key;
  }
  CO_S3(request::ObjectKey opened,
        co_await request::open_object_key(
            context, {object.encryption, context.bucket->id, context.request.key},
            s3::kTargetPrefix));
  request::EncryptionChoice choice;
  choice.wanted.mode = Mode::kSseKms;
  choice.wanted.key_id = asked.key_arn;
  choice.wanted.bucket_key = asked.bucket_key;
  choice.wanted.context = old.context;
  co_return co_await request::make_object_key(context, std::move(choice),
                                              std::move(opened.data_key));
}

}  // namespace

request::Answer<request::Response> update_object_encryption(request::Context& context) {
  CO_S3(const std::string text,
        co_await permissions::read_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const s3::ObjectEncryption asked, s3::parse_object_encryption(text));
  CO_S3(const metadata::ObjectLookup found, co_await permissions::look_up_object(context, {}));
  const metadata::ObjectVersion& object = found.object;
  kms::Envelope old;
  if (!object.encryption.empty()) {
    CO_S3(old, kms::decode(object.encryption));
  }
  if (old.mode != Mode::kSseS3 && old.mode != Mode::kSseKms) {
    co_return s3::fail(ErrorCode::kInvalidRequest,
                       "The encryption of objects that are not encrypted, or with customer "
                       "provided keys, cannot be updated.");
  }
  CO_S3(const request::ObjectKey key, co_await sealed_anew(context, object, old, asked));
  metadata::UpdateVersion request;
  request.key = context.request.key;
  request.version = object.version;
  request.expected_etag = object.etag;
  request.encryption = key.encoded();
  auto outcome = co_await permissions::commit_with(
      context,
      [&] {
        request.context = request::commit_context(context);
        request.expected_access = permissions::deciding_access(context);
        return context.services.objects.update_version(request);
      },
      nullptr, [&] { return permissions::authorize_object_again(context); });
  // Written over or removed since it was looked up.
  if (!outcome && outcome.error().code == ErrorCode::kPreconditionFailed) {
    outcome.error().code = ErrorCode::kOperationAborted;
  }
  if (!outcome) co_return std::unexpected(outcome.error());
  co_return permissions::updated_response(context, *outcome, 200);
}

}  // namespace rondel::objects
