#include "gateway/s3/encryption_headers.h"

#include <gtest/gtest.h>

#include "common/base/encoding.h"
#include "common/crypto/digest.h"

namespace rondel::s3 {
namespace {

const std::string kKey = to_base64(as_bytes(std::string_view("0123456789abcdef0123456789abcdef")));
const std::string kKeyMd5 = to_base64(as_bytes(crypto::md5("0123456789abcdef0123456789abcdef")));
constexpr const char* kSse = "x-amz-server-side-encryption";
constexpr const char* kKeyId = "x-amz-server-side-encryption-aws-kms-key-id";
constexpr const char* kAlgorithm = "x-amz-server-side-encryption-customer-algorithm";
constexpr const char* kCustomerKey = "x-amz-server-side-encryption-customer-key";
constexpr const char* kCustomerMd5 = "X-Amz-Server-Side-Encryption-Customer-Key-Md5";

http::Fields fields(std::vector<std::pair<std::string, std::string>> pairs) {
  http::Fields out;
  for (auto& [name, value] : pairs) out.add(name, value);
  return out;
}

ErrorCode refusal(std::vector<std::pair<std::string, std::string>> pairs) {
  return parse_encryption_headers(fields(std::move(pairs))).error().code;
}

TEST(EncryptionHeaders, NothingAskedFor) {
  const auto parsed = parse_encryption_headers(fields({{"Content-Type", "text/plain"}})).value();
  EXPECT_FALSE(parsed.any());
  EXPECT_TRUE(refuse_encryption_headers(fields({{kAlgorithm, "AES256"}})));
}

TEST(EncryptionHeaders, Methods) {
  EXPECT_EQ(parse_encryption_headers(fields({{kSse, "AES256"}}))->sse, Sse::kS3);
  const std::string context = R"({"a":"b"})";
  const auto kms =
      parse_encryption_headers(
          fields({{kSse, "aws:kms"},
                  {kKeyId, "k"},
                  {"x-amz-server-side-encryption-context", to_base64(as_bytes(context))},
                  {"x-amz-server-side-encryption-bucket-key-enabled", "true"}}))
          .value();
  EXPECT_EQ(kms.sse, Sse::kKms);
  EXPECT_EQ(kms.key_id, "k");
  EXPECT_EQ(kms.context, context);
  EXPECT_EQ(kms.bucket_key, true);
  EXPECT_EQ(refusal({{kSse, "aws:kms:dsse"}}), ErrorCode::kNotImplemented);
  for (const char* unknown : {"", "aes256", "aes:kms", "AES256,AES256"}) {
    EXPECT_EQ(refusal({{kSse, unknown}}), ErrorCode::kInvalidArgument) << unknown;
  }
}

TEST(EncryptionHeaders, WhatDoesNotGoTogether) {
  EXPECT_EQ(refusal({{kKeyId, "k"}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({{kSse, "AES256"}, {kKeyId, "k"}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({{kSse, "AES256"},
                     {kAlgorithm, "AES256"},
                     {kCustomerKey, kKey},
                     {kCustomerMd5, kKeyMd5}}),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(
      refusal({{kSse, "aws:kms"}, {"x-amz-server-side-encryption-bucket-key-enabled", "yes"}}),
      ErrorCode::kInvalidArgument);
  for (const char* context : {"!", "e30", "W10=", "eyJhIjoxfQ=="}) {
    EXPECT_EQ(refusal({{kSse, "aws:kms"}, {"x-amz-server-side-encryption-context", context}}),
              ErrorCode::kInvalidArgument)
        << context;
  }
  EXPECT_EQ(refuse_encryption_headers(fields({{kSse, "AES256"}})).error().code,
            ErrorCode::kInvalidArgument);
}

TEST(EncryptionHeaders, CustomerKeys) {
  const auto parsed =
      parse_encryption_headers(
          fields({{kAlgorithm, "AES256"}, {kCustomerKey, kKey}, {kCustomerMd5, kKeyMd5}}))
          .value();
  ASSERT_TRUE(parsed.customer);
  EXPECT_EQ(parsed.customer->key.view(), "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(parsed.customer->md5, kKeyMd5);
  EXPECT_EQ(refusal({{kCustomerKey, kKey}, {kCustomerMd5, kKeyMd5}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({{kAlgorithm, "AES256"}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({{kAlgorithm, "AES256"}, {kCustomerKey, kKey}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({{kAlgorithm, "AES256"}, {kCustomerKey, "c2hvcnQ="}, {kCustomerMd5, kKeyMd5}}),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({{kAlgorithm, "AES256"},
                     {kCustomerKey, kKey},
                     {kCustomerMd5, "AAAAAAAAAAAAAAAAAAAAAA=="}}),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({{kAlgorithm, "AES128"}, {kCustomerKey, kKey}, {kCustomerMd5, kKeyMd5}}),
            ErrorCode::kInvalidEncryptionAlgorithmError);
  const auto source =
      fields({{"x-amz-copy-source-server-side-encryption-customer-algorithm", "AES256"},
              {"x-amz-copy-source-server-side-encryption-customer-key", kKey},
              {"x-amz-copy-source-server-side-encryption-customer-key-MD5", kKeyMd5}});
  EXPECT_TRUE(parse_customer_key(source, kSourcePrefix)->has_value());
  EXPECT_FALSE(parse_customer_key(source, kTargetPrefix)->has_value());
}

}  // namespace
}  // namespace rondel::s3
