// Server and client over TLS, with certificates made here.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/async/loop_threads.h"
#include "common/async/task_group.h"
#include "common/http/client.h"
#include "common/http/server.h"
#include "tests/fakes/manual_clock.h"
#include "tests/unit/common/http/listening_test.h"
#include "tests/unit/common/http/proxy_bytes.h"
#include "tests/unit/common/http/raw_socket.h"

namespace rondel::http {
namespace {

using namespace std::chrono_literals;

// A key and a certificate that it signed itself, for a name or an address.
TlsFiles make_certificate(const std::filesystem::path& folder, const std::string& name,
                          const char* alternative) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, subject);
  for (const auto& [kind, value] : {std::pair(NID_subject_alt_name, alternative),
                                    std::pair(NID_basic_constraints, "CA:TRUE")}) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(certificate, key, EVP_sha256());
  const TlsFiles files{folder / (name + ".pem"), folder / (name + ".key")};
  FILE* out = std::fopen(files.certificate_file.c_str(), "w");
  PEM_write_X509(out, certificate);
  std::fclose(out);
  out = std::fopen(files.key_file.c_str(), "w");
  PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(out);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return files;
}

// A blocking client that verifies nothing and says exactly what a test wants said.
class TlsSocket {
 public:
  explicit TlsSocket(uint16_t port, const std::string& before = {})
      : socket_(RawSocket::connect(port)) {
    socket_.send(before);
    context_ = SSL_CTX_new(TLS_client_method());
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, socket_.descriptor());
    shaken_ = SSL_connect(ssl_) == 1;
  }

  ~TlsSocket() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }

  TlsSocket(const TlsSocket&) = delete;

  bool shaken() const { return shaken_; }

  void send(std::string_view text) { SSL_write(ssl_, text.data(), static_cast<int>(text.size())); }

  std::string read_until(std::string_view mark) {
    std::string all;
    char buffer[16384];
    while (!all.contains(mark)) {
      const int count = SSL_read(ssl_, buffer, sizeof buffer);
      if (count <= 0) break;
      all.append(buffer, static_cast<size_t>(count));
    }
    return all;
  }

 private:
  RawSocket socket_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  bool shaken_ = false;
};

class TlsTest : public ListeningTest {
 protected:
  // Until the loop has taken up what has come, and looked at deadlines with the clock as it is.
  void settle() {
    const uint64_t begun = server_->status().deadline_rounds;
    while (server_->status().deadline_rounds < begun + 5) std::this_thread::sleep_for(1ms);
  }

