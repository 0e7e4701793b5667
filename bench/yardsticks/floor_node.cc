// A storage node at its cheapest: takes frames over a unix socket, appends each to a log with its
// CRC-32C, flushes what has come together once (group commit), answers. Never reads back.
// floor_node SOCKET LOG
#include <fcntl.h>
#include <isa-l/crc.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>

#include "frames.h"

namespace asio = boost::asio;
using Protocol = asio::local::stream_protocol;

namespace {

constexpr size_t kLogBytes = 1ull << 30;  // Used again from its start when full.
constexpr size_t kRecordHead = 64;

struct Session : std::enable_shared_from_this<Session> {
  explicit Session(Protocol::socket connected) : socket(std::move(connected)) {}

  void flush() {
    if (writing || out.empty()) return;
    writing = true;
    wire.swap(out);
    out.clear();
    asio::async_write(socket, asio::buffer(wire),
                      [self = shared_from_this()](boost::system::error_code error, size_t) {
                        self->writing = false;
                        if (!error) self->flush();
                      });
  }

  Protocol::socket socket;
  std::vector<char> in = std::vector<char>(1 << 20);
  size_t held = 0;
  std::vector<char> out;
  std::vector<char> wire;
  bool writing = false;
};

struct Waiting {
  std::shared_ptr<Session> session;
  uint64_t id;
};

asio::io_context context(1);
std::mutex mutex;
std::condition_variable ready;
std::vector<char> records;     // Guarded by mutex.
std::vector<Waiting> waiting;  // Guarded by mutex.

void append_record(const char* bytes, uint32_t length) {
  char head[kRecordHead] = {};
  const uint32_t crc = crc32_iscsi(reinterpret_cast<unsigned char*>(const_cast<char*>(bytes)),
                                   static_cast<int>(length), ~0u);
  std::memcpy(head, &crc, 4);
  std::memcpy(head + 4, &length, 4);
  records.insert(records.end(), head, head + kRecordHead);
  records.insert(records.end(), bytes, bytes + length);
}

size_t take_frames(Session& session) {
  size_t at = 0;
  const std::lock_guard lock(mutex);
  while (session.held - at >= floor_chain::kFrameHead) {
    uint32_t length = 0;
    uint64_t id = 0;
    std::memcpy(&length, &session.in[at + 1], 4);
    std::memcpy(&id, &session.in[at + 5], 8);
    if (session.held - at < floor_chain::kFrameHead + length) break;
    append_record(&session.in[at + floor_chain::kFrameHead], length);
    waiting.push_back({session.shared_from_this(), id});
    at += floor_chain::kFrameHead + length;
  }
  return at;
}

asio::awaitable<void> serve(std::shared_ptr<Session> session) {
  for (;;) {
    const auto room =
        asio::buffer(session->in.data() + session->held, session->in.size() - session->held);
    const auto [error, count] =
        co_await session->socket.async_read_some(room, asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
    session->held += count;
    const size_t used = take_frames(*session);
    if (used > 0) ready.notify_one();
    std::memmove(session->in.data(), session->in.data() + used, session->held - used);
    session->held -= used;
  }
}

asio::awaitable<void> accept_all(std::string path) {
  unlink(path.c_str());
  Protocol::acceptor acceptor(context, Protocol::endpoint(path));
  for (;;) {
    auto socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(context, serve(std::make_shared<Session>(std::move(socket))), asio::detached);
  }
}

void answer(std::vector<Waiting> stored) {
  for (const Waiting& one : stored) {
    const size_t at = one.session->out.size();
    one.session->out.resize(at + floor_chain::kAnswerBytes);
    std::memcpy(&one.session->out[at], &one.id, 8);
  }
  for (const Waiting& one : stored) one.session->flush();
}

void flush_forever(int log) {
  std::vector<char> batch;
  std::vector<Waiting> stored;
  size_t at = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex);
      ready.wait(lock, [] { return !waiting.empty(); });
      batch.clear();
      stored.clear();
      batch.swap(records);
      stored.swap(waiting);
    }
    if (at + batch.size() > kLogBytes) at = 0;
    const ssize_t written = pwrite(log, batch.data(), batch.size(), static_cast<off_t>(at));
    if (written != static_cast<ssize_t>(batch.size()) || fdatasync(log) != 0) {
      std::perror("log");
      std::abort();
    }
    at += batch.size();
    asio::post(context, [stored = std::move(stored)]() mutable { answer(std::move(stored)); });
    stored = {};
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) {
    std::fprintf(stderr, "floor_node SOCKET LOG\n");
    return 2;
  }
  const int log = open(words[2], O_CREAT | O_RDWR, 0644);
  if (log < 0 || fallocate(log, 0, 0, kLogBytes) != 0) {
    std::perror(words[2]);
    return 1;
  }
  std::thread flusher(flush_forever, log);
  asio::co_spawn(context, accept_all(words[1]), asio::detached);
  context.run();
}
