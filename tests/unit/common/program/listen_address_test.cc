#include "common/program/listen_address.h"

#include <gtest/gtest.h>

namespace rondel::program {
namespace {

const config::Schema& schema() {
  static const config::Schema made(
      {{"a.listen", config::Type::kString, "127.0.0.1:80", "Where it listens"}});
  return made;
}

Result<ListenAddress> parsed(const std::string& text) {
  auto settings = config::Settings::load(schema(), {"", {}, {"a.listen=" + text}});
  if (!settings) return std::unexpected(settings.error());
  return listen_address(*settings, "a.listen");
}

TEST(ListenAddress, IsAHostAndAPort) {
  const struct {
    const char* text;
    const char* host;
    uint16_t port;
  } cases[] = {{"127.0.0.1:9000", "127.0.0.1", 9000},
               {"localhost:0", "localhost", 0},
               {"[::]:9000", "::", 9000},
               {"[::1]:65535", "::1", 65535}};

  for (const auto& c : cases) {
    const auto address = parsed(c.text);
    ASSERT_TRUE(address) << c.text;
    EXPECT_EQ(address->host, c.host) << c.text;
    EXPECT_EQ(address->port, c.port) << c.text;
    EXPECT_EQ(address->text(), c.text);
  }
}

TEST(ListenAddress, AnythingElseIsRefusedByItsKey) {
  for (const char* text : {"localhost", ":80", "localhost:", "localhost:65536", "localhost:-1",
                           "localhost:8x", "localhost:99999999999999999999", "::1:80", "[::1]",
                           "[::1:80", "[localhost]:80", "[]:80", "[1.2.3.4]:80", "::1]:80"}) {
    const auto address = parsed(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, ErrorCode::kInvalidArgument) << text;
    EXPECT_TRUE(address.error().message.contains("a.listen")) << address.error().message;
  }
}

TEST(ListenAddress, WhatMeansEveryAddressIsNothingToCall) {
  for (const char* host :
       {"0.0.0.0", "::", "0:0:0:0:0:0:0:0", "::0", "::ffff:0.0.0.0", "0", "*", ""}) {
    EXPECT_TRUE(is_wildcard(host)) << host;
  }
  for (const char* host : {"127.0.0.1", "::1", "node-1", "10.0.0.0", "localhost"}) {
    EXPECT_FALSE(is_wildcard(host)) << host;
  }
}

}  // namespace
}  // namespace rondel::program
