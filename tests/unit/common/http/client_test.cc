// The client against servers that behave and that do not.
#include "common/http/client.h"

#include <gtest/gtest.h>

#include <thread>

#include "common/async/event_loop.h"
#include "tests/unit/common/http/raw_socket.h"

namespace rondel::http {
namespace {

using namespace std::chrono_literals;

TEST(EndpointTest, ParsesAddresses) {
  const auto plain = Endpoint::parse("http://host:81/");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "host");
  EXPECT_EQ(plain->port, 81);
  EXPECT_FALSE(plain->tls);
  EXPECT_EQ(Endpoint::parse("https://host")->port, 443);
  EXPECT_TRUE(Endpoint::parse("https://host")->tls);
  for (const char* bad :
       {"", "host:80", "ftp://host", "http://", "http://:80", "http://host:", "http://host:0",
        "http://host:99999", "http://host:8x", "http://host/path"}) {
    EXPECT_EQ(Endpoint::parse(bad).error().code, ErrorCode::kInvalidArgument) << bad;
  }
}

TEST(EndpointTest, Ipv6StandsInBrackets) {
  const auto endpoint = Endpoint::parse("http://[::1]:81/");
  ASSERT_TRUE(endpoint) << endpoint.error().message;
  EXPECT_EQ(endpoint->host, "::1");
  EXPECT_EQ(endpoint->port, 81);
  EXPECT_EQ(endpoint->authority(), "[::1]:81");
  EXPECT_EQ(Endpoint::parse("https://[2001:db8::1]")->authority(), "[2001:db8::1]:443");
  EXPECT_EQ(Endpoint::parse("http://host")->authority(), "host:80");
  for (const char* bad :
       {"http://::1:80", "http://[::1", "http://[::1]x", "http://[::1]80", "http://[host]:80",
        "http://[]:80", "http://[1.2.3.4]:80", "http://h:1:2"}) {
    EXPECT_FALSE(Endpoint::parse(bad)) << bad;
  }
}

TEST(EndpointTest, KnowsWhatStaysOnThisMachine) {
  for (const char* local : {"http://127.0.0.1", "http://127.9.8.7:80", "http://localhost:80",
                            "http://LOCALHOST", "http://[::1]:80", "http://[::ffff:127.0.0.1]"}) {
    EXPECT_TRUE(Endpoint::parse(local)->is_loopback()) << local;
  }
  for (const char* remote : {"http://10.0.0.1", "http://vault:80", "http://localhost.example.test",
                             "http://[fe80::1]", "http://128.0.0.1", "http://127.example"}) {
    EXPECT_FALSE(Endpoint::parse(remote)->is_loopback()) << remote;
  }
}

// One connection: what the server is sent, and what it says for each request.
class ClientTest : public ::testing::Test {
 protected:
  // Answers each script on a connection of its own, in order; `cut` ends a connection without an
  // orderly end.
  void serve(std::vector<std::vector<std::string>> connections) {
    server_ = std::thread([this, connections = std::move(connections)] {
      for (const auto& answers : connections) {
        RawSocket socket = listener_.accept();
        for (const std::string& answer : answers) {
          requests_ += socket.read_until("\r\n\r\n");
          socket.send(answer);
        }
      }
    });
  }

  ~ClientTest() override {
    if (server_.joinable()) server_.join();
  }

  async::Task<std::vector<Result<ClientResponse>>> ask(int times, std::string method = "GET",
                                                       Duration limit = 60s) {
    auto client = ClientConnection::make({.host = "127.0.0.1", .port = listener_.port()});
    std::vector<Result<ClientResponse>> out;
    for (int i = 0; i < times; ++i) {
      RequestHead head;
      head.method = method;
      head.target = "/x";
      head.fields.add("Host", "h");
      out.push_back(co_await client->request(head, {}, deadline_in(limit)));
    }
    co_return out;
  }

