#include "common/http/proxy_header.h"

#include <gtest/gtest.h>

#include "common/base/encoding.h"
#include "tests/unit/common/http/proxy_bytes.h"

namespace rondel::http {
namespace {

std::expected<ProxyHeader, std::string> parse(const std::string& bytes) {
  return parse_proxy_header(as_bytes(bytes));
}

// As HAProxy 2.9 and an AWS network load balancer send it, byte by byte.
TEST(ProxyHeader, GoldenBytes) {
  const auto v4 =
      parse(*from_hex("0d0a0d0a000d0a515549540a"
                      "21"
                      "11"
                      "000c"
                      "cb007107"
                      "0a000001"
                      "d903"
                      "01bb"));
  ASSERT_TRUE(v4) << v4.error();
  EXPECT_EQ(to_string(*v4->client), "203.0.113.7");
  EXPECT_EQ(v4->tls, std::nullopt);
  const auto v6 =
      parse(*from_hex("0d0a0d0a000d0a515549540a"
                      "21"
                      "21"
                      "0024"
                      "20010db8000000000000000000000001"
                      "fd000000000000000000000000000002"
                      "d903"
                      "01bb"));
  ASSERT_TRUE(v6) << v6.error();
  EXPECT_EQ(to_string(*v6->client), "2001:db8::1");
  const auto local =
      parse(*from_hex("0d0a0d0a000d0a515549540a"
                      "20"
                      "00"
                      "0000"));
  ASSERT_TRUE(local) << local.error();
  EXPECT_EQ(local->client, std::nullopt);
  // TLS 1.3 between client and proxy, a cipher, and the AWS field 0xEA.
  const auto tls =
      parse(*from_hex("0d0a0d0a000d0a515549540a"
                      "21"
                      "11"
                      "0045"
                      "cb007107"
                      "0a000001"
                      "d903"
                      "01bb"
                      "20"
                      "0028"
                      "01"
                      "00000000"
                      "21"
                      "0007"
                      "544c5376312e33"
                      "23"
                      "0016"
                      "544c535f4145535f3235365f47434d5f534841333834"
                      "ea"
                      "000b"
                      "0176706365"
                      "2d3031323334"));
  ASSERT_TRUE(tls) << tls.error();
  EXPECT_EQ(tls->tls, true);
  EXPECT_EQ(tls->tls_version, "1.3");
  EXPECT_EQ(tls->tls_cipher, "TLS_AES_256_GCM_SHA384");
}

TEST(ProxyHeader, AnIpv4AddressInIpv6IsOneOfIpv4) {
  const auto mapped = parse(proxy_header(0x21, 0x21,
                                         *from_hex("00000000000000000000ffffcb007107"
                                                   "00000000000000000000000000000001"
                                                   "00010002")));
  ASSERT_TRUE(mapped);
  EXPECT_EQ(to_string(*mapped->client), "203.0.113.7");
}

TEST(ProxyHeader, AnythingElseIsRefused) {
  const std::string v4 = *from_hex("cb0071070a000001d90301bb");
  const std::string v6 = std::string(36, 'x');
  const std::pair<const char*, std::string> cases[] = {
      {"empty", ""},
      {"signature alone", proxy_header(0x21, 0x11, v4).substr(0, 12)},
      {"another signature", "X" + proxy_header(0x21, 0x11, v4).substr(1)},
      {"version 1", "PROXY TCP4 203.0.113.7 10.0.0.1 55555 443\r\n"},
      {"version 3", proxy_header(0x31, 0x11, v4)},
      {"version 1 in the binary form", proxy_header(0x11, 0x11, v4)},
      {"unknown command", proxy_header(0x22, 0x11, v4)},
      {"unspecified family", proxy_header(0x21, 0x00, "")},
      {"unspecified family with addresses", proxy_header(0x21, 0x00, v4)},
      {"UDP", proxy_header(0x21, 0x12, v4)},
      {"UDP over IPv6", proxy_header(0x21, 0x22, v6)},
      {"unix socket", proxy_header(0x21, 0x31, std::string(216, 'x'))},
      {"unspecified transport", proxy_header(0x21, 0x10, v4)},
      {"addresses cut short", proxy_header(0x21, 0x11, v4.substr(1))},
      {"IPv6 with the addresses of IPv4", proxy_header(0x21, 0x21, v4)},
      {"bytes behind", proxy_header(0x21, 0x11, v4) + "x"},
      {"a byte missing", proxy_header(0x21, 0x11, v4).substr(0, 27)},
      {"too long",
       proxy_header(0x21, 0x11, v4 + proxy_field(0x04, std::string(kProxyHeaderRestMax, 'x')))},
      {"a field cut short", proxy_header(0x21, 0x11,
                                         v4 + std::string("\x04\x00\x05"
                                                          "abc",
                                                          6))},
      {"half a field's head", proxy_header(0x21, 0x11, v4 + std::string("\x04\x00", 2))},
      {"TLS field of four bytes",
       proxy_header(0x21, 0x11, v4 + proxy_field(0x20, std::string(4, '\0')))},
      {"TLS field cut short inside",
       proxy_header(0x21, 0x11,
                    v4 + proxy_field(0x20, std::string("\x01\0\0\0\0\x21\0\x09TLS", 11)))},
      {"line end in the cipher",
       proxy_header(0x21, 0x11, v4 + proxy_tls_field(true, "TLSv1.3", "A\r\nB"))},
      {"checksum of another length", proxy_header(0x21, 0x11, v4 + proxy_field(0x03, "abc"))},
      {"wrong checksum", proxy_header(0x21, 0x11, v4 + proxy_field(0x03, "abcd"))},
  };
  for (const auto& [name, bytes] : cases) EXPECT_FALSE(parse(bytes)) << name;
}

TEST(ProxyHeader, ARightChecksumIsTaken) {
  // Of the whole header with zeroes in the checksum's place; by an implementation of its own.
  std::string bytes = proxy_header(
      0x21, 0x11, *from_hex("cb0071070a000001d90301bb") + proxy_field(0x03, std::string(4, '\0')));
  uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
  }
  crc = ~crc;
  for (int i = 0; i < 4; ++i) {
    bytes[bytes.size() - 4 + static_cast<size_t>(i)] = static_cast<char>(crc >> (24 - 8 * i));
  }
  EXPECT_TRUE(parse(bytes)) << parse(bytes).error();
  bytes[16] ^= 1;
  EXPECT_FALSE(parse(bytes));
}

TEST(ProxyHeader, SaysWhetherTheClientCameOverTls) {
  const std::string v4 = *from_hex("cb0071070a000001d90301bb");
  const auto plain = parse(proxy_header(0x21, 0x11, v4 + proxy_tls_field(false, "TLSv1.3", "X")));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->tls, false);
  EXPECT_EQ(plain->tls_version, "");
  const auto tls = parse(proxy_header(0x21, 0x11, v4 + proxy_tls_field(true, "TLSv1.2", "X")));
  ASSERT_TRUE(tls);
  EXPECT_EQ(tls->tls, true);
  EXPECT_EQ(tls->tls_version, "1.2");
}

}  // namespace
}  // namespace rondel::http
