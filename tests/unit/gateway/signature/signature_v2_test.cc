#include "gateway/signature/signature_v2.h"

#include <gtest/gtest.h>

#include "gateway/s3/operation.h"
#include "tests/fakes/manual_clock.h"

namespace rondel::signature {
namespace {

// The worked examples of the developer guide.
const std::string kSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const fakes::ManualClock kClock(std::chrono::sys_days(std::chrono::year(2007) / 3 / 27) +
                                std::chrono::hours(20));

http::RequestHead head(std::string method, std::string target,
                       std::vector<std::pair<std::string, std::string>> fields) {
  http::RequestHead out;
  out.method = std::move(method);
  out.target = std::move(target);
  for (auto& [name, value] : fields) out.fields.add(name, value);
  return out;
}

AuthenticatorOptions options() {
  AuthenticatorOptions out;
  out.clock = &kClock;
  out.skew_max = std::chrono::hours(24 * 30);
  return out;
}

std::string verdict(const http::RequestHead& request, const QueryParameters& query,
                    std::string_view bucket) {
  const auto claim = claim_v2(request, query, bucket, options());
  if (!claim) return claim.error().message;
  if (!*claim) return "none";
  const auto checked = check_signature_v2(**claim, kSecret);
  return checked ? "ok" : (*claim)->string_to_sign;
}

TEST(SignatureV2, ExamplesOfTheGuide) {
  EXPECT_EQ(
      verdict(head("GET", "/photos/puppy.jpg",
                   {{"Date", "Tue, 27 Mar 2007 19:36:42 +0000"},
                    {"Authorization", "AWS AKIAIOSFODNN7EXAMPLE:bWq2s1WEIj+Ydj0vQ697zp+IXMU="}}),
              {}, "johnsmith"),
      "ok");
  EXPECT_EQ(
      verdict(head("PUT", "/photos/puppy.jpg",
                   {{"Content-Type", "image/jpeg"},
                    {"Content-Length", "94328"},
                    {"Date", "Tue, 27 Mar 2007 21:15:45 +0000"},
                    {"Authorization", "AWS AKIAIOSFODNN7EXAMPLE:MyyxeRY7whkBe+bq8fHCL/2kKUg="}}),
              {}, "johnsmith"),
      "ok");
  EXPECT_EQ(
      verdict(head("GET", "/?prefix=photos&max-keys=50&marker=puppy",
                   {{"Date", "Tue, 27 Mar 2007 19:42:41 +0000"},
                    {"Authorization", "AWS AKIAIOSFODNN7EXAMPLE:htDYFYduRNen8P9ZfE/s9SuKy0U="}}),
              {{"prefix", "photos"}, {"max-keys", "50"}, {"marker", "puppy"}}, "johnsmith"),
      "ok");
  EXPECT_EQ(
      verdict(head("GET", "/?acl",
                   {{"Date", "Tue, 27 Mar 2007 19:44:46 +0000"},
                    {"Authorization", "AWS AKIAIOSFODNN7EXAMPLE:c2WLPFtWHVgbEmeEG93a4cG37dM="}}),
              {{"acl", ""}}, "johnsmith"),
      "ok");
}

TEST(SignatureV2, TextThatIsSigned) {
  const auto claim = claim_v2(head("DELETE", "/b/k%20y?versionId=v&uploads&x=1",
                                   {{"Date", "ignored"},
                                    {"X-Amz-Date", "Tue, 27 Mar 2007 21:20:27 +0000"},
                                    {"X-Amz-Meta-B", "2"},
                                    {"x-amz-meta-a", "1"},
                                    {"x-amz-meta-b", "3"},
                                    {"Content-MD5", "m"},
                                    {"Authorization", "AWS a:b:c"}}),
                              {{"versionId", "v"}, {"uploads", ""}, {"x", "1"}}, "", options());
  ASSERT_TRUE(claim && *claim);
  EXPECT_EQ((*claim)->access_key, "a:b");
  EXPECT_EQ((*claim)->string_to_sign,
            "DELETE\nm\n\n\nx-amz-date:Tue, 27 Mar 2007 21:20:27 "
            "+0000\nx-amz-meta-a:1\nx-amz-meta-b:2,3\n/b/k%20y?uploads&versionId=v");
}

TEST(SignatureV2, Refusals) {
  const QueryParameters query{
      {"AWSAccessKeyId", "a"}, {"Signature", "s"}, {"Expires", "1175024202"}};
  EXPECT_EQ(verdict(head("GET", "/b", {}), query, ""), "Request has expired");
  EXPECT_EQ(verdict(head("GET", "/b", {}),
                    {{"AWSAccessKeyId", "a"}, {"Signature", "s"}, {"Expires", "x"}}, ""),
            "Invalid date (should be seconds since epoch): x");
  EXPECT_EQ(
      verdict(head("GET", "/b", {}), {{"AWSAccessKeyId", "a"}, {"Signature", "s"}}, ""),
      "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters");
  EXPECT_TRUE(verdict(head("GET", "/b", {{"Authorization", "AWS a:b"}}), query, "")
                  .starts_with("Only one auth mechanism"));
  EXPECT_EQ(verdict(head("GET", "/b", {{"Authorization", "AWS a:b"}}), {}, ""),
            "AWS authentication requires a valid Date or x-amz-date header");
  EXPECT_EQ(verdict(head("GET", "/b",
                         {{"Authorization", "AWS a:b"}, {"Date", "Tue, 27 Mar 2001 19:36:42 GMT"}}),
                    {}, ""),
            "The difference between the request time and the current time is too large.");
  for (const char* bad : {"AWS ", "AWS a", "AWS :b", "AWS a:"}) {
    EXPECT_TRUE(verdict(head("GET", "/b", {{"Authorization", bad}}), {}, "")
                    .starts_with("AWS authorization header is invalid."))
        << bad;
  }
  EXPECT_EQ(verdict(head("GET", "/b", {{"Authorization", "AWS4-HMAC-SHA256 x"}}), {}, ""), "none");
  EXPECT_EQ(verdict(head("GET", "/b", {}), {}, ""), "none");
}

// A URL that is signed for one operation is good for no other.
TEST(SignatureV2, WhateverSelectsAnOperationIsSigned) {
  for (const s3::OperationRow& row : s3::all_operations()) {
    if (row.sub_resource.empty() || row.sub_resource == "x-amz-copy-source" ||
        row.sub_resource == "list-type") {
      continue;
    }
    const std::string name(row.sub_resource);
    QueryParameters query{{"AWSAccessKeyId", "A"}, {"Signature", "s"}, {"Expires", "4000000000"}};
    const auto plain = claim_v2(head("GET", "/box/k", {}), query, "", options());
    query.emplace_back(name, "");
    const auto selecting = claim_v2(head("GET", "/box/k?" + name, {}), query, "", options());
    ASSERT_TRUE(plain && *plain && selecting && *selecting) << name;
    EXPECT_NE((*plain)->string_to_sign, (*selecting)->string_to_sign) << name;
    EXPECT_TRUE((*selecting)->string_to_sign.ends_with("/box/k?" + name)) << name;
  }
}

}  // namespace
}  // namespace rondel::signature
