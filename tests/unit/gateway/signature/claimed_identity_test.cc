#include "gateway/signature/claimed_identity.h"

#include <gtest/gtest.h>

namespace rondel::signature {
namespace {

using Values = std::vector<std::pair<std::string, std::string>>;

std::string of(const ClaimedIdentity& claim) {
  return std::string(claim.authentication) + " " + claim.access_key_id;
}

std::string by_header(const std::string& authorization) {
  http::Fields fields;
  fields.add("authorization", authorization);
  return of(claimed_identity(fields, {{"AWSAccessKeyId", "other"}}));
}

TEST(ClaimedIdentity, IsReadOffWhatIsThere) {
  EXPECT_EQ(of(claimed_identity({}, {})), "none ");
  EXPECT_EQ(by_header("AWS4-HMAC-SHA256 Credential=AKID/20130524/us-east-1/s3/aws4_request, "
                      "SignedHeaders=host, Signature=00"),
            "v4-header AKID");
  EXPECT_EQ(
      by_header(
          "AWS4-HMAC-SHA256 "
          "SignedHeaders=host,Credential=AKID/20130524/us-east-1/s3/aws4_request,Signature=00"),
      "v4-header AKID");
  EXPECT_EQ(by_header("AWS AKID:c2ln"), "v2-header AKID");
  EXPECT_EQ(
      of(claimed_identity({}, {{"X-Amz-Credential", "AKID/20130524/us-east-1/s3/aws4_request"}})),
      "v4-query AKID");
  EXPECT_EQ(of(claimed_identity({}, {{"AWSAccessKeyId", "AKID"}, {"Signature", "x"}})),
            "v2-query AKID");
  EXPECT_EQ(of(claimed_by_form({{"x-amz-credential", "AKID/20130524/us-east-1/s3/aws4_request"}})),
            "v4-form AKID");
  EXPECT_EQ(of(claimed_by_form({{"awsaccesskeyid", "AKID"}})), "v2-form AKID");
  EXPECT_EQ(of(claimed_by_form({{"key", "k"}})), "none ");
}

TEST(ClaimedIdentity, NonsenseIsKeptAsItIs) {
  EXPECT_EQ(by_header(""), "unknown ");
  EXPECT_EQ(by_header("Bearer abc"), "unknown ");
  EXPECT_EQ(by_header("AWS4-HMAC-SHA256"), "v4-header ");
  EXPECT_EQ(by_header("AWS4-HMAC-SHA256 Credential="), "v4-header ");
  EXPECT_EQ(by_header("AWS4-HMAC-SHA256 Credential=AKID"), "v4-header AKID");
  EXPECT_EQ(by_header("AWS nothing"), "v2-header nothing");
}

}  // namespace
}  // namespace rondel::signature
