// What may leave in a head: every byte in names and values, in answers of the server and requests
// of the client.
#include "common/http/head_writer.h"

#include <gtest/gtest.h>

#include <thread>

#include "common/async/event_loop.h"
#include "common/async/loop_threads.h"
#include "common/http/client.h"
#include "common/http/server.h"
#include "tests/unit/common/http/raw_socket.h"

namespace rondel::http {
namespace {

using namespace std::chrono_literals;

bool is_control(int byte) { return byte < 0x20 || byte == 0x7f; }

// Of RFC 9110, section 5.6.2.
bool is_token(int byte) {
  return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
         (byte >= 'A' && byte <= 'Z') ||
         (byte > 0x20 && byte < 0x7f &&
          std::string_view("!#$%&'*+-.^_`|~").contains(static_cast<char>(byte)));
}

std::string written(std::string_view name, std::string_view value) {
  std::string out;
  append_field(out, name, value);
  return out;
}

TEST(HeadWriter, EveryByteGoesOutAsItIsOrTheFieldNotAtAll) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    for (const std::string& text :
         {std::string{c}, std::string{'a', c}, std::string{c, 'a'}, std::string{'a', c, 'b'}}) {
      const uint64_t before = fields_left_out();
      EXPECT_EQ(written("n", text), is_control(byte) ? "" : "n: " + text + "\r\n") << byte;
      EXPECT_EQ(fields_left_out() - before, is_control(byte) ? 1u : 0u) << byte;
      EXPECT_EQ(written(text, "v"), is_token(byte) ? text + ": v\r\n" : "") << byte;
      EXPECT_EQ(fields_left_out() - before,
                (is_control(byte) ? 1u : 0u) + (is_token(byte) ? 0u : 1u))
          << byte;
    }
  }
  EXPECT_EQ(written("", "v"), "") << "a line that begins with a colon";
  EXPECT_EQ(written("n", ""), "n: \r\n");
}

// A whole second answer, as a document once could carry one.
const std::string kInjected =
    "x\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

TEST(HeadWriter, NoAnswerIsSplit) {
  async::LoopThreads threads(1);
  const auto handler = [](Exchange& exchange) -> async::Task<void> {
    ResponseHead head;
    head.fields.add("X-Before", "1");
    head.fields.add("Access-Control-Expose-Headers", kInjected);
    head.fields.add(kInjected, "y");
    head.fields.add("X-After", "caf\xc3\xa9 \xff");
    (void)co_await exchange.respond(std::move(head), "body");
  };
  auto server = Server::start(threads.all(), {.address = "127.0.0.1"}, handler);
  ASSERT_TRUE(server) << server.error().message;
  {
    RawSocket socket = RawSocket::connect((*server)->port());
    socket.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    const std::string answer = socket.read_all();
    EXPECT_EQ(answer.find("HTTP/1.1 200 OK"), 0u) << answer;
    EXPECT_EQ(answer.rfind("HTTP/1.1 "), 0u) << answer;
    EXPECT_EQ(answer.find("hello"), std::string::npos) << answer;
    EXPECT_NE(answer.find("X-Before: 1\r\n"), std::string::npos) << answer;
    EXPECT_NE(answer.find("X-After: caf\xc3\xa9 \xff\r\n"), std::string::npos) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\nbody")) << answer;
  }
  (*server)->stop();
  async::block_on((*server)->wait_idle(deadline_in(60s)));
  server->reset();
  threads.join();
}

async::Task<Result<ClientResponse>> ask(uint16_t port, RequestHead head) {
  auto client = ClientConnection::make({.host = "127.0.0.1", .port = port});
  co_return co_await client->request(std::move(head), {}, deadline_in(60s));
}

RequestHead request_to(std::string method, std::string target) {
  RequestHead head;
  head.method = std::move(method);
  head.target = std::move(target);
  head.fields.add("Host", "h");
  return head;
}

TEST(HeadWriter, NoRequestIsSplit) {
  RawListener listener;
  std::string request;
  std::thread server([&] {
    RawSocket socket = listener.accept();
    request = socket.read_until("\r\n\r\n");
    socket.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
  RequestHead head = request_to("GET", "/x");
  head.fields.add("X-Vault-Token", "t\r\nX-Injected: 1");
  head.fields.add("X-Name\r\nX-Injected", "1");
  head.fields.add("X-Kept", "yes");
  const auto answer = async::block_on(ask(listener.port(), std::move(head)));
  server.join();
  EXPECT_TRUE(answer);
  EXPECT_EQ(request, "GET /x HTTP/1.1\r\nHost: h\r\nX-Kept: yes\r\n\r\n");
}

TEST(HeadWriter, ARequestLineOfSeveralIsNotSent) {
  for (int byte = 0; byte <= 0x7f; ++byte) {
    if (byte != ' ' && !is_control(byte)) continue;
    const std::string text{'/', static_cast<char>(byte), 'x'};
    // Nobody listens there: it must not come so far.
    EXPECT_EQ(async::block_on(ask(1, request_to("GET", text))).error().code,
              ErrorCode::kInvalidArgument)
        << byte;
    EXPECT_EQ(async::block_on(ask(1, request_to("G" + text, "/"))).error().code,
              ErrorCode::kInvalidArgument)
        << byte;
  }
}

}  // namespace
}  // namespace rondel::http
