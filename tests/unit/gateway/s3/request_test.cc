// Which operation on which bucket and key a request means.
#include "gateway/s3/request.h"

#include <gtest/gtest.h>

namespace rondel::s3 {
namespace {

http::RequestHead head(std::string method, std::string target, std::string host = "s3.test",
                       bool copy = false) {
  http::RequestHead out;
  out.method = std::move(method);
  out.target = std::move(target);
  out.fields.add("Host", std::move(host));
  if (copy) out.fields.add("x-amz-copy-source", "/b/k");
  return out;
}

S3Result<Request> ask(std::string method, std::string target, bool copy = false) {
  return route(head(std::move(method), std::move(target), "s3.test", copy), {});
}

std::string operation(std::string method, std::string target, bool copy = false) {
  const auto request = ask(std::move(method), std::move(target), copy);
  return std::string(request ? row(request->operation).name : name(request.error().code));
}

std::string key_of(std::string path, std::string host = "s3.test", std::string base = "") {
  const auto request =
      route(head("GET", std::move(path), std::move(host)), {.virtual_host_base = std::move(base)});
  return request ? request->bucket + " | " + request->key : std::string(name(request.error().code));
}

TEST(Route, KeysAreOpaque) {
  EXPECT_EQ(key_of("/bucket/a"), "bucket | a");
  EXPECT_EQ(key_of("/bucket/a/"), "bucket | a/");
  EXPECT_EQ(key_of("/bucket//a"), "bucket | /a");
  EXPECT_EQ(key_of("/bucket/a//../b/"), "bucket | a//../b/");
  EXPECT_EQ(key_of("/bucket/."), "bucket | .");
  EXPECT_EQ(key_of("/bucket/.."), "InvalidURI") << "above the bucket";
  EXPECT_EQ(key_of("/bucket/a%2Fb%20c+d"), "bucket | a/b c+d");
  EXPECT_EQ(key_of("/bucket/%C3%A9"), "bucket | \xC3\xA9");
  EXPECT_EQ(key_of("/bucket/a%00b"), std::string("bucket | a\0b", 12));
  EXPECT_EQ(key_of("/bucket/a?b=c"), "bucket | a");
  EXPECT_EQ(key_of("/bucket/a%3Fb"), "bucket | a?b");
}

TEST(Route, AddressesThatAreNoneAreRefused) {
  EXPECT_EQ(key_of("/bucket/%"), "InvalidURI");
  EXPECT_EQ(key_of("/bucket/%4"), "InvalidURI");
  EXPECT_EQ(key_of("/bucket/%zz"), "InvalidURI");
  EXPECT_EQ(key_of("/bucket/%C3"), "InvalidURI") << "not UTF-8";
  EXPECT_EQ(key_of("/bucket/k?a=%zz"), "InvalidURI");
  EXPECT_EQ(key_of("*"), "InvalidURI");
  EXPECT_EQ(key_of("/bucket%2Fkey"), "InvalidBucketName")
      << "the slash behind the bucket is sent as such";
  EXPECT_EQ(key_of("//key"), "InvalidBucketName") << "no bucket is not the service";
  EXPECT_EQ(key_of("//"), "InvalidBucketName");
  EXPECT_EQ(key_of("/bucket/" + std::string(1024, 'k')).size(), 9 + 1024u);
  EXPECT_EQ(key_of("/bucket/" + std::string(1025, 'k')), "KeyTooLongError");
  std::string encoded = "/bucket/";
  for (int i = 0; i < 1024; ++i) encoded += "%41";
  EXPECT_EQ(key_of(encoded), "bucket | " + std::string(1024, 'A'))
      << "the length counts decoded bytes";
}

TEST(Route, VirtualHostsNameTheBucket) {
  const std::string base = "example.test";
  EXPECT_EQ(key_of("/a//b", "bucket.example.test", base), "bucket | a//b");
  EXPECT_EQ(key_of("/a", "bucket.example.test:9000", base), "bucket | a");
  EXPECT_EQ(key_of("/a", "my.bucket.example.test", base), "my.bucket | a");
  EXPECT_EQ(key_of("/", "bucket.example.test", base), "bucket | ");
  EXPECT_EQ(key_of("/bucket/a", "example.test", base), "bucket | a");
  EXPECT_EQ(key_of("/bucket/a", "other.test", base), "bucket | a");
  EXPECT_EQ(key_of("/bucket/a", "bucket.example.test", ""), "bucket | a");
  EXPECT_EQ(key_of("/bucket/a", "badexample.test", base), "bucket | a");
  EXPECT_EQ(key_of("/a", "UPPER_.example.test", base), "InvalidBucketName");
  EXPECT_EQ(key_of("/bucket/a", "[::1]:9000", base), "bucket | a");
}

TEST(Route, MethodAndSubResourceMakeTheOperation) {
  EXPECT_EQ(operation("GET", "/"), "ListBuckets");
  EXPECT_EQ(operation("GET", "/bucket"), "ListObjects");
  EXPECT_EQ(operation("GET", "/bucket/"), "ListObjects");
  EXPECT_EQ(operation("GET", "/bucket?list-type=2&prefix=a"), "ListObjectsV2");
  EXPECT_EQ(operation("GET", "/bucket?list-type=3"), "InvalidArgument");
  EXPECT_EQ(operation("GET", "/bucket?uploads"), "ListMultipartUploads");
  EXPECT_EQ(operation("GET", "/bucket?uploads="), "ListMultipartUploads");
  EXPECT_EQ(operation("POST", "/bucket?delete"), "DeleteObjects");
  EXPECT_EQ(operation("PUT", "/bucket/k"), "PutObject");
  EXPECT_EQ(operation("PUT", "/bucket/k", true), "CopyObject");
  EXPECT_EQ(operation("PUT", "/bucket/k?partNumber=1&uploadId=u"), "UploadPart");
  EXPECT_EQ(operation("PUT", "/bucket/k?partNumber=1&uploadId=u", true), "UploadPartCopy");
  EXPECT_EQ(operation("POST", "/bucket/k?uploads"), "CreateMultipartUpload");
  EXPECT_EQ(operation("POST", "/bucket/k?uploadId=u"), "CompleteMultipartUpload");
  EXPECT_EQ(operation("DELETE", "/bucket/k?uploadId=u"), "AbortMultipartUpload");
  EXPECT_EQ(operation("GET", "/bucket/k?uploadId=u"), "ListParts");
  EXPECT_EQ(operation("GET", "/bucket/k?response-content-type=a"), "GetObject");
  EXPECT_EQ(operation("GET", "/bucket/k?X-Amz-Signature=a"), "GetObject");
  EXPECT_EQ(operation("HEAD", "/bucket/k?partNumber=1"), "HeadObject");
}

TEST(Route, NamesOfHostsHaveNoCase) {
  for (const char* host :
       {"bucket.s3.example.test", "bucket.S3.EXAMPLE.TEST", "BUCKET.s3.example.test:9000",
        "bucket.s3.example.test.", "bucket.S3.example.test.:80"}) {
    for (const char* base : {"s3.example.test", "S3.Example.Test", "s3.example.test."}) {
      EXPECT_EQ(key_of("/a/B", host, base), "bucket | a/B") << host << " " << base;
    }
  }
  for (const char* host : {"s3.example.test", "S3.EXAMPLE.TEST.", "bucket.s3.example.test.org",
                           "buckets3.example.test", "bucket.s3.example.test..", "[::1]:80"}) {
    EXPECT_EQ(key_of("/bucket/B", host, "s3.example.test"), "bucket | B") << host;
  }
}

TEST(Route, OtherMethodsAreNotAllowed) {
  for (const char* method : {"PATCH", "TRACE", "PROPFIND", "get"}) {
    EXPECT_EQ(operation(method, "/bucket/k"), "MethodNotAllowed") << method;
  }
  EXPECT_EQ(operation("POST", "/"), "MethodNotAllowed");
  EXPECT_EQ(operation("PUT", "/"), "MethodNotAllowed");
  EXPECT_EQ(operation("POST", "/bucket/k"), "MethodNotAllowed");
  EXPECT_EQ(operation("DELETE", "/bucket/k?uploads"), "MethodNotAllowed");
}

// Every row of the table is reached by what it says, so that none answers for another.
TEST(Route, EveryOperationIsReached) {
  for (const OperationRow& row : all_operations()) {
    // Chosen by a header.
    if (row.sub_resource.starts_with("x-amz-") || row.name == "UploadPartCopy") continue;
    std::string target = row.level == Level::kService  ? "/"
                         : row.level == Level::kBucket ? "/bucket"
                                                       : "/bucket/k";
    if (!row.sub_resource.empty()) {
      target += "?" + std::string(row.sub_resource) + (row.sub_resource == "list-type" ? "=2" : "");
    }
    const std::string reached = operation(std::string(row.method), target);
    if (reached == row.name) continue;
    // Operations that share method and parameter differ by further parameters only.
    const auto other = ask(std::string(row.method), target);
    ASSERT_TRUE(other) << row.name << " by " << row.method << " " << target;
    EXPECT_EQ(s3::row(other->operation).sub_resource, row.sub_resource) << row.name;
    EXPECT_TRUE(row.action.starts_with("s3:")) << row.name;
  }
}

TEST(ParseQuery, KeepsOrderAndDecodes) {
  const auto query = parse_query("b=1&a=x%26y&&c&d=a+b%2B&a=2");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->parameters,
            (std::vector<std::pair<std::string, std::string>>{
                {"b", "1"}, {"a", "x&y"}, {"c", ""}, {"d", "a b+"}, {"a", "2"}}));
  EXPECT_EQ(query->find("a"), "x&y");
  EXPECT_TRUE(query->has("c"));
  EXPECT_FALSE(query->has("A"));
  EXPECT_TRUE(parse_query("")->parameters.empty());
}

TEST(BucketNames, FollowTheRules) {
  for (const std::string& good :
       {std::string("abc"), std::string(63, 'a'), std::string("a.b-c9"), std::string("a-b.c"),
        std::string("1bucket"), std::string("a--b"), std::string("1.2.3")}) {
    EXPECT_TRUE(is_valid_bucket_name(good)) << good;
  }
  for (const std::string& bad :
       {std::string(""), std::string("ab"), std::string(64, 'a'), std::string("Abc"),
        std::string("a_b"), std::string("-abc"), std::string("abc-"), std::string(".abc"),
        std::string("abc."), std::string("a..b"), std::string("a.-b"), std::string("a-.b"),
        std::string("192.168.1.1"), std::string("a b"), std::string("a\0b", 3),
        std::string("\xC3\xA9xyz"), std::string("xn--abc"), std::string("abc-s3alias"),
        std::string("abc--x-s3")}) {
    EXPECT_FALSE(is_valid_bucket_name(bad)) << bad;
  }
}

}  // namespace
}  // namespace rondel::s3
