#include "gateway/request/object_encryption.h"

#include "common/base/encoding.h"
#include "common/crypto/digest.h"
#include "common/crypto/secret.h"
#include "common/http/message.h"
#include "gateway/blobs/blob_store.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/encrypted_streams.h"
#include "gateway/request/payer.h"
#include "gateway/s3/encryption_document.h"
#include "gateway/s3/encryption_headers.h"
#include "gateway/s3/error.h"
#include "kms/envelope.h"
#include "kms/frames.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"

namespace rondel::request {
namespace {

using kms::Mode;
using s3::ErrorCode;
using s3::Sse;

constexpr std::string_view kEtagLabel = "rondel etag 1";
constexpr size_t kEtagBytes = 16;

Mode mode_of(Sse sse) {
  return sse == Sse::kS3 ? Mode::kSseS3 : sse == Sse::kKms ? Mode::kSseKms : Mode::kNone;
}

// The key that AWS makes for an account that names none, by its alias.
std::string default_key_arn(const Context& context) {
  return "arn:aws:kms:" + context.services.settings.region + ":" + context.bucket->owner_account +
         ":alias/aws/s3";
}

std::unexpected<s3::Error> other_key_than_before() {
  return s3::fail(ErrorCode::kInvalidRequest,
                  "The provided encryption parameters did not match the ones used originally.");
}

s3::S3Result<EncryptionChoice> decide(const Context& context) {
  auto headers = s3::parse_encryption_headers(context.fields());
  if (!headers) return std::unexpected(headers.error());
  s3::BucketEncryption bucket;
  if (const auto found = context.bucket->settings.find(metadata::SettingKind::kEncryption);
      found != context.bucket->settings.end()) {
    auto parsed = s3::parse_bucket_encryption(found->second);
    if (!parsed) return std::unexpected(parsed.error());
    bucket = *std::move(parsed);
  }
  EncryptionChoice choice;
  if (headers->customer) {
    if (bucket.block_customer_keys) return s3::fail(ErrorCode::kAccessDenied);
    choice.wanted.mode = Mode::kSseC;
    choice.customer = std::move(headers->customer);
    return choice;
  }
  const bool asked = headers->sse != Sse::kNone;
  choice.wanted.mode = mode_of(asked ? headers->sse : bucket.sse);
  if (choice.wanted.mode != Mode::kSseKms) return choice;
  choice.wanted.key_id = asked ? headers->key_id : bucket.key_id;
  if (choice.wanted.key_id.empty()) choice.wanted.key_id = default_key_arn(context);
  choice.wanted.context = headers->context;
  choice.wanted.bucket_key = headers->bucket_key.value_or(bucket.bucket_key);
  return choice;
}

}  // namespace

std::string ObjectKey::etag_of(const std::string& md5_hex) const {
  if (plaintext() || mode() == Mode::kSseS3) return md5_hex;
  return to_hex(as_bytes(crypto::hmac_sha256(data_key.view(), std::string(kEtagLabel) + md5_hex))
                    .first(kEtagBytes));
}

s3::S3Result<void> check_customer_key_transport(const Context& context) {
  if (context.exchange.connection().tls || context.services.settings.allow_sse_c_over_http) {
    return {};
  }
  for (const std::string_view prefix : {s3::kTargetPrefix, s3::kSourcePrefix}) {
    if (context.fields().has(std::string(prefix) + "server-side-encryption-customer-key")) {
      return s3::fail(ErrorCode::kInvalidRequest,
                      "Requests specifying Server Side Encryption with Customer provided keys must "
                      "be made over a secure connection.");
    }
  }
  return {};
}

s3::S3Result<EncryptionChoice> choose_encryption(Context& context) {
  auto choice = decide(context);
  if (choice) context.chosen_encryption = choice->wanted;
  return choice;
}

s3::S3Result<void> check_key_use(Context& context, const std::string& key_id,
                                 metadata::KmsOperation operation) {
  const kms::ObjectKeys& keys = context.services.object_keys;
  if (keys.is_shared(key_id)) return {};
  const signature::Identity& identity = context.identity;
  if (!identity.anonymous() && identity.credential->kms.allows(keys.key_name(key_id), operation)) {
    context.used_keys.emplace_back(key_id, operation);
    return {};
  }
  const std::string user = identity.anonymous()
                               ? "anonymous"
                               : "arn:aws:iam::" + identity.credential->account.id + ":root";
  const std::string action =
      operation == metadata::KmsOperation::kDecrypt ? "kms:Decrypt" : "kms:GenerateDataKey";
  return s3::fail(ErrorCode::kAccessDenied, "User: " + user +
                                                " is not authorized to perform: " + action +
                                                " on the resource associated with this ciphertext "
                                                "because no resource-based policy allows the " +
                                                action + " action");
}

s3::S3Result<void> check_encryption_again(Context& context) {
  for (const auto& [key_id, operation] : std::exchange(context.used_keys, {})) {
    if (auto allowed = check_key_use(context, key_id, operation); !allowed) return allowed;
  }
  if (!context.chosen_encryption) return {};
  const auto now = decide(context);
  if (!now) return std::unexpected(now.error());
  const kms::Envelope& then = *context.chosen_encryption;
  const bool same = now->wanted.mode == then.mode && now->wanted.key_id == then.key_id &&
                    now->wanted.bucket_key == then.bucket_key;
  if (same) return {};
  return std::unexpected(s3::retry_later(
      ErrorCode::kServiceUnavailable, "the bucket's encryption was changed meanwhile",
      "The bucket's encryption was changed meanwhile. Please try again."));
}

Answer<ObjectKey> make_object_key(Context& context, EncryptionChoice choice,
                                  crypto::Secret data_key) {
  ObjectKey key;
  if (choice.wanted.mode == Mode::kNone) co_return key;
  const std::string key_id = choice.wanted.key_id;
  if (choice.wanted.mode == Mode::kSseKms) {
    CO_S3_VOID(check_key_use(context, key_id, metadata::KmsOperation::kGenerateDataKey));
  }
  crypto::Secret customer;
  if (choice.customer) {
    customer = std::move(choice.customer->key);
    key.customer_md5 = std::move(choice.customer->md5);
  }
  auto made = co_await context.services.object_keys.make(
      std::move(choice.wanted), {context.bucket->id, context.request.key}, std::move(customer),
      std::move(data_key), context.metadata_deadline());
  if (!made) co_return std::unexpected(kms_error(made.error(), key_id));
  key.envelope = std::move(made->envelope);
  key.data_key = std::move(made->data_key);
  co_return key;
}

Answer<ObjectKey> open_object_key(Context& context, Sealed sealed, std::string_view prefix,
                                  bool open) {
  CO_S3(const auto customer, s3::parse_customer_key(context.fields(), prefix));
  ObjectKey key;
  if (!sealed.encoded.empty()) {
    CO_S3(key.envelope, kms::decode(sealed.encoded));
  }
  const bool by_customer = key.mode() == Mode::kSseC;
  if (by_customer && !customer) {
    co_return s3::fail(ErrorCode::kInvalidRequest,
                       "The object was stored using a form of Server Side Encryption. The correct "
                       "parameters must be provided to retrieve the object.");
  }
  if (!by_customer && customer) {
    co_return s3::fail(ErrorCode::kInvalidRequest,
                       "The encryption parameters are not applicable to this object.");
  }
  if (customer) key.customer_md5 = customer->md5;
  if (key.plaintext() || (!open && !by_customer)) co_return key;
  if (key.mode() == Mode::kSseKms) {
    CO_S3_VOID(check_key_use(context, key.envelope.key_id, metadata::KmsOperation::kDecrypt));
  }
  auto opened = co_await context.services.object_keys.open(
      key.envelope, {sealed.bucket_id, sealed.key}, customer ? customer->key : crypto::Secret(),
      context.metadata_deadline());
  if (!opened && by_customer && opened.error().code == rondel::ErrorCode::kPermissionDenied) {
    co_return s3::fail(ErrorCode::kAccessDenied);
  }
  if (!opened) co_return std::unexpected(kms_error(opened.error(), key.envelope.key_id));
  key.data_key = *std::move(opened);
  co_return key;
}

Answer<ObjectKey> open_upload_key(Context& context, const metadata::Upload& upload) {
  const bool given = context.fields().has("x-amz-server-side-encryption-customer-algorithm") ||
                     context.fields().has("x-amz-server-side-encryption-customer-key");
  const auto envelope = kms::decode(upload.encryption);
  const bool by_customer = envelope && envelope->mode == Mode::kSseC;
  if (by_customer && !given) {
    co_return s3::fail(ErrorCode::kInvalidRequest,
                       "The multipart upload initiate requested encryption. Subsequent part "
                       "requests must include the appropriate encryption parameters.");
  }
  auto key = co_await open_object_key(
      context, {upload.encryption, context.bucket->id, context.request.key}, s3::kTargetPrefix);
  if (!key && by_customer && key.error().code == ErrorCode::kAccessDenied) {
    co_return other_key_than_before();
  }
  if (!key && !by_customer && given && key.error().code == ErrorCode::kInvalidRequest) {
    co_return other_key_than_before();
  }
  co_return key;
}

void add_encryption_headers(http::Fields& fields, const ObjectKey& key, bool with_context) {
  switch (key.mode()) {
    case Mode::kNone: return;
    case Mode::kSseS3: return fields.add("x-amz-server-side-encryption", "AES256");
    case Mode::kSseC:
      fields.add("x-amz-server-side-encryption-customer-algorithm", "AES256");
      return fields.add("x-amz-server-side-encryption-customer-key-MD5", key.customer_md5);
    case Mode::kSseKms: break;
  }
  fields.add("x-amz-server-side-encryption", "aws:kms");
  fields.add("x-amz-server-side-encryption-aws-kms-key-id", key.envelope.key_id);
  if (key.envelope.bucket_key) {
    fields.add("x-amz-server-side-encryption-bucket-key-enabled", "true");
  }
  if (with_context && !key.envelope.context.empty()) {
    fields.add("x-amz-server-side-encryption-context", to_base64(as_bytes(key.envelope.context)));
  }
}

std::vector<blobs::StreamRange> stream_ranges(const std::vector<metadata::Extent>& extents,
                                              uint64_t offset, uint64_t length) {
  std::vector<blobs::StreamRange> ranges;
  const uint64_t end = offset + length;
  for (const metadata::Extent& extent : extents) {
    const uint64_t first = std::max(offset, extent.start);
    const uint64_t last = std::min(end, extent.start + extent.length);
    if (first < last) {
      ranges.push_back(
          {extent.stream, extent.stream_size, extent.offset + first - extent.start, last - first});
    }
  }
  return ranges;
}

std::unique_ptr<blobs::StreamWriter> open_object_writer(Context& context, const ObjectKey& key,
                                                        std::optional<uint64_t> size) {
  const Deadline deadline = deadline_in(context.services.settings.write_timeout);
  if (key.plaintext()) return context.services.blobs.open_writer(size, deadline, context.payer);
  const auto stored = size ? std::optional(kms::stored_size(*size)) : std::nullopt;
  return make_encrypting_writer(context.services.blobs.open_writer(stored, deadline, context.payer),
                                key.data_key, size);
}

s3::S3Result<std::unique_ptr<blobs::StreamReader>> open_object_reader(
    Context& context, const ObjectKey& key, const std::vector<metadata::Extent>& extents,
    uint64_t offset, uint64_t length) {
  const Deadline deadline = deadline_in(context.services.settings.write_timeout);
  // What an object's ACL allowed is known only now.
  if (auto charged = charge(context); !charged) return std::unexpected(charged.error());
  auto ranges = stream_ranges(extents, offset, length);
  if (key.plaintext()) {
    return context.services.blobs.open_reader(std::move(ranges), deadline, context.payer);
  }
  return as_s3(make_decrypting_reader(context.services.blobs, key.data_key, std::move(ranges),
                                      deadline, context.payer));
}

s3::Error kms_error(const Error& error, std::string_view key_id) {
  s3::Error out = s3::from(error);
  switch (error.code) {
    case rondel::ErrorCode::kNotFound:
    case rondel::ErrorCode::kInvalidArgument:
      out.code = ErrorCode::kKmsNotFoundException;
      out.message = "Invalid keyId '" + std::string(key_id) + "'";
      break;
    case rondel::ErrorCode::kPrecondition:
      out.code = ErrorCode::kKmsDisabledException;
      out.message = std::string(key_id) + " is disabled.";
      break;
    case rondel::ErrorCode::kPermissionDenied: out.code = ErrorCode::kAccessDenied; break;
    default: break;
  }
  return out;
}

}  // namespace rondel::request
