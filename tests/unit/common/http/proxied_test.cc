// Whom a connection is taken for: by PROXY headers and forwarded fields, and from whom they are
// believed.
#include <gtest/gtest.h>

#include "common/async/loop_threads.h"
#include "common/http/server.h"
#include "tests/unit/common/http/listening_test.h"
#include "tests/unit/common/http/proxy_bytes.h"
#include "tests/unit/common/http/raw_socket.h"

namespace rondel::http {
namespace {

using namespace std::chrono_literals;

IpRangeSet networks(std::initializer_list<const char*> ranges) {
  IpRangeSet set;
  for (const char* range : ranges) set.add(*parse_ip_range(range));
  set.seal();
  return set;
}

class ProxiedTest : public ListeningTest {
 protected:
  void start(std::initializer_list<const char*> proxy_protocol,
             std::initializer_list<const char*> trusted, const std::string& address = "127.0.0.1") {
    ServerOptions options;
    options.address = address;
    options.proxy_protocol = networks(proxy_protocol);
    options.trusted_proxies = networks(trusted);
    start_server(std::move(options), [](Exchange& exchange) { return answer(exchange); });
  }

  static async::Task<void> answer(Exchange& exchange) {
    const ConnectionInfo& info = exchange.connection();
    (void)co_await exchange.respond(
        {}, info.peer_address +
                (info.tls ? " tls " + info.tls_version + " " + info.tls_cipher : " plain"));
  }

  // Status, or whom the server takes it for.
  std::string ask(const std::string& before, const std::string& fields = "") {
    auto socket = RawSocket::connect(server_->port());
    return ask_on(socket, before, fields);
  }

  static std::string ask_on(RawSocket& socket, const std::string& before,
                            const std::string& fields) {
    socket.send(before + "GET / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n");
    const std::string response = socket.read_response();
    const size_t end = response.find("\r\n\r\n");
    if (end == std::string::npos) return "cut";
    return response.starts_with("HTTP/1.1 200") ? response.substr(end + 4) : response.substr(9, 3);
  }
};

TEST_F(ProxiedTest, FromNetworksWithoutProxiesNothingIsBelieved) {
  start({"10.0.0.0/8"}, {"10.0.0.0/8"});
  EXPECT_EQ(ask(""), "127.0.0.1 plain");
  EXPECT_EQ(ask("", "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n"),
            "127.0.0.1 plain");
  EXPECT_EQ(ask("", "X-Forwarded-For: nonsense\r\nX-Forwarded-Proto: nonsense\r\n"),
            "127.0.0.1 plain");
  EXPECT_EQ(ask("", "Forwarded: for=203.0.113.7;proto=https\r\nX-Real-IP: 203.0.113.7\r\n"),
            "127.0.0.1 plain");
  EXPECT_EQ(ask(proxy_from(203, 0, 113, 7)), "400");
  EXPECT_EQ(ask(proxy_header(0x20, 0, "")), "400");
  EXPECT_EQ(ask("PROXY TCP4 203.0.113.7 10.0.0.1 1 2\r\n"), "400");
  EXPECT_EQ(server_->status().malformed_total, 3u);
}

TEST_F(ProxiedTest, AProxyHeaderNamesTheClientForAllRequestsOfAConnection) {
  start({"127.0.0.0/8"}, {});
  auto socket = RawSocket::connect(server_->port());
  EXPECT_EQ(ask_on(socket, proxy_from(203, 0, 113, 7), ""), "203.0.113.7 plain");
  EXPECT_EQ(ask_on(socket, "", "X-Forwarded-For: 1.1.1.1\r\n"), "203.0.113.7 plain");
  EXPECT_EQ(ask(proxy_header(0x20, 0, "")), "127.0.0.1 plain");
  EXPECT_EQ(
      ask(proxy_from(203, 0, 113, 7, proxy_tls_field(true, "TLSv1.3", "TLS_AES_128_GCM_SHA256"))),
      "203.0.113.7 tls 1.3 TLS_AES_128_GCM_SHA256");
  // A second header is no request.
  EXPECT_EQ(ask_on(socket, proxy_from(1, 1, 1, 1), ""), "400");
}

TEST_F(ProxiedTest, AProxyNetworkWithoutTheHeaderIsRefused) {
  start({"127.0.0.0/8"}, {"127.0.0.0/8"});
  EXPECT_EQ(ask(""), "400");
  EXPECT_EQ(ask("\r\n"), "400");
  EXPECT_EQ(ask("PROXY TCP4 203.0.113.7 10.0.0.1 1 2\r\n"), "400");
  EXPECT_EQ(ask(proxy_header(0x21, 0x00, "")), "400");
  EXPECT_EQ(ask(proxy_header(0x31, 0x11, std::string(12, 'x'))), "400");
  EXPECT_EQ(ask(proxy_from(1, 1, 1, 1, "x")), "400");
  EXPECT_EQ(ask(proxy_from(1, 1, 1, 1, proxy_field(4, std::string(4000, 'x')))), "400");
}

TEST_F(ProxiedTest, TrustedProxiesAreBelievedRequestByRequest) {
  start({}, {"127.0.0.0/8", "10.0.0.0/8"});
  auto socket = RawSocket::connect(server_->port());
  EXPECT_EQ(ask_on(socket, "", "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n"),
            "203.0.113.7 tls  ");
  EXPECT_EQ(ask_on(socket, "", "X-Forwarded-For: 1.1.1.1, 203.0.113.8, 10.0.0.9\r\n"),
            "203.0.113.8 plain");
  EXPECT_EQ(ask_on(socket, "", ""), "127.0.0.1 plain");
  EXPECT_EQ(ask_on(socket, "", "X-Forwarded-For: 203.0.113.7, x\r\n"), "400");
  EXPECT_EQ(ask("", "X-Forwarded-Proto: ftp\r\n"), "400");
}

TEST_F(ProxiedTest, WhomAProxyHeaderNamesIsThePeerThatForwards) {
  start({"127.0.0.0/8"}, {"10.0.0.0/8"});
  const std::string forwarded = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n";
  EXPECT_EQ(ask(proxy_from(10, 0, 0, 1), forwarded), "203.0.113.7 tls  ");
  EXPECT_EQ(ask(proxy_from(11, 0, 0, 1), forwarded), "11.0.0.1 plain");
}

TEST_F(ProxiedTest, AllAddressesTakesBothKinds) {
  start({}, {}, "::");
  EXPECT_EQ(ask(""), "127.0.0.1 plain");
  auto socket = RawSocket::connect_v6(server_->port());
  EXPECT_EQ(ask_on(socket, "", ""), "::1 plain");
}

TEST_F(ProxiedTest, OneIpv6AddressTakesThatAlone) {
  start({}, {"::1/128"}, "::1");
  EXPECT_EQ(ask(""), "cut");
  auto socket = RawSocket::connect_v6(server_->port());
  EXPECT_EQ(ask_on(socket, "", "X-Forwarded-For: 2001:db8::1\r\n"), "2001:db8::1 plain");
}

}  // namespace
}  // namespace rondel::http
