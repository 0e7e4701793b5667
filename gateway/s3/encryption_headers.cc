#include "gateway/s3/encryption_headers.h"

#include <algorithm>
#include <boost/json.hpp>

#include "common/base/encoding.h"
#include "common/crypto/aead.h"
#include "common/crypto/digest.h"

namespace rondel::s3 {
namespace {

constexpr std::string_view kSse = "x-amz-server-side-encryption";
constexpr std::string_view kKeyId = "x-amz-server-side-encryption-aws-kms-key-id";
constexpr std::string_view kContext = "x-amz-server-side-encryption-context";
constexpr std::string_view kBucketKey = "x-amz-server-side-encryption-bucket-key-enabled";
constexpr size_t kKeyIdBytesMax = 2048;
constexpr size_t kContextBytesMax = 8192;

std::unexpected<Error> invalid(std::string message, std::string_view header,
                               std::string_view value = {}) {
  std::vector<std::pair<std::string, std::string>> details{{"ArgumentName", std::string(header)}};
  if (!value.empty()) details.emplace_back("ArgumentValue", std::string(value));
  return fail(ErrorCode::kInvalidArgument, std::move(message), std::move(details));
}

bool is_string_map(const std::string& text) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(text, error);
  return !error && value.is_object() &&
         std::ranges::all_of(value.as_object(),
                             [](const auto& member) { return member.value().is_string(); });
}

S3Result<std::string> parse_context(std::string_view header) {
  auto text = from_base64(header);
  if (!text || text->size() > kContextBytesMax || !is_valid_utf8(*text) || !is_string_map(*text)) {
    return invalid(
        "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string "
        "holding JSON which represents a string-string map",
        kContext);
  }
  return *std::move(text);
}

S3Result<void> parse_kms(const http::Fields& fields, EncryptionHeaders& out) {
  out.key_id = fields.find(kKeyId).value_or("");
  if (!is_key_id(out.key_id)) return invalid("Invalid KMS key id", kKeyId);
  if (const auto header = fields.find(kContext); header && !header->empty()) {
    auto context = parse_context(*header);
    if (!context) return std::unexpected(context.error());
    out.context = *std::move(context);
  }
  return {};
}

}  // namespace

bool is_key_id(std::string_view text) {
  return text.size() <= kKeyIdBytesMax && !has_control_character(text);
}

S3Result<std::optional<CustomerKey>> parse_customer_key(const http::Fields& fields,
                                                        std::string_view prefix) {
  const std::string stem = std::string(prefix) + "server-side-encryption-customer-";
  const auto algorithm = fields.find(stem + "algorithm");
  const auto key = fields.find(stem + "key");
  const auto md5 = fields.find(stem + "key-MD5");
  if (!algorithm && !key && !md5) return std::nullopt;
  if (!algorithm || algorithm->empty()) {
    return invalid(
        "Requests specifying Server Side Encryption with Customer provided keys must provide a "
        "valid encryption algorithm.",
        stem + "algorithm");
  }
  if (*algorithm != "AES256") {
    return fail(ErrorCode::kInvalidEncryptionAlgorithmError, {},
                {{"ArgumentName", stem + "algorithm"}, {"ArgumentValue", std::string(*algorithm)}});
  }
  if (!key || key->empty()) {
    return invalid(
        "Requests specifying Server Side Encryption with Customer provided keys must provide an "
        "appropriate secret key.",
        stem + "key");
  }
  if (!md5 || md5->empty()) {
    return invalid(
        "Requests specifying Server Side Encryption with Customer provided keys must provide the "
        "client calculated MD5 of the secret key.",
        stem + "key-MD5");
  }
  CustomerKey out{crypto::Secret(from_base64(*key).value_or("")), std::string(*md5)};
  if (out.key.size() != crypto::kAeadKeyBytes) {
    return invalid("The secret key was invalid for the specified algorithm.", stem + "key");
  }
  if (to_base64(as_bytes(crypto::md5(out.key.view()))) != out.md5) {
    return invalid("The calculated MD5 hash of the key did not match the hash that was provided.",
                   stem + "key-MD5");
  }
  return out;
}

S3Result<EncryptionHeaders> parse_encryption_headers(const http::Fields& fields) {
  EncryptionHeaders out;
  auto customer = parse_customer_key(fields, kTargetPrefix);
  if (!customer) return std::unexpected(customer.error());
  const auto method = fields.find(kSse);
  if (*customer && method) {
    return invalid(
        "Server Side Encryption with Customer provided key is incompatible with the encryption "
        "method specified",
        kSse, *method);
  }
  if (method == "AES256") {
    out.sse = Sse::kS3;
  } else if (method == "aws:kms") {
    out.sse = Sse::kKms;
  } else if (method == "aws:kms:dsse") {
    return fail(ErrorCode::kNotImplemented, {}, {{"Header", std::string(kSse)}});
  } else if (method) {
    return invalid("The encryption method specified is not supported", kSse, *method);
  }
  for (const std::string_view header : {kKeyId, kContext}) {
    if (out.sse != Sse::kKms && fields.has(header)) {
      return invalid(
          "Server Side Encryption with AWS KMS managed key requires HTTP header "
          "x-amz-server-side-encryption : aws:kms",
          header);
    }
  }
  if (out.sse == Sse::kKms) {
    if (auto parsed = parse_kms(fields, out); !parsed) return std::unexpected(parsed.error());
  }
  if (const auto flag = fields.find(kBucketKey)) {
    // Python's SDK writes True.
    out.bucket_key = http::iequals(*flag, "true");
    if (!*out.bucket_key && !http::iequals(*flag, "false")) {
      return invalid("Invalid value for header " + std::string(kBucketKey), kBucketKey, *flag);
    }
  }
  out.customer = *std::move(customer);
  return out;
}

S3Result<void> refuse_encryption_headers(const http::Fields& fields) {
  for (const std::string_view header : {kSse, kKeyId, kContext, kBucketKey}) {
    if (const auto value = fields.find(header)) {
      return invalid(std::string(header) + " header is not supported for this operation.", header,
                     *value);
    }
  }
  return {};
}

}  // namespace rondel::s3