  RawListener listener_;
  std::thread server_;
  std::string requests_;
};

TEST_F(ClientTest, ReadsSizedAndChunkedAnswersOnOneConnection) {
  serve({{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
          "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
          "HTTP/1.1 204 None\r\n\r\n"}});
  const auto answers = async::block_on(ask(3));
  ASSERT_TRUE(answers[0] && answers[1] && answers[2]);
  EXPECT_EQ(answers[0]->body, "hello");
  EXPECT_EQ(answers[0]->fields.find("x"), "y");
  EXPECT_EQ(answers[1]->status, 404);
  EXPECT_EQ(answers[1]->body, "abc");
  EXPECT_EQ(answers[2]->body, "");
}

TEST_F(ClientTest, AnswersToHeadHaveNoBody) {
  serve({{"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"}});
  const auto answers = async::block_on(ask(2, "HEAD"));
  EXPECT_TRUE(answers[0] && answers[1]);
}

TEST_F(ClientTest, ABodyWithoutLengthEndsWithTheConnection) {
  serve({{"HTTP/1.1 200 OK\r\n\r\nall of it"}, {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"}});
  const auto answers = async::block_on(ask(2));
  EXPECT_EQ(answers[0].value().body, "all of it");
  EXPECT_EQ(answers[1].value().body, "2");
}

TEST_F(ClientTest, ConnectsAgainWhenTheServerClosedBetweenRequests) {
  serve({{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"},
         {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n2"},
         {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3"}});
  const auto answers = async::block_on(ask(3));
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(answers[i].value().body, std::to_string(i + 1));
}

TEST_F(ClientTest, HalfAnswersAreNotBelieved) {
  for (const char* answer :
       {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nContent-", "", "garbage\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    RawListener listener;
    std::thread server([&] {
      RawSocket socket = listener.accept();
      socket.read_until("\r\n\r\n");
      socket.send(answer);
    });
    const auto once = [](uint16_t port) -> async::Task<Result<ClientResponse>> {
      auto client = ClientConnection::make({.host = "127.0.0.1", .port = port});
      RequestHead head;
      head.method = "GET";
      head.target = "/";
      co_return co_await client->request(head, {}, deadline_in(60s));
    };
    const auto outcome = async::block_on(once(listener.port()));
    EXPECT_FALSE(outcome) << answer;
    if (!outcome) EXPECT_EQ(outcome.error().code, ErrorCode::kUnavailable) << answer;
    server.join();
  }
}

TEST_F(ClientTest, TheDeadlineEndsTheWait) {
  const auto answers = async::block_on(ask(1, "GET", 50ms));
  EXPECT_EQ(answers[0].error().code, ErrorCode::kDeadlineExceeded);
}

async::Task<Result<ClientResponse>> ask_host(std::string host, uint16_t port, Duration limit) {
  auto client = ClientConnection::make({.host = std::move(host), .port = port});
  RequestHead head;
  head.method = "GET";
  head.target = "/";
  head.fields.add("Host", "h");
  co_return co_await client->request(std::move(head), {}, deadline_in(limit));
}

TEST_F(ClientTest, NamesAreLookedUp) {
  serve({{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"}});
  const auto answer = async::block_on(ask_host("localhost", listener_.port(), 60s));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "1");
}

// The look-up may still be on its way: its outcome is dropped.
TEST_F(ClientTest, TheDeadlineHoldsForLookUpsAndForConnecting) {
  EXPECT_EQ(async::block_on(ask_host("host.invalid", 80, -1s)).error().code,
            ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(async::block_on(ask_host("127.0.0.1", listener_.port(), -1s)).error().code,
            ErrorCode::kDeadlineExceeded);
  const auto unknown = async::block_on(ask_host("host.invalid", 80, 60s));
  EXPECT_FALSE(unknown);
}

TEST_F(ClientTest, NobodyThereIsUnavailable) {
  uint16_t port = 0;
  {
    RawListener gone;
    port = gone.port();
  }
  const auto once = [](uint16_t to) -> async::Task<Result<ClientResponse>> {
    auto client = ClientConnection::make({.host = "127.0.0.1", .port = to});
    co_return co_await client->request({}, {}, deadline_in(60s));
  };
  EXPECT_EQ(async::block_on(once(port)).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace rondel::http
