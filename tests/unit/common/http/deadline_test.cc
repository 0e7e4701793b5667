// What peers may take their time for, and what they get when they take more. On a clock that stands
// still until a test moves it.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "common/async/loop_threads.h"
#include "common/http/server.h"
#include "tests/fakes/manual_clock.h"
#include "tests/unit/common/http/proxy_bytes.h"
#include "tests/unit/common/http/raw_socket.h"

namespace rondel::http {
namespace {

using namespace std::chrono_literals;

constexpr size_t kAnswerBytes = 64 << 20;  // More than sockets hold.

std::string status_of(const std::string& response) { return response.substr(0, 12); }

template <class Condition>
bool comes_true(Condition condition) {
  const Deadline limit = deadline_in(120s);
  while (!condition() && std::chrono::steady_clock::now() < limit) std::this_thread::sleep_for(1ms);
  return condition();
}

class DeadlineTest : public ::testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    options.address = "127.0.0.1";
    options.clock = &clock_;
    options.check_period = 1ms;
    options.refusal_body = [](const Refusal& refusal, ResponseHead& head) {
      if (refusal.kind != Refusal::Kind::kTooSlow) return refusal.reason;
      head.status = 400;
      return std::string("RequestTimeout");
    };
    auto started = Server::start(threads_.all(), std::move(options),
                                 [this](Exchange& exchange) { return handle(exchange); });
    ASSERT_TRUE(started) << started.error().message;
    server_ = std::move(*started);
  }

  void TearDown() override {
    server_->stop();
    async::block_on(server_->wait_idle(deadline_in(60s)));
    server_.reset();
    threads_.join();
  }

  // "/document", "/fields", "/object": reads such a body. "/form": fields up to '!', then an
  // object.
  // "/answer": a long one.
  async::Task<void> handle(Exchange& exchange) {
    const std::string path(exchange.head().path());
    if (path == "/answer") {
      (void)co_await exchange.start_response({}, kAnswerBytes);
      const std::string piece(256 << 10, 'a');
      for (size_t sent = 0; sent < kAnswerBytes; sent += piece.size()) {
        const auto written = co_await exchange.write_body(ByteSlice::copy_of(as_bytes(piece)));
        if (!written) break;
        taken_ += piece.size();
      }
      ++ended_;
      co_return;
    }
    if (path == "/object") exchange.expect_body(BodyKind::kObject);
    if (path == "/fields" || path == "/form") exchange.expect_body(BodyKind::kFormFields);
    for (;;) {
      ++reads_;
      const auto run = co_await exchange.read_body();
      if (!run) {
        last_error_ = static_cast<int>(run.error().code);
        (void)co_await exchange.respond({.status = 400}, "late");
        break;
      }
      received_ += run->size();
      if (run->empty()) {
        (void)co_await exchange.respond({}, "all");
        break;
      }
      if (path == "/form" && as_text(*run).contains('!')) exchange.expect_body(BodyKind::kObject);
    }
    ++ended_;
  }

  RawSocket client() { return RawSocket::connect(server_->port()); }

  // Begins a body of `length` bytes and waits until the server waits for the rest.
  void begin(RawSocket& socket, const std::string& path, const std::string& sent,
             uint64_t length = 1 << 30) {
    socket.send("PUT " + path +
                " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n");
    send(socket, sent);
  }

  void send(RawSocket& socket, const std::string& text) {
    if (HasFatalFailure()) return;
    const uint64_t before = received_;
    socket.send(text);
    ASSERT_TRUE(comes_true([&] { return received_ == before + text.size(); }));
    settle();
  }

  // Until deadlines were looked at with the clock as it is. Between two rounds the loop takes up
  // what has come meanwhile: a connection, its first bytes, and what a handler does about them.
  void settle() {
    const uint64_t begun = server_->status().deadline_rounds;
    EXPECT_TRUE(comes_true([&] { return server_->status().deadline_rounds >= begun + 5; }));
  }

  // In steps, so that each is looked at.
  void pass(Duration time) {
    for (; time > 0s; time -= 5s) {
      clock_.advance(std::min<Duration>(time, 5s));
      settle();
    }
  }

  void expect_late(RawSocket& socket) {
    const std::string response = socket.read_response();
    EXPECT_EQ(status_of(response), "HTTP/1.1 400");
    EXPECT_NE(response.find("Connection: close\r\n"), std::string::npos);
    EXPECT_EQ(last_error_, static_cast<int>(ErrorCode::kDeadlineExceeded));
    EXPECT_EQ(server_->status().slow_total, 1u);
  }

