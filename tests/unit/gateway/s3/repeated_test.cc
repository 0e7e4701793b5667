#include "gateway/s3/repeated.h"

#include <gtest/gtest.h>

namespace rondel::s3 {
namespace {

http::Fields twice(const std::string& name, const std::string& again) {
  http::Fields fields;
  fields.add("Host", "h");
  fields.add(name, "one");
  fields.add("x-other", "o");
  fields.add(again, "two");
  return fields;
}

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return text;
}

// Every header that a handler, a condition of a policy or a signature reads.
constexpr const char* kSingle[] = {
    "x-amz-acl",
    "x-amz-algorithm",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-bypass-governance-retention",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-mode",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-type",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-unmodified-since",
    "x-amz-copy-source-range",
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key-MD5",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-expected-bucket-owner",
    "x-amz-if-match-size",
    "x-amz-if-match-last-modified-time",
    "x-amz-metadata-directive",
    "x-amz-mfa",
    "x-amz-mp-object-size",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-object-ownership",
    "x-amz-rename-source",
    "x-amz-rename-source-if-match",
    "x-amz-request-payer",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-MD5",
    "x-amz-signature",
    "x-amz-source-expected-bucket-owner",
    "x-amz-storage-class",
    "x-amz-tagging",
    "x-amz-tagging-directive",
    "x-amz-trailer",
    "x-amz-transition-default-minimum-object-size",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
    "x-amz-never-heard-of",
    "Access-Control-Request-Method",
    "Authorization",
    "Content-Disposition",
    "Content-MD5",
    "Content-Type",
    "Date",
    "Expires",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Unmodified-Since",
    "Origin",
    "Range",
    "Referer",
    "User-Agent",
};

constexpr const char* kLists[] = {
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-meta-a",
    "x-amz-object-attributes",
    "x-amz-optional-object-attributes",
    "Access-Control-Request-Headers",
    "Cache-Control",
    "Content-Encoding",
    "Content-Language",
};

TEST(Repeated, AFieldWithOneValueComesOnce) {
  for (const std::string name : kSingle) {
    SCOPED_TRACE(name);
    EXPECT_TRUE(is_single_field(name));
    for (const std::string& again : {name, upper(name)}) {
      const auto checked = check_repeated(twice(name, again));
      ASSERT_FALSE(checked);
      EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
    }
    EXPECT_TRUE(check_repeated(twice(name, "x-amz-meta-else")));
  }
}

TEST(Repeated, ListsAreJoinedAtTheirFirstLine) {
  for (const std::string name : kLists) {
    SCOPED_TRACE(name);
    EXPECT_FALSE(is_single_field(name));
    EXPECT_TRUE(check_repeated(twice(name, upper(name))));
    const auto joined = joined_lists(twice(name, upper(name)));
    ASSERT_TRUE(joined);
    EXPECT_EQ(joined->find(name), "one,two");
    EXPECT_EQ(joined->find_all(name).size(), 1u);
    EXPECT_EQ(joined->size(), 3u);
    EXPECT_EQ(joined->begin()[1].first, name);
  }
  http::Fields once;
  for (const std::string name : kLists) once.add(name, "v");
  EXPECT_FALSE(joined_lists(once));
}

// What means nothing here may come as often as it likes.
TEST(Repeated, OtherFieldsAreLeftAlone) {
  const http::Fields fields = twice("X-Forwarded-For", "x-forwarded-for");
  EXPECT_TRUE(check_repeated(fields));
  EXPECT_FALSE(joined_lists(fields));
}

TEST(Repeated, AParameterComesOnce) {
  for (const char* const text :
       {"versionId=a&versionId=b", "acl&acl", "X-Amz-Date=1&x=2&X-Amz-Date=1",
        "prefix=a&prefix=", "uploadId=a&partNumber=1&%75ploadId=b",
        "response-content-type=a&response-content-type=b"}) {
    const auto checked = check_repeated(parse_query(text).value());
    ASSERT_FALSE(checked) << text;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(check_repeated(parse_query("a=1&b=1&A=1").value()));
}

}  // namespace
}  // namespace rondel::s3
