#include "bench/request_maker.h"

#include <gtest/gtest.h>

#include "common/base/encoding.h"
#include "common/sigv4/sigv4.h"

namespace rondel::bench {
namespace {

const SystemTime kNow = *sigv4::parse_timestamp("20260102T030405Z");
const sigv4::Signer kSigner{{"AK", "SK"}, "us-east-1", kNow};

Options options_of() {
  Options options;
  options.endpoint.host = "127.0.0.1";
  options.endpoint.port = 9000;
  options.access_key = "AK";
  options.secret_key = "SK";
  return options;
}

std::string authorization_of(const std::string& head) {
  const size_t begin = head.find("Authorization: ") + 15;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

// The same signature as the client side of common/sigv4 makes.
std::string expected(std::string_view method, std::string_view path, sigv4::NameValues query,
                     std::string_view payload_hash) {
  const auto added = sigv4::sign(
      kSigner, {method, path, std::move(query), {{"host", "127.0.0.1:9000"}}, payload_hash});
  return added.back().second;
}

TEST(RequestMaker, SignsObjectRequests) {
  const Options options = options_of();
  RequestMaker maker(options);
  std::string head;
  maker.make({Operation::kPut, "a b/c+d", 10}, sigv4::kUnsignedPayload, kNow, head);
  EXPECT_TRUE(head.starts_with(
      "PUT /bench/a%20b/c%2Bd HTTP/1.1\r\nHost: 127.0.0.1:9000\r\nContent-Length: 10\r\n"))
      << head;
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
  EXPECT_EQ(authorization_of(head),
            expected("PUT", "/bench/a%20b/c%2Bd", {}, sigv4::kUnsignedPayload));
  maker.make({Operation::kHead, "k", 0}, sigv4::kEmptySha256, kNow, head);
  EXPECT_EQ(authorization_of(head), expected("HEAD", "/bench/k", {}, sigv4::kEmptySha256));
}

TEST(RequestMaker, SendsAndSignsHeadersOfPuts) {
  Options options = options_of();
  options.headers = {{"x-amz-tagging", "a=b"}, {"x-amz-acl", "private"}};
  RequestMaker maker(options);
  std::string head;
  maker.make({Operation::kPut, "k", 10}, sigv4::kUnsignedPayload, kNow, head);
  EXPECT_TRUE(head.contains("\r\nx-amz-tagging: a=b\r\nx-amz-acl: private\r\n")) << head;
  const sigv4::NameValues headers{
      {"host", "127.0.0.1:9000"}, {"x-amz-tagging", "a=b"}, {"x-amz-acl", "private"}};
  const auto added =
      sigv4::sign(kSigner, {"PUT", "/bench/k", {}, headers, sigv4::kUnsignedPayload});
  EXPECT_EQ(authorization_of(head), added.back().second);
  maker.make({Operation::kGet, "k", 0}, sigv4::kEmptySha256, kNow, head);
  EXPECT_FALSE(head.contains("x-amz-tagging"));
}

TEST(RequestMaker, SendsTheChecksumOfSignedBodies) {
  Options options = options_of();
  options.payload = Payload::kSigned;
  options.checksum = true;
  RequestMaker maker(options);
  std::string head;
  maker.make({Operation::kPut, "k", 0}, sigv4::kEmptySha256, kNow, head);
  EXPECT_TRUE(
      head.contains("\r\nx-amz-checksum-sha256: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\r\n"))
      << head;
}

TEST(RequestMaker, SignsListings) {
  Options options = options_of();
  options.delimiter = "/";
  options.list_prefix = "p/";
  RequestMaker maker(options);
  std::string head;
  maker.make({Operation::kList, "k&1", 0}, sigv4::kEmptySha256, kNow, head);
  EXPECT_TRUE(head.starts_with(
      "GET /bench?delimiter=%2F&list-type=2&max-keys=1000&prefix=p%2F&start-after=k%261 "
      "HTTP/1.1\r\n"))
      << head;
  EXPECT_EQ(authorization_of(head), expected("GET", "/bench",
                                             {{"list-type", "2"},
                                              {"max-keys", "1000"},
                                              {"delimiter", "/"},
                                              {"prefix", "p/"},
                                              {"start-after", "k&1"}},
                                             sigv4::kEmptySha256));
}

TEST(RequestMaker, SendsNoCredentialsWhenToldSo) {
  Options options = options_of();
  options.sign = false;
  RequestMaker maker(options);
  std::string head;
  maker.make({Operation::kGet, "k", 0}, sigv4::kEmptySha256, kNow, head);
  EXPECT_EQ(head, "GET /bench/k HTTP/1.1\r\nHost: 127.0.0.1:9000\r\n\r\n");
}

}  // namespace
}  // namespace rondel::bench
