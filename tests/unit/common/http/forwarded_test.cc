#include "common/http/forwarded.h"

#include <gtest/gtest.h>

namespace rondel::http {
namespace {

IpRangeSet trusted() {
  IpRangeSet set;
  for (const char* range : {"10.0.0.0/8", "fd00::/8"}) set.add(*parse_ip_range(range));
  set.seal();
  return set;
}

std::string client_of(const std::vector<std::string>& lists) {
  Fields fields;
  for (const std::string& list : lists) fields.add("x-forwarded-for", list);
  const auto forwarded = parse_forwarded(fields, trusted());
  if (!forwarded) return "refused";
  return forwarded->client ? to_string(*forwarded->client) : "none";
}

TEST(Forwarded, TheRightMostUntrustedAddressIsTheClient) {
  EXPECT_EQ(client_of({}), "none");
  EXPECT_EQ(client_of({"203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(client_of({"1.1.1.1, 203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(client_of({"1.1.1.1,203.0.113.7 ,10.0.0.5,\t10.0.0.6"}), "203.0.113.7");
  EXPECT_EQ(client_of({"1.1.1.1", "203.0.113.7", "10.0.0.5"}), "203.0.113.7");
  EXPECT_EQ(client_of({"1.1.1.1, 203.0.113.7", "10.0.0.5"}), "203.0.113.7");
  // What the client wrote itself is not even read.
  EXPECT_EQ(client_of({"unknown, \"x\", 203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(client_of({"", "203.0.113.7"}), "203.0.113.7");
  // All trusted: the client is one of them.
  EXPECT_EQ(client_of({"10.0.0.7, 10.0.0.5"}), "10.0.0.7");
}

TEST(Forwarded, AddressesInTheFormsThatProxiesWrite) {
  EXPECT_EQ(client_of({"203.0.113.7:55555"}), "203.0.113.7");
  EXPECT_EQ(client_of({"2001:db8::1"}), "2001:db8::1");
  EXPECT_EQ(client_of({"[2001:db8::1]"}), "2001:db8::1");
  EXPECT_EQ(client_of({"[2001:DB8::1]:55555, [fd00::5]:1"}), "2001:db8::1");
  EXPECT_EQ(client_of({"::ffff:203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(client_of({"203.0.113.7, ::ffff:10.0.0.5"}), "203.0.113.7");
}

TEST(Forwarded, WhatATrustedProxyCannotHaveWrittenIsRefused) {
  for (const char* list : {"",
                           ",",
                           " ",
                           "203.0.113.7,",
                           "unknown",
                           "_hidden",
                           "1.2.3",
                           "1.2.3.4.5",
                           "256.1.1.1",
                           "01.2.3.4x",
                           "1.2.3.4:",
                           "1.2.3.4:x",
                           "1.2.3.4:65536",
                           "[1.2.3.4]",
                           "[::1",
                           "::1]",
                           "[::1]x",
                           "[::1]:",
                           "fe80::1%eth0",
                           "10.0.0.1/8",
                           "localhost",
                           "1.2.3.4 5.6.7.8",
                           "1.2.3.4;5.6.7.8",
                           "for=1.2.3.4",
                           "unknown, 10.0.0.5"}) {
    EXPECT_EQ(client_of({list}), "refused") << list;
  }
}

TEST(Forwarded, TheSchemeIsOneOfTwo) {
  const auto scheme = [](const std::vector<std::string>& values) -> std::string {
    Fields fields;
    for (const std::string& value : values) fields.add("X-Forwarded-Proto", value);
    const auto forwarded = parse_forwarded(fields, trusted());
    if (!forwarded) return "refused";
    return !forwarded->tls ? "none" : *forwarded->tls ? "https" : "http";
  };
  EXPECT_EQ(scheme({}), "none");
  EXPECT_EQ(scheme({"https"}), "https");
  EXPECT_EQ(scheme({"HTTPS"}), "https");
  EXPECT_EQ(scheme({"http"}), "http");
  for (const char* value : {"", "https,http", "https, https", "ws", "https x", "httpss"}) {
    EXPECT_EQ(scheme({value}), "refused") << value;
  }
  EXPECT_EQ(scheme({"https", "http"}), "refused");
  EXPECT_EQ(scheme({"https", "https"}), "refused");
}

}  // namespace
}  // namespace rondel::http
