// The cheapest chain that keeps the promise of a PUT: parse the request, hash what a signature
// covers, hash the body twice (SHA-256, MD5), three nodes that flush, one PostgreSQL row committed
// in batches, answer. One thread and one for PostgreSQL. The fresh table for each round is the
// caller's choice.   floor_gateway PORT DSN TABLE NODE_SOCKET...
#include <libpq-fe.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "frames.h"

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using NodeSocket = asio::basic_stream_socket<asio::local::stream_protocol, Executor>;
template <class T>
using Awaitable = asio::awaitable<T, Executor>;

namespace {

constexpr size_t kBufferBytes = 64 * 1024;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable_t<Executor>{});
constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\nServer: floor\r\nETag: "
    "\"0123456789abcdef0123456789abcdef\"\r\nx-amz-request-id: 0123456789\r\n"
    "Content-Length: 0\r\n\r\n";

asio::io_context context(1);

// Calls `done` when `left` answers have come.
struct Latch {
  int left;
  std::function<void()> done = nullptr;

  void arrive() {
    if (--left == 0 && done) std::exchange(done, nullptr)();
  }
};

class Node {
 public:
  void connect(const std::string& path) {
    socket_.connect(asio::local::stream_protocol::endpoint(path));
    read();
  }

  void store(uint64_t id, const char* bytes, uint32_t length, Latch& latch) {
    floor_chain::append_frame(out_, floor_chain::kStore, id, bytes, length);
    latches_.emplace(id, &latch);
    flush();
  }

 private:
  void flush() {
    if (writing_ || out_.empty()) return;
    writing_ = true;
    wire_.swap(out_);
    out_.clear();
    asio::async_write(socket_, asio::buffer(wire_),
                      [this](boost::system::error_code error, size_t) {
                        writing_ = false;
                        if (!error) flush();
                      });
  }

  void read() {
    socket_.async_read_some(
        asio::buffer(in_.data() + held_, in_.size() - held_),
        [this](boost::system::error_code error, size_t count) {
          if (error) return;
          held_ += count;
          std::vector<Latch*> arrived;  // Answered after the buffer is in order again.
          size_t at = 0;
          for (; held_ - at >= floor_chain::kAnswerBytes; at += floor_chain::kAnswerBytes) {
            uint64_t id = 0;
            std::memcpy(&id, &in_[at], 8);
            const auto found = latches_.find(id);
            arrived.push_back(found->second);
            latches_.erase(found);
          }
          std::memmove(in_.data(), in_.data() + at, held_ - at);
          held_ -= at;
          for (Latch* latch : arrived) latch->arrive();
          read();
        });
  }

  NodeSocket socket_{context};
  std::vector<char> out_, wire_;
  bool writing_ = false;
  std::vector<char> in_ = std::vector<char>(1 << 18);
  size_t held_ = 0;
  std::unordered_map<uint64_t, Latch*> latches_;
};

std::array<Node, 3> nodes;
uint64_t next_id = 1;

// Rows that wait are committed together by one statement.
class Committer {
 public:
  Committer(const char* dsn, const std::string& table) : connection_(PQconnectdb(dsn)) {
    if (PQstatus(connection_) != CONNECTION_OK) die();
    run("create table if not exists " + table +
        " (bucket_id bigint, key text collate \"C\", size bigint, etag text, loc bytea, mtime "
        "timestamptz default now(),"
        " primary key (bucket_id, key))");
    const std::string statement =
        "insert into " + table +
        " (bucket_id, key, size, etag) select 7, k, 4096, e from unnest($1::text[], $2::text[]) as "
        "t(k, e)"
        " on conflict (bucket_id, key) do update set size = excluded.size, etag = excluded.etag";
    PGresult* const prepared = PQprepare(connection_, "commit", statement.c_str(), 0, nullptr);
    if (PQresultStatus(prepared) != PGRES_COMMAND_OK) die();
    PQclear(prepared);
    thread_ = std::thread([this] { work(); });
  }

  void commit(std::string key, std::string etag, Latch& latch) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back({std::move(key), std::move(etag), &latch});
    }
    ready_.notify_one();
  }

 private:
  struct Row {
    std::string key, etag;
    Latch* latch;
  };

  [[noreturn]] void die() {
    std::fprintf(stderr, "PostgreSQL: %s", PQerrorMessage(connection_));
    std::exit(1);
  }

  void run(const std::string& statement) {
    PGresult* const result = PQexec(connection_, statement.c_str());
    if (PQresultStatus(result) != PGRES_COMMAND_OK) die();
    PQclear(result);
  }

  void commit_batch(const std::vector<Row>& batch) {
    std::unordered_set<std::string> seen;
    std::string keys = "{", etags = "{";
    for (const Row& row : batch) {
      if (!seen.insert(row.key).second) continue;
      if (keys.size() > 1) keys += ',', etags += ',';
      keys += row.key;
      etags += row.etag;
    }
    keys += '}';
    etags += '}';
    const char* values[2] = {keys.c_str(), etags.c_str()};
    PGresult* const result = PQexecPrepared(connection_, "commit", 2, values, nullptr, nullptr, 1);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) die();
    PQclear(result);
  }

  void work() {
    for (;;) {
      std::vector<Row> batch;
      {
        std::unique_lock lock(mutex_);
        ready_.wait(lock, [this] { return !waiting_.empty(); });
        batch.swap(waiting_);
      }
      commit_batch(batch);
      asio::post(context, [batch = std::move(batch)] {
        for (const Row& row : batch) row.latch->arrive();
      });
    }
  }

  PGconn* connection_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<Row> waiting_;
  std::thread thread_;
};

Committer* committer = nullptr;
EVP_MD* md5 = nullptr;
EVP_MD* sha256 = nullptr;