  // Outlives the server.
  fakes::ManualClock clock_{SystemTime(std::chrono::seconds(1'700'000'000))};

  TlsTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("rondel-tls-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    files_ = make_certificate(folder_, "ours", "IP:127.0.0.1,DNS:localhost");
    other_ = make_certificate(folder_, "other", "DNS:elsewhere.test");
  }

  ~TlsTest() override { std::filesystem::remove_all(folder_); }

  void start(ServerOptions options = {}) {
    options.address = "127.0.0.1";
    options.tls = TlsOptions{files_.certificate_file, files_.key_file, {}};
    options.check_period = 1ms;
    start_server(std::move(options), [this](Exchange& exchange) { return answer(exchange); });
  }

  // Gives the body back, or whom it takes the client for.
  async::Task<void> answer(Exchange& exchange) {
    std::string body;
    for (;;) {
      const auto run = co_await exchange.read_body();
      if (!run) {
        (void)co_await exchange.respond({.status = 400}, "late");
        co_return;
      }
      if (run->empty()) break;
      received_ += run->size();
      body += as_text(*run);
    }
    const ConnectionInfo& info = exchange.connection();
    if (body.empty()) {
      body = info.peer_address + " " + info.tls_version + " " + info.tls_cipher + " " +
             info.server_name;
    }
    const auto bytes = ByteSlice::copy_of(as_bytes(body));
    if (!co_await exchange.start_response({}, bytes.size())) co_return;
    for (size_t at = 0; at < bytes.size(); at += 100'000) {
      if (!co_await exchange.write_body(
              bytes.sub(at, std::min<size_t>(100'000, bytes.size() - at)))) {
        co_return;
      }
    }
  }

  Result<ClientResponse> ask(const std::string& host, const std::string& ca_file,
                             const std::string& body = "", int times = 1) {
    const auto run = [](Endpoint endpoint, std::string sent,
                        int count) -> async::Task<Result<ClientResponse>> {
      const auto client = ClientConnection::make(std::move(endpoint));
      Result<ClientResponse> last = fail(ErrorCode::kInternal, "not asked");
      for (int i = 0; i < count; ++i) {
        RequestHead head;
        head.method = "PUT";
        head.target = "/";
        head.fields.add("Host", "h");
        const ByteView view = as_bytes(sent);
        last = co_await client->request(std::move(head), std::span(&view, sent.empty() ? 0 : 1),
                                        deadline_in(60s));
        if (!last) break;
      }
      co_return last;
    };
    return async::block_on(
        run({.host = host, .port = server_->port(), .tls = true, .ca_file = ca_file}, body, times));
  }

  const std::filesystem::path folder_;
  TlsFiles files_, other_;
  std::atomic<uint64_t> received_{0};
};

TEST_F(TlsTest, LargeBodiesGoBothWaysOnOneConnection) {
  start();
  std::string body;
  for (int i = 0; body.size() < 5'000'000; ++i) body += std::to_string(i) + ",";
  const auto response = ask("127.0.0.1", files_.certificate_file, body, 3);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_TRUE(response->body == body);
  EXPECT_EQ(server_->status().accepted_total, 1u);
}

TEST_F(TlsTest, SaysHowTheClientCame) {
  start();
  const auto response = ask("localhost", files_.certificate_file);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_TRUE(response->body.starts_with("127.0.0.1 1.3 TLS_")) << response->body;
  EXPECT_TRUE(response->body.ends_with(" localhost")) << response->body;
}

TEST_F(TlsTest, AServerIsBelievedByItsCertificateAlone) {
  start();
  EXPECT_FALSE(ask("127.0.0.1", ""));
  EXPECT_FALSE(ask("127.0.0.1", other_.certificate_file));
  EXPECT_EQ(ask("127.0.0.1", folder_ / "none.pem").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ask("127.0.0.1", files_.key_file).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(check_ca_file(files_.certificate_file));
  EXPECT_FALSE(check_ca_file(folder_ / "none.pem"));
  // One that is for another host.
  server_->stop();
  async::block_on(server_->wait_idle(deadline_in(60s)));
  files_ = other_;
  start();
  EXPECT_FALSE(ask("127.0.0.1", other_.certificate_file));
}

// The file is read once for all connections, and again when it was written anew.
TEST_F(TlsTest, ARenewedAuthorityIsBelieved) {
  start();
  const std::string authority = folder_ / "authority.pem";
  std::filesystem::copy_file(other_.certificate_file, authority);
  EXPECT_FALSE(ask("127.0.0.1", authority));
  std::filesystem::copy_file(files_.certificate_file, folder_ / "next.pem");
  std::filesystem::rename(folder_ / "next.pem", authority);
  EXPECT_TRUE(ask("127.0.0.1", authority));
  // What does not read well, or is gone, changes nothing.
  std::filesystem::copy_file(files_.key_file, folder_ / "next.pem");
  std::filesystem::rename(folder_ / "next.pem", authority);
  EXPECT_TRUE(ask("127.0.0.1", authority));
  std::filesystem::remove(authority);
  EXPECT_TRUE(ask("127.0.0.1", authority));
}

// Whoever waits at this FIFO goes on; nobody need wait there.
void let_go(const std::string& fifo) { std::fstream(fifo, std::ios::in | std::ios::out) << ""; }

// Whoever opens this file waits for somebody who writes: as on a file system that hangs.
TEST_F(TlsTest, AnAuthorityThatHangsHoldsUpWhoNeedsItAndNothingElse) {
  start();
  const std::string hanging = folder_ / "hanging.pem";
  ASSERT_EQ(::mkfifo(hanging.c_str(), 0600), 0);
  const auto scenario = [](Endpoint endpoint) -> async::Task<void> {
    const auto beside = [](int& turns) -> async::Task<void> {
      for (; turns < 5; ++turns) co_await async::sleep_for(1ms);
    };
    int turns = 0;
    async::TaskGroup others(*async::EventLoop::current());
    others.spawn(beside(turns));
    const auto client = ClientConnection::make(std::move(endpoint));
    const auto late = co_await client->request({.method = "GET", .target = "/", .fields = {}}, {},
                                               deadline_in(50ms));
    EXPECT_FALSE(late);
    if (!late) EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
    co_await others.wait_idle();
    EXPECT_EQ(turns, 5);
  };
  async::block_on(
      scenario({.host = "127.0.0.1", .port = server_->port(), .tls = true, .ca_file = hanging}));
  let_go(hanging);
}

TEST_F(TlsTest, WhatAnAuthoritySaidCountsWhileItHangs) {
  start();
  const std::string authority = folder_ / "once.pem";
  std::filesystem::copy_file(files_.certificate_file, authority);
  ASSERT_TRUE(check_ca_file(authority));
  ASSERT_EQ(::mkfifo((folder_ / "hanging").c_str(), 0600), 0);
  std::filesystem::rename(folder_ / "hanging", authority);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ask("127.0.0.1", authority));
  let_go(authority);
}

// The certificate's file hangs: the loop goes on and so does the server.
TEST_F(TlsTest, ACertificateThatHangsHoldsUpNobody) {
  start();
  const std::string moved = folder_ / "moved.pem";
  std::filesystem::copy_file(files_.certificate_file, moved);
  ASSERT_EQ(::mkfifo((folder_ / "hanging").c_str(), 0600), 0);
  std::filesystem::rename(folder_ / "hanging", files_.certificate_file);
  const uint64_t begun = server_->status().deadline_rounds;
  while (server_->status().deadline_rounds < begun + 60) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(ask("127.0.0.1", moved));
  server_->stop();
  async::block_on(server_->wait_idle(deadline_in(60s)));
  let_go(files_.certificate_file);
}

TEST_F(TlsTest, AProxyHeaderComesBeforeTheHandshake) {
  ServerOptions options;
  options.proxy_protocol.add(*parse_ip_range("127.0.0.0/8"));
  options.proxy_protocol.seal();
  start(std::move(options));
  TlsSocket socket(server_->port(), proxy_from(203, 0, 113, 7));
  ASSERT_TRUE(socket.shaken());
  socket.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(socket.read_until("TLS_").contains("\r\n\r\n203.0.113.7 1.3 TLS_"));
  TlsSocket without(server_->port());
  EXPECT_FALSE(without.shaken());
  TlsSocket plain(server_->port(), proxy_from(203, 0, 113, 7, proxy_tls_field(false, "", "")));
  ASSERT_TRUE(plain.shaken());
  plain.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(plain.read_until("203.0.113.7   ").ends_with("203.0.113.7   "));
}

TEST_F(TlsTest, DeadlinesHoldBelowAndAboveTheHandshake) {
  ServerOptions options;
  options.clock = &clock_;
  start(std::move(options));
  // Nothing is said, and half a client hello.
  for (const std::string& hello : {std::string(), std::string("\x16\x03\x01\x02\x00\x01", 6)}) {
    RawSocket silent = RawSocket::connect(server_->port());
    silent.send(hello);
    while (server_->status().connections == 0) std::this_thread::sleep_for(1ms);
    settle();
    clock_.advance(31s);
    EXPECT_EQ(silent.read_all(), "");
    while (server_->status().connections > 0) std::this_thread::sleep_for(1ms);
  }
  // A head that stops, and a body: the answer still comes.
  TlsSocket half(server_->port());
  ASSERT_TRUE(half.shaken());
  half.send("GET / HT");
  settle();
  clock_.advance(31s);
  EXPECT_TRUE(half.read_until("time").starts_with("HTTP/1.1 408"));
  TlsSocket socket(server_->port());
  ASSERT_TRUE(socket.shaken());
  socket.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
  while (received_ < 4) std::this_thread::sleep_for(1ms);
  settle();
  clock_.advance(61s);
  const std::string answer = socket.read_until("late");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400")) << answer;
}

}  // namespace
}  // namespace rondel::http
