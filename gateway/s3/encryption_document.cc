#include "gateway/s3/encryption_document.h"

#include <algorithm>

#include "gateway/s3/encryption_headers.h"
#include "gateway/s3/xml_reader.h"
#include "gateway/s3/xml_writer.h"

namespace rondel::s3 {
namespace {

constexpr size_t kArnBytesMin = 20;

std::unexpected<Error> malformed() { return fail(ErrorCode::kMalformedXML); }

S3Result<bool> parse_flag(const std::optional<std::string>& text) {
  if (!text) return false;
  const std::string value = xml_trimmed(*text);
  if (value != "true" && value != "false") return malformed();
  return value == "true";
}

S3Result<void> parse_default(const XmlElement& element, BucketEncryption& out) {
  const std::string algorithm = xml_trimmed(element.child_text("SSEAlgorithm").value_or(""));
  out.key_id = xml_trimmed(element.child_text("KMSMasterKeyID").value_or(""));
  if (!is_key_id(out.key_id)) {
    return fail(ErrorCode::kInvalidArgument, "Invalid KMS key id",
                {{"ArgumentName", "KMSMasterKeyID"}});
  }
  if (algorithm == "aws:kms:dsse") {
    return fail(ErrorCode::kNotImplemented, "Dual-layer server-side encryption is not implemented");
  }
  if (algorithm != "AES256" && algorithm != "aws:kms") return malformed();
  out.sse = algorithm == "AES256" ? Sse::kS3 : Sse::kKms;
  if (out.sse == Sse::kS3 && !out.key_id.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or "
                "aws:kms:dsse",
                {{"ArgumentName", "ApplyServerSideEncryptionByDefault"}});
  }
  return {};
}

S3Result<void> parse_blocked(const XmlElement& element, BucketEncryption& out) {
  const auto types = element.children("EncryptionType");
  if (types.size() != 1) return malformed();
  const std::string type = types.front().trimmed_text();
  if (type != "SSE-C" && type != "NONE") return malformed();
  out.block_customer_keys = type == "SSE-C";
  return {};
}

// arn:PARTITION:kms:REGION:ACCOUNT:key/NAME
bool is_key_arn(std::string_view text) {
  if (text.size() < kArnBytesMin || !is_key_id(text) || !text.starts_with("arn:aws")) return false;
  std::vector<std::string_view> fields;
  for (size_t at = 0; fields.size() < 5;) {
    const size_t colon = text.find(':', at);
    if (colon == std::string_view::npos) return false;
    fields.push_back(text.substr(at, colon - at));
    at = colon + 1;
    if (fields.size() == 5) text.remove_prefix(at);
  }
  const bool account = fields[4].size() == 12 &&
                       std::ranges::all_of(fields[4], [](char c) { return c >= '0' && c <= '9'; });
  return fields[2] == "kms" && account && text.starts_with("key/") && text.size() > 4;
}

}  // namespace

S3Result<BucketEncryption> parse_bucket_encryption(std::string_view text) {
  auto document = XmlDocument::parse(text, "ServerSideEncryptionConfiguration");
  if (!document) return std::unexpected(document.error());
  const auto rules = document->root().children("Rule");
  if (rules.size() != 1) return malformed();
  const XmlElement& rule = rules.front();
  BucketEncryption out;
  const auto by_default = rule.child("ApplyServerSideEncryptionByDefault");
  if (by_default) {
    if (auto parsed = parse_default(*by_default, out); !parsed) {
      return std::unexpected(parsed.error());
    }
  }
  const auto blocked = rule.child("BlockedEncryptionTypes");
  if (blocked) {
    if (auto parsed = parse_blocked(*blocked, out); !parsed) return std::unexpected(parsed.error());
  }
  if (!by_default && !blocked) return malformed();
  auto bucket_key = parse_flag(rule.child_text("BucketKeyEnabled"));
  if (!bucket_key) return std::unexpected(bucket_key.error());
  out.bucket_key = *bucket_key;
  return out;
}

std::string write_bucket_encryption(const BucketEncryption& encryption) {
  XmlWriter xml("ServerSideEncryptionConfiguration");
  xml.open("Rule");
  if (encryption.sse != Sse::kNone) {
    xml.open("ApplyServerSideEncryptionByDefault");
    xml.text("SSEAlgorithm", encryption.sse == Sse::kS3 ? "AES256" : "aws:kms");
    if (!encryption.key_id.empty()) xml.text("KMSMasterKeyID", encryption.key_id);
    xml.close();
  }
  xml.boolean("BucketKeyEnabled", encryption.bucket_key);
  if (encryption.block_customer_keys) {
    xml.open("BlockedEncryptionTypes");
    xml.text("EncryptionType", "SSE-C");
  }
  return std::move(xml).finish();
}

S3Result<ObjectEncryption> parse_object_encryption(std::string_view text) {
  auto document = XmlDocument::parse(text, "ObjectEncryption");
  if (!document) return std::unexpected(document.error());
  const auto kms = document->root().child("SSEKMS");
  if (!kms || document->root().children().size() != 1) return malformed();
  ObjectEncryption out;
  out.key_arn = xml_trimmed(kms->child_text("KMSKeyArn").value_or(""));
  if (out.key_arn.empty()) return malformed();
  if (!is_key_arn(out.key_arn)) {
    return fail(ErrorCode::kInvalidArgument, "Invalid KMS key ARN",
                {{"ArgumentName", "KMSKeyArn"}, {"ArgumentValue", out.key_arn}});
  }
  auto bucket_key = parse_flag(kms->child_text("BucketKeyEnabled"));
  if (!bucket_key) return std::unexpected(bucket_key.error());
  out.bucket_key = *bucket_key;
  return out;
}

}  // namespace rondel::s3