std::array<unsigned char, 32> digest(EVP_MD_CTX* scratch, const EVP_MD* algorithm,
                                     std::string_view text) {
  std::array<unsigned char, 32> out{};
  unsigned size = 0;
  EVP_DigestInit_ex(scratch, algorithm, nullptr);
  EVP_DigestUpdate(scratch, text.data(), text.size());
  EVP_DigestFinal_ex(scratch, out.data(), &size);
  return out;
}

template <class Message>
void check_like_a_signature(EVP_MD_CTX* scratch, const Message& message) {
  std::string canonical;
  canonical.reserve(1024);
  canonical.append(message.method_string())
      .append(1, '\n')
      .append(message.target())
      .append(1, '\n');
  for (const auto& field : message) {
    canonical.append(field.name_string()).append(1, ':').append(field.value()).append(1, '\n');
  }
  auto hash = digest(scratch, sha256, canonical);
  unsigned size = 0;
  HMAC(sha256, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", 32, hash.data(), 32, hash.data(), &size);
}

std::string hex(const unsigned char* bytes, size_t count) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < count; ++i) out.append({kDigits[bytes[i] >> 4], kDigits[bytes[i] & 15]});
  return out;
}

class Session {
 public:
  explicit Session(Socket socket) : socket_(std::move(socket)), scratch_(EVP_MD_CTX_new()) {
    socket_.set_option(asio::ip::tcp::no_delay(true));
    buffer_.reserve(kBufferBytes);
  }

  ~Session() { EVP_MD_CTX_free(scratch_); }

  Awaitable<void> serve() {
    for (;;) {
      http::request_parser<http::buffer_body> parser;
      parser.body_limit(boost::none);
      const bool head = co_await read_head(parser);
      if (!head) co_return;
      const std::optional<size_t> size = co_await read_body(parser);
      if (!size) co_return;
      check_like_a_signature(scratch_, parser.get());
      const std::string_view body(body_.data(), *size);
      digest(scratch_, sha256, body);
      const auto etag = digest(scratch_, md5, body);

      Latch stored{3};
      for (Node& node : nodes) {
        node.store(next_id++, body.data(), static_cast<uint32_t>(body.size()), stored);
      }
      co_await wait(stored);
      Latch committed{1};
      committer->commit(std::string(parser.get().target()), hex(etag.data(), 16), committed);
      co_await wait(committed);
      const auto [error, count] =
          co_await asio::async_write(socket_, asio::buffer(kAnswer), kTuple);
      if (error) co_return;
    }
  }

 private:
  static Awaitable<void> wait(Latch& latch) {
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [&latch](auto handler) {
          if (latch.left == 0) {
            asio::post(context, std::move(handler));
            return;
          }
          latch.done = [kept = std::make_shared<decltype(handler)>(std::move(handler))] {
            (std::move(*kept))();
          };
        },
        asio::use_awaitable_t<Executor>{});
  }

  template <class Parser>
  Awaitable<bool> read_head(Parser& parser) {
    beast::error_code error;
    while (!parser.is_header_done()) {
      if (buffer_.size() > 0) {
        buffer_.consume(parser.put(buffer_.data(), error));
        if (parser.is_header_done()) break;
        if (error && error != http::error::need_more) co_return false;
      }
      const bool more = co_await read_more();
      if (!more) co_return false;
    }
    co_return true;
  }

  template <class Parser>
  Awaitable<std::optional<size_t>> read_body(Parser& parser) {
    size_t size = 0;
    while (!parser.is_done()) {
      parser.get().body().data = body_.data() + size;
      parser.get().body().size = body_.size() - size;
      if (buffer_.size() > 0) {
        beast::error_code error;
        buffer_.consume(parser.put(buffer_.data(), error));
        size = body_.size() - parser.get().body().size;
        if (error && error != http::error::need_more && error != http::error::need_buffer) {
          co_return std::nullopt;
        }
        if (parser.is_done()) break;
      }
      if (buffer_.size() > 0) continue;
      const bool more = co_await read_more();
      if (!more) co_return std::nullopt;
    }
    co_return size;
  }

  Awaitable<bool> read_more() {
    const auto [error, count] =
        co_await socket_.async_read_some(buffer_.prepare(kBufferBytes / 2), kTuple);
    if (error) co_return false;
    buffer_.commit(count);
    co_return true;
  }

  Socket socket_;
  EVP_MD_CTX* scratch_;
  beast::flat_buffer buffer_;
  std::vector<char> body_ = std::vector<char>(kBufferBytes);
};

Awaitable<void> serve(Socket socket) {
  Session session(std::move(socket));
  co_await session.serve();
}

Awaitable<void> accept_all(unsigned short port) {
  asio::basic_socket_acceptor<asio::ip::tcp, Executor> acceptor(context);
  acceptor.open(asio::ip::tcp::v4());
  acceptor.set_option(asio::socket_base::reuse_address(true));
  acceptor.bind({asio::ip::make_address("127.0.0.1"), port});
  acceptor.listen();
  for (;;) {
    auto socket = co_await acceptor.async_accept(asio::use_awaitable_t<Executor>{});
    asio::co_spawn(context, serve(Socket(std::move(socket))), asio::detached);
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 7) {
    std::fprintf(stderr, "floor_gateway PORT DSN TABLE NODE_SOCKET NODE_SOCKET NODE_SOCKET\n");
    return 2;
  }
  md5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
  sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  committer = new Committer(words[2], words[3]);
  for (size_t i = 0; i < nodes.size(); ++i) nodes[i].connect(words[4 + i]);
  asio::co_spawn(context, accept_all(static_cast<unsigned short>(std::atoi(words[1]))),
                 asio::detached);
  context.run();
}
