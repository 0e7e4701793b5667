#include "gateway/s3/encryption_document.h"

#include <gtest/gtest.h>

namespace rondel::s3 {
namespace {

std::string bucket(const std::string& inner) {
  return "<ServerSideEncryptionConfiguration>" + inner + "</ServerSideEncryptionConfiguration>";
}

std::string rule(const std::string& inner) { return bucket("<Rule>" + inner + "</Rule>"); }

std::string by_default(const std::string& inner) {
  return "<ApplyServerSideEncryptionByDefault>" + inner + "</ApplyServerSideEncryptionByDefault>";
}

TEST(BucketEncryption, ReadsWhatItWrites) {
  const auto kms =
      parse_bucket_encryption(
          rule(
              by_default("<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>") +
              "<BucketKeyEnabled>true</BucketKeyEnabled>"))
          .value();
  EXPECT_EQ(kms.sse, Sse::kKms);
  EXPECT_EQ(kms.key_id, "k");
  EXPECT_TRUE(kms.bucket_key);
  const auto again = parse_bucket_encryption(write_bucket_encryption(kms)).value();
  EXPECT_EQ(again.key_id, "k");
  EXPECT_TRUE(again.bucket_key);
  const auto blocked = parse_bucket_encryption(rule("<BlockedEncryptionTypes><EncryptionType>SSE-C<"
                                                    "/EncryptionType></BlockedEncryptionTypes>"))
                           .value();
  EXPECT_EQ(blocked.sse, Sse::kNone);
  EXPECT_TRUE(parse_bucket_encryption(write_bucket_encryption(blocked))->block_customer_keys);
  EXPECT_EQ(parse_bucket_encryption(rule(by_default("<SSEAlgorithm>AES256</SSEAlgorithm>")))->sse,
            Sse::kS3);
}

TEST(BucketEncryption, Refusals) {
  const auto code = [](const std::string& text) {
    return parse_bucket_encryption(text).error().code;
  };
  const std::string aes = by_default("<SSEAlgorithm>AES256</SSEAlgorithm>");
  EXPECT_EQ(code(bucket("")), ErrorCode::kMalformedXML);
  EXPECT_EQ(code(rule("")), ErrorCode::kMalformedXML);
  EXPECT_EQ(code(bucket("<Rule>" + aes + "</Rule><Rule>" + aes + "</Rule>")),
            ErrorCode::kMalformedXML);
  EXPECT_EQ(code(rule(by_default("<SSEAlgorithm>AES128</SSEAlgorithm>"))),
            ErrorCode::kMalformedXML);
  EXPECT_EQ(code(rule(by_default(""))), ErrorCode::kMalformedXML);
  EXPECT_EQ(code(rule(aes + "<BucketKeyEnabled>1</BucketKeyEnabled>")), ErrorCode::kMalformedXML);
  EXPECT_EQ(code(rule(by_default(
                "<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>"))),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(rule(by_default("<SSEAlgorithm>aws:kms:dsse</SSEAlgorithm>"))),
            ErrorCode::kNotImplemented);
  EXPECT_EQ(code(rule(aes + "<BlockedEncryptionTypes><EncryptionType>SSE-S3</EncryptionType></"
                            "BlockedEncryptionTypes>")),
            ErrorCode::kMalformedXML);
}

TEST(ObjectEncryption, WantsTheArnOfAKey) {
  const auto document = [](const std::string& arn, const std::string& more = "") {
    return "<ObjectEncryption><SSEKMS><KMSKeyArn>" + arn + "</KMSKeyArn>" + more +
           "</SSEKMS></ObjectEncryption>";
  };
  const auto parsed =
      parse_object_encryption(document("arn:aws:kms:us-east-1:123456789012:key/mine",
                                       "<BucketKeyEnabled>true</BucketKeyEnabled>"))
          .value();
  EXPECT_EQ(parsed.key_arn, "arn:aws:kms:us-east-1:123456789012:key/mine");
  EXPECT_TRUE(parsed.bucket_key);
  for (const char* other :
       {"mine", "alias/mine", "arn:aws:kms:us-east-1:123456789012:alias/mine",
        "arn:aws:s3:us-east-1:123456789012:key/mine", "arn:aws:kms:us-east-1:12345:key/mine",
        "arn:aws:kms:us-east-1:123456789012:key/"}) {
    EXPECT_EQ(parse_object_encryption(document(other)).error().code, ErrorCode::kInvalidArgument)
        << other;
  }
  EXPECT_EQ(parse_object_encryption("<ObjectEncryption/>").error().code, ErrorCode::kMalformedXML);
  EXPECT_EQ(parse_object_encryption(document("")).error().code, ErrorCode::kMalformedXML);
}

}  // namespace
}  // namespace rondel::s3