  fakes::ManualClock clock_{SystemTime(std::chrono::seconds(1'700'000'000))};
  async::LoopThreads threads_{1};
  std::unique_ptr<Server> server_;
  std::atomic<uint64_t> received_{0}, taken_{0};
  std::atomic<int> ended_{0}, last_error_{0}, reads_{0};
};

TEST_F(DeadlineTest, ASilentConnectionIsClosedAndNoSlowPeer) {
  start();
  auto socket = client();
  ASSERT_TRUE(comes_true([&] { return server_->status().connections == 1; }));
  pass(59s);
  EXPECT_EQ(server_->status().connections, 1u);
  pass(2s);
  EXPECT_EQ(socket.read_all(), "");
  EXPECT_EQ(server_->status().slow_total, 0u);
}

TEST_F(DeadlineTest, AHeadHasHalfAMinuteHoweverItDribbles) {
  start();
  // Empty lines are passed over, bytes of a head are gathered: neither starts the time anew.
  for (const std::string& drop : {std::string("\r\n"), std::string("X")}) {
    auto socket = client();
    socket.send(drop);
    settle();
    for (int second = 0; second < 29; ++second) {
      clock_.advance(1s);
      EXPECT_TRUE(socket.send(drop));
      settle();
    }
    EXPECT_EQ(server_->status().connections, 1u);
    clock_.advance(2s);
    const std::string response = socket.read_response();
    EXPECT_EQ(status_of(response), "HTTP/1.1 400") << response;
    EXPECT_NE(response.find("RequestTimeout"), std::string::npos);
    socket.end_sending();
    EXPECT_TRUE(comes_true([&] { return server_->status().connections == 0; }));
  }
  EXPECT_EQ(server_->status().slow_total, 2u);
}

TEST_F(DeadlineTest, TheTimeOfAHeadIsOfEachRequestAlone) {
  start();
  auto socket = client();
  for (int i = 0; i < 3; ++i) {
    socket.send("PUT /document HTTP/1.1\r\nHost: h\r\nContent-");
    settle();
    pass(25s);
    socket.send("Length: 0\r\n\r\n");
    EXPECT_EQ(status_of(socket.read_response()), "HTTP/1.1 200");
    settle();
    pass(50s);  // Silent between requests.
  }
  EXPECT_EQ(server_->status().slow_total, 0u);
}

TEST_F(DeadlineTest, ADocumentHasAMinuteInAll) {
  start();
  auto socket = client();
  begin(socket, "/document", "a");
  for (int i = 0; i < 11; ++i) {
    clock_.advance(5s);
    send(socket, std::string(100'000, 'a'));
  }
  EXPECT_EQ(ended_, 0);
  clock_.advance(6s);
  expect_late(socket);
}

TEST_F(DeadlineTest, FieldsOfAFormHaveWhatIsLeftOfTheHead) {
  start();
  auto socket = client();
  socket.send("PUT /fields HTTP/1.1\r\n");
  settle();
  pass(20s);
  socket.send("Host: h\r\nContent-Length: 1000\r\n\r\n");
  ASSERT_TRUE(comes_true([&] { return reads_ == 1; }));
  settle();
  pass(9s);
  send(socket, "a");
  EXPECT_EQ(ended_, 0);
  clock_.advance(2s);
  expect_late(socket);
}

TEST_F(DeadlineTest, AFileOfAFormHasTheTimeOfAnObject) {
  start();
  auto socket = client();
  begin(socket, "/form", "fields!", 7 + 20 * 150'000);
  for (int i = 0; i < 20; ++i) {
    clock_.advance(15s);
    send(socket, std::string(150'000, 'a'));
  }
  EXPECT_EQ(status_of(socket.read_response()), "HTTP/1.1 200");
}

TEST_F(DeadlineTest, AnObjectMustComeAtTheFloor) {
  start();
  for (const std::string& framing :
       {std::string("Content-Length: 1000000000"), std::string("Transfer-Encoding: chunked")}) {
    auto socket = client();
    const bool chunked = framing.starts_with('T');
    socket.send("PUT /object HTTP/1.1\r\nHost: h\r\n" + framing + "\r\n\r\n" +
                (chunked ? "fffffff\r\n" : ""));
    send(socket, "a");
    // Enough, for longer than any window; twice the floor, since deadlines are looked at before or
    // after each.
    for (int i = 0; i < 12; ++i) {
      clock_.advance(20s);
      send(socket, std::string(20 * 8192, 'a'));
    }
    EXPECT_EQ(ended_, 0);
    last_error_ = 0;
    // Then a byte now and then.
    for (int i = 0; i < 20 && last_error_ == 0; ++i) {
      clock_.advance(5s);
      socket.send("a");
      settle();
    }
    EXPECT_EQ(last_error_, static_cast<int>(ErrorCode::kDeadlineExceeded));
    EXPECT_EQ(status_of(socket.read_response()), "HTTP/1.1 400");
    ended_ = 0;
  }
}

TEST_F(DeadlineTest, ChunksThatAreAllFramingAreNoBody) {
  start();
  auto socket = client();
  socket.send("PUT /object HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "1;" + std::string(4000, 'x') + "\r\na\r\n";
  for (int i = 0; i < 200 && last_error_ == 0; ++i) {
    for (int j = 0; j < 10; ++j) socket.send(chunk);
    clock_.advance(1s);
    settle();
  }
  expect_late(socket);
}

TEST_F(DeadlineTest, AnObjectHasABoundOfItsOwn) {
  ServerOptions options;
  options.deadlines.object = 10min;
  start(options);
  auto socket = client();
  begin(socket, "/object", "a");
  for (int i = 0; i < 29; ++i) {
    clock_.advance(20s);
    send(socket, std::string(200'000, 'a'));
  }
  EXPECT_EQ(ended_, 0);
  clock_.advance(21s);
  expect_late(socket);
}

TEST_F(DeadlineTest, WhoDoesNotReadHisAnswerIsCut) {
  start();
  auto socket = client();
  socket.send("GET /answer HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(comes_true([&] { return taken_ > 0; }));
  settle();
  pass(80s);
  EXPECT_EQ(ended_, 0);
  pass(20s);
  EXPECT_TRUE(comes_true([&] { return ended_ == 1; }));
  EXPECT_EQ(server_->status().slow_total, 1u);
  EXPECT_LT(taken_, kAnswerBytes);
  EXPECT_LT(socket.read_all().size(), kAnswerBytes);
}

TEST_F(DeadlineTest, WhoReadsHisAnswerSlowlyGetsAllOfIt) {
  start();
  auto socket = client();
  socket.send("GET /answer HTTP/1.1\r\nHost: h\r\n\r\n");
  size_t got = 0;
  while (ended_ == 0) {
    // Four times what it must, since systems open their windows by leaps.
    for (int i = 0; i < 4; ++i) got += socket.read_some(64 << 10).size();
    clock_.advance(15s);
    settle();
  }
  while (got < kAnswerBytes) {
    const size_t count = socket.read_some(64 << 10).size();
    if (count == 0) break;
    got += count;
  }
  EXPECT_EQ(server_->status().slow_total, 0u);
  EXPECT_GE(got, kAnswerBytes);
  EXPECT_TRUE(
      comes_true([&] { return server_->status().body_bytes_written_total == kAnswerBytes; }));
}

TEST_F(DeadlineTest, AProxyHeaderIsPartOfTheHead) {
  ServerOptions options;
  options.proxy_protocol.add(*parse_ip_range("127.0.0.0/8"));
  options.proxy_protocol.seal();
  start(options);
  const std::string header = proxy_from(203, 0, 113, 7);
  for (const size_t part : {0, 3, 13, 20}) {
    auto socket = client();
    socket.send(header.substr(0, part));
    ASSERT_TRUE(comes_true([&] { return server_->status().connections == 1; }));
    settle();
    pass(29s);
    EXPECT_EQ(server_->status().connections, 1u) << part;
    pass(2s);
    EXPECT_EQ(socket.read_all(), "") << part;
    ASSERT_TRUE(comes_true([&] { return server_->status().connections == 0; }));
  }
  auto both = client();
  both.send(header.substr(0, 20));
  settle();
  pass(20s);
  both.send(header.substr(20) + "GET / HT");
  settle();
  pass(9s);
  EXPECT_EQ(server_->status().connections, 1u);
  pass(2s);
  EXPECT_EQ(status_of(both.read_response()), "HTTP/1.1 400");
}

}  // namespace
}  // namespace rondel::http
