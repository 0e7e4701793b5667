// The server over loopback, told exactly what a client sends.
#include "common/http/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "common/async/loop_threads.h"
#include "tests/unit/common/http/listening_test.h"
#include "tests/unit/common/http/raw_socket.h"

namespace rondel::http {
namespace {

using namespace std::chrono_literals;

std::string status_of(const std::string& response) { return response.substr(0, 12); }

std::string body_of(const std::string& response) {
  const size_t end = response.find("\r\n\r\n");
  return end == std::string::npos ? "" : response.substr(end + 4);
}

bool closes(const std::string& response) {
  return response.find("Connection: close\r\n") != std::string::npos;
}

class ServerTest : public ListeningTest {
 protected:
  ServerTest() : ListeningTest(2) {}

  void start(ServerOptions options = {}) {
    options.address = "127.0.0.1";
    start_server(std::move(options), [this](Exchange& exchange) { return handle(exchange); });
  }

  // "/echo": method, path, body. "/early": answers without reading. "/stream": four pieces.
  // "/short": fewer bytes than said.
  async::Task<void> handle(Exchange& exchange) {
    ++requests_;
    const std::string path(exchange.head().path());
    if (path == "/early") {
      (void)co_await exchange.respond({.status = 403}, "no");
      co_return;
    }
    if (path == "/stream" || path == "/short") {
      const std::string piece(200'000, 's');
      if (!co_await exchange.start_response({}, 4 * piece.size())) co_return;
      for (int i = 0; i < (path == "/short" ? 2 : 4); ++i) {
        if (!co_await exchange.write_body(ByteSlice::copy_of(as_bytes(piece)))) co_return;
      }
      co_return;
    }
    if (path == "/silent") co_return;
    std::string body;
    for (;;) {
      const auto run = co_await exchange.read_body();
      if (!run) {
        last_error_ = static_cast<int>(run.error().code);
        (void)co_await exchange.respond({.status = 400}, "body");
        co_return;
      }
      if (run->empty()) break;
      body += as_text(*run);
    }
    if (path == "/nothing") {
      (void)co_await exchange.respond({.status = 204}, "");
      co_return;
    }
    (void)co_await exchange.respond({}, exchange.head().method + " " + path + " " + body);
  }

  RawSocket client() { return RawSocket::connect(server_->port()); }

  ErrorCode last_error() {
    const Deadline limit = deadline_in(60s);
    while (last_error_ == 0 && std::chrono::steady_clock::now() < limit) {
      std::this_thread::sleep_for(1ms);
    }
    return static_cast<ErrorCode>(last_error_.load());
  }

  std::atomic<int> requests_{0};
  std::atomic<int> last_error_{0};
};

TEST_F(ServerTest, KeepsConnectionsAlive) {
  start();
  auto socket = client();
  for (int i = 0; i < 3; ++i) {
    socket.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    const std::string response = socket.read_response();
    EXPECT_EQ(status_of(response), "HTTP/1.1 200");
    EXPECT_EQ(body_of(response), "GET /a ");
    EXPECT_FALSE(closes(response));
    EXPECT_NE(response.find("\r\nDate: "), std::string::npos);
  }
  socket.send("GET /a HTTP/1.1\r\nHost: h\r\nConnection: x, CLOSE\r\n\r\n");
  EXPECT_TRUE(closes(socket.read_response()));
  EXPECT_TRUE(socket.ended());
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  start();
  auto socket = client();
  std::string all;
  for (int i = 0; i < 20; ++i) {
    const std::string body(static_cast<size_t>(i * 1000), static_cast<char>('a' + i));
    if (i % 2 == 0)
      all += "PUT /" + std::to_string(i) +
             " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
             body;
    else
      all += "\r\nPUT /" + std::to_string(i) +
             " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" +
             std::string(1000, 'c') + "\r\n0\r\n\r\n";
  }
  std::thread sender([&] { socket.send(all); });
  for (int i = 0; i < 20; ++i) {
    const std::string body =
        i % 2 == 0 ? std::string(static_cast<size_t>(i * 1000), static_cast<char>('a' + i))
                   : std::string(1000, 'c');
    EXPECT_EQ(body_of(socket.read_response()), "PUT /" + std::to_string(i) + " " + body);
  }
  sender.join();
}

TEST_F(ServerTest, AskesForTheBodyOnlyWhenItIsWanted) {
  start();
  auto wanted = client();
  wanted.send("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(wanted.read_response(), "HTTP/1.1 100 Continue\r\n\r\n");
  wanted.send("abc");
  EXPECT_EQ(body_of(wanted.read_response()), "PUT /a abc");
  auto unwanted = client();
  unwanted.send(
      "PUT /early HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  const std::string response = unwanted.read_response();
  EXPECT_EQ(status_of(response), "HTTP/1.1 403");
  EXPECT_TRUE(closes(response));
}

TEST_F(ServerTest, AnUnreadBodyIsNeverReadAsARequest) {
  start();
  const std::string hidden = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::string& framing :
       {"Content-Length: " + std::to_string(hidden.size()) + "\r\n\r\n" + hidden,
        "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n" + hidden}) {
    auto socket = client();
    socket.send("PUT /early HTTP/1.1\r\nHost: h\r\n" + framing + hidden);
    const std::string response = socket.read_response();
    EXPECT_EQ(status_of(response), "HTTP/1.1 403");
    EXPECT_TRUE(closes(response));
    socket.end_sending();
    EXPECT_EQ(socket.read_all(), "");
  }
  EXPECT_EQ(requests_, 2);
}

TEST_F(ServerTest, WhoSendsAllOfALongBodyStillSeesTheAnswer) {
  start();
  const std::string body(16 << 20, 'b');
  for (const bool chunked : {false, true}) {
    auto socket = client();
    const std::string framing = chunked ? "Transfer-Encoding: chunked\r\n\r\n1000000\r\n"
                                        : "Content-Length: 16777216\r\n\r\n";
    EXPECT_TRUE(socket.send("PUT /early HTTP/1.1\r\nHost: h\r\n" + framing));
    EXPECT_TRUE(socket.send(body + (chunked ? "\r\n0\r\n\r\n" : "")));
    EXPECT_EQ(status_of(socket.read_response()), "HTTP/1.1 403");
    EXPECT_TRUE(socket.ended());
  }
}

TEST_F(ServerTest, NoMoreOfABodyIsDrainedThanAllowed) {
  ServerOptions options;
  options.drain_bytes_max = 1 << 20;
  start(options);
  auto socket = client();
  socket.send("PUT /early HTTP/1.1\r\nHost: h\r\nContent-Length: 1073741824\r\n\r\n");
  const std::string piece(1 << 20, 'b');
  int sent = 0;
  while (sent < 1024 && socket.send(piece)) ++sent;
  EXPECT_LT(sent, 1024);
}

TEST_F(ServerTest, RefusedHeadsEndTheConnectionBeforeAHandlerSeesThem) {
  ServerOptions options;
  options.head_bytes_max = 4096;
  options.fields_max = 10;
  start(options);
  std::string many;
  for (int i = 0; i < 20; ++i) many += "X: y\r\n";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"nonsense\r\n\r\n", "400"},
      {"GET / HTTP/3.0\r\nHost: h\r\n\r\n", "505"},
      {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: "
       "chunked\r\n\r\n0\r\n\r\n",
       "400"},
      {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "400"},
      {"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
      {"GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(5000, 'x') + "\r\n\r\n", "431"},
      {"GET / HTTP/1.1\r\nHost: h\r\n" + many + "\r\n", "431"},
      {std::string(100'000, 'x'), "431"},
  };
  for (const auto& [text, status] : cases) {
    auto socket = client();
    socket.send(text + "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n");
    const std::string response = socket.read_response();
    EXPECT_EQ(status_of(response), "HTTP/1.1 " + status) << text.substr(0, 80);
    EXPECT_TRUE(closes(response));
    socket.end_sending();
    EXPECT_EQ(socket.read_all(), "");
  }
  EXPECT_EQ(requests_, 0);
  EXPECT_EQ(server_->status().malformed_total, cases.size());
}

TEST_F(ServerTest, HeadAndBodilessAnswersHaveNoBody) {
  start();
  auto socket = client();
  socket.send("HEAD /abc HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string head = socket.read_response(true);
  EXPECT_NE(head.find("Content-Length: 10\r\n"), std::string::npos);
  socket.send("PUT /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  const std::string nothing = socket.read_response();
  EXPECT_EQ(status_of(nothing), "HTTP/1.1 204");
  EXPECT_EQ(nothing.find("Content-Length"), std::string::npos);
  socket.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(body_of(socket.read_response()), "GET /x ");
}

TEST_F(ServerTest, SpeaksToOldClients) {
  start();
  auto socket = client();
  socket.send("GET /old HTTP/1.0\r\n\r\n");
  EXPECT_EQ(body_of(socket.read_all()), "GET /old ");
  auto kept = client();
  for (int i = 0; i < 2; ++i) {
    kept.send("GET /old HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    EXPECT_NE(kept.read_response().find("Connection: keep-alive\r\n"), std::string::npos);
  }
}

TEST_F(ServerTest, LargeBodiesGoBothWays) {
  start();
  auto socket = client();
  const std::string body(5'000'000, 'b');
  std::thread sender([&] {
    socket.send("PUT /big HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n" + body);
  });
  EXPECT_TRUE(body_of(socket.read_response()) == "PUT /big " + body);
  sender.join();
  socket.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(body_of(socket.read_response()), std::string(800'000, 's'));
}

TEST_F(ServerTest, AnAnswerThatEndsEarlyIsCut) {
  start();
  auto socket = client();
  socket.send("GET /short HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string response = socket.read_all();
  EXPECT_NE(response.find("Content-Length: 800000\r\n"), std::string::npos);
  EXPECT_EQ(body_of(response).size(), 400'000u);
  auto silent = client();
  silent.send("GET /silent HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(silent.read_all(), "");
}

TEST_F(ServerTest, AClientThatGoesAwayInTheMiddleIsCancelled) {
  start();
  auto socket = client();
  socket.send("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
  socket.end_sending();
  EXPECT_EQ(last_error(), ErrorCode::kCancelled);
  last_error_ = 0;
  auto cut = client();
  cut.send("PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
  cut.cut();
  EXPECT_EQ(last_error(), ErrorCode::kCancelled);
}

TEST_F(ServerTest, MalformedChunksAreTheClientsFault) {
  start();
  auto socket = client();
  socket.send(
      "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\nGET "
      "/hidden HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string response = socket.read_response();
  EXPECT_EQ(status_of(response), "HTTP/1.1 400");
  EXPECT_TRUE(closes(response));
  EXPECT_EQ(last_error(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(requests_, 1);
}

TEST_F(ServerTest, HeadsAboveTheBoundAreRefusedAtEveryLength) {
  start();
  const auto head_of = [](size_t length) {
    std::string head = "GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: ";
    head.append(length - head.size() - 4, 'x');
    return head + "\r\n\r\n";
  };
  for (const size_t length : {100ul, 4096ul, 8190ul, 8191ul, 8192ul}) {
    auto socket = client();
    socket.send(head_of(length));
    EXPECT_EQ(status_of(socket.read_response()), "HTTP/1.1 200") << length;
  }
  const int before = requests_;
  for (const size_t length : {8193ul, 8194ul, 8195ul, 8196ul, 8197ul, 9000ul, 12'287ul, 16'384ul,
                              16'385ul, 32'768ul, 65'536ul, 262'145ul, 500'000ul}) {
    auto socket = client();
    socket.send(head_of(length));
    const std::string response = socket.read_response();
    EXPECT_EQ(status_of(response), "HTTP/1.1 431") << length;
    EXPECT_TRUE(closes(response));
  }
  // Of fields, of a target, behind empty lines, in pieces.
  std::string many = "GET /a HTTP/1.1\r\nHost: h\r\n", pairs = many;
  for (int i = 0; i < 199; ++i) many += "a:\r\n";
  for (int i = 0; i < 150; ++i) {
    pairs += "x-amz-meta-" + std::to_string(i) + ": " + std::string(50, 'v') + "\r\n";
  }
  for (const std::string& head : {many + "b:\r\n\r\n", pairs + "\r\n",
                                  "GET /" + std::string(8192, 'p') + " HTTP/1.1\r\nHost: h\r\n\r\n",
                                  "\r\n\r\n" + head_of(8193)}) {
    auto socket = client();
    for (size_t at = 0; at < head.size(); at += 1000) socket.send(head.substr(at, 1000));
    EXPECT_EQ(status_of(socket.read_response()), "HTTP/1.1 431") << head.substr(0, 40);
  }
  EXPECT_EQ(requests_, before);
}

TEST_F(ServerTest, AMalformedHostIsRefused) {
  start();
  for (const char* host : {"h", "h:80", "a-b.c_d:9000", "127.0.0.1:9000", "[::1]:9000", ""}) {
    auto socket = client();
    socket.send("GET /a HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
    EXPECT_EQ(status_of(socket.read_response()), "HTTP/1.1 200") << host;
  }
  for (const char* host : {"a b", "a\tb", "a/b", "a@b", "a<b", "a>b", "a&b", "a\"b", "a'b", "a\\b",
                           "a?b", "a#b", "a\xff", "\xc3\xa4"}) {
    auto socket = client();
    socket.send("GET /a HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
    EXPECT_EQ(status_of(socket.read_response()), "HTTP/1.1 400") << host;
  }
}

TEST_F(ServerTest, BytesCountedAreBytesMoved) {
  start();
  {
    auto announced = client();
    announced.send(
        "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000000000000000\r\n\r\n12345");
    announced.end_sending();
    EXPECT_EQ(body_of(announced.read_response()), "body");
    EXPECT_TRUE(announced.ended());
  }
  {
    auto chunked = client();
    chunked.send(
        "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
        "chunked\r\n\r\n5;x=y\r\nabcde\r\n0\r\n\r\n");
    EXPECT_EQ(body_of(chunked.read_response()), "PUT /a abcde");
  }
  {
    auto head = client();
    head.send("HEAD /abc HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_NE(head.read_response(true), "");
  }
  {
    auto cut = client();
    cut.send("GET /short HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(body_of(cut.read_all()).size(), 400'000u);
  }
  const Deadline limit = deadline_in(60s);
  while (server_->status().connections > 0 && std::chrono::steady_clock::now() < limit) {
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(server_->status().body_bytes_read_total, 5u + 5u);
  EXPECT_EQ(server_->status().body_bytes_written_total, 4u + 12u + 400'000u);
}

TEST_F(ServerTest, TooManyConnectionsAreToldSo) {
  ServerOptions options;
  options.connections_max = 2;
  start(options);
  auto first = client();
  auto second = client();
  for (RawSocket* socket : {&first, &second}) {
    socket->send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(status_of(socket->read_response()), "HTTP/1.1 200");
  }
  EXPECT_EQ(status_of(client().read_all()), "HTTP/1.1 503");
  EXPECT_EQ(server_->status().refused_total, 1u);
}

TEST_F(ServerTest, OneAddressDoesNotTakeTheLastConnections) {
  ServerOptions options;
  options.connections_max = 50;
  start(options);
  std::vector<RawSocket> held;
  const auto open = [&](uint8_t last) {
    held.push_back(RawSocket::connect(server_->port(), last));
    held.back().send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    const std::string status = status_of(held.back().read_response());
    return status == "HTTP/1.1 200";
  };
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(open(1)) << i;
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(open(1)) << i;
  // Others have their share of what is left.
  for (uint8_t other = 2; other < 7; ++other) {
    EXPECT_TRUE(open(other));
    EXPECT_TRUE(open(other));
    if (other < 6) EXPECT_FALSE(open(other)) << int{other};
  }
  EXPECT_FALSE(open(9));  // All are taken.
  // Whoever gives back may come again.
  held.clear();
  const Deadline limit = deadline_in(60s);
  while (server_->status().connections > 0 && std::chrono::steady_clock::now() < limit) {
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_TRUE(open(1));
}

TEST_F(ServerTest, ALameDuckServesAndSendsClientsElsewhere) {
  start();
  auto idle = client();
  idle.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_FALSE(closes(idle.read_response()));
  server_->lame_duck();
  // Who is connected is served once more, and who comes now is served too: both hear that the
  // connection ends.
  idle.send("GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string last = idle.read_response();
  EXPECT_EQ(status_of(last), "HTTP/1.1 200");
  EXPECT_TRUE(closes(last));
  EXPECT_EQ(idle.read_all(), "");
  auto late = client();
  late.send("PUT /c HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
  const std::string response = late.read_response();
  EXPECT_EQ(body_of(response), "PUT /c abc");
  EXPECT_TRUE(closes(response));
}

TEST_F(ServerTest, StoppingEndsConnectionsAfterTheirRequest) {
  start();
  auto idle = client();
  idle.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_FALSE(closes(idle.read_response()));
  auto busy = client();
  busy.send("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na");
  while (requests_ < 2) std::this_thread::sleep_for(1ms);
  server_->stop();
  EXPECT_EQ(idle.read_all(), "");
  busy.send("bc");
  const std::string response = busy.read_response();
  EXPECT_EQ(body_of(response), "PUT /a abc");
  EXPECT_TRUE(closes(response));
}

TEST_F(ServerTest, NothingOfAServerOutlivesItsLoops) {
  const auto kept = std::make_shared<int>();
  {
    async::LoopThreads loops(2);
    ServerOptions options;
    options.address = "127.0.0.1";
    const auto answer = [](Exchange& exchange) -> async::Task<void> {
      (void)co_await exchange.respond({}, "body");
    };
    const auto server = Server::start(loops.all(), options, [kept, answer](Exchange& exchange) {
                          return answer(exchange);
                        }).value();
    RawSocket client = RawSocket::connect(server->port());
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(status_of(client.read_response()), "HTTP/1.1 200");
    server->stop();
    async::block_on(server->wait_idle(deadline_in(60s)));
    loops.join();
  }
  EXPECT_EQ(kept.use_count(), 1);
}

TEST_F(ServerTest, APortInUseIsSaid) {
  start();
  ServerOptions options;
  options.address = "127.0.0.1";
  options.port = server_->port();
  const auto second = Server::start(threads_.all(), options,
                                    [this](Exchange& exchange) { return handle(exchange); });
  EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
  options.address = "nowhere";
  EXPECT_EQ(Server::start(threads_.all(), options,
                          [this](Exchange& exchange) { return handle(exchange); })
                .error()
                .code,
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace rondel::http
