#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <limits>

#include "common/http/stream_impl.hpp"

namespace rondel::http {
namespace {

void record(IoOutcome& outcome, const ErrorCodeOf& error, size_t count) {
  outcome.count = count;
  if (!error) return;
  outcome.failed = true;
  outcome.end_of_stream = error == asio::error::eof;
  outcome.message = error.message();
}

}  // namespace

void SocketStream::start_wait(IoOutcome& outcome, std::coroutine_handle<> resume) {
  socket_.async_wait(Socket::wait_read, [&outcome, resume](const ErrorCodeOf& error) {
    record(outcome, error, 0);
    resume.resume();
  });
}

void SocketStream::start_read_raw(std::span<std::byte> into, IoOutcome& outcome,
                                  std::coroutine_handle<> resume) {
  socket_.async_read_some(asio::mutable_buffer(into.data(), into.size()),
                          [&outcome, resume](const ErrorCodeOf& error, size_t count) {
                            record(outcome, error, count);
                            resume.resume();
                          });
}

size_t SocketStream::readable() {
  ErrorCodeOf ignored;
  return socket_.available(ignored);
}

uint64_t SocketStream::untaken() {
  int bytes = 0;
  if (!socket_.is_open() || ::ioctl(socket_.native_handle(), SIOCOUTQ, &bytes) != 0) return 0;
  return static_cast<uint64_t>(std::max(bytes, 0));
}

void SocketStream::cancel() {
  ErrorCodeOf ignored;
  socket_.cancel(ignored);
}

void SocketStream::shutdown_send() {
  ErrorCodeOf ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void SocketStream::close() {
  ErrorCodeOf ignored;
  socket_.close(ignored);
}

void SocketStream::reset() {
  ErrorCodeOf ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  close();
}

void PlainStream::start_write(std::span<const ByteView> views, IoOutcome& outcome,
                              std::coroutine_handle<> resume) {
  boost::container::static_vector<asio::const_buffer, 4> buffers;
  for (const ByteView view : views) {
    if (!view.empty()) buffers.emplace_back(view.data(), view.size());
  }
  // Asked after each piece that went, but for the last: what has gone is counted while the rest
  // waits.
  const auto more = [this, before = written_](const ErrorCodeOf& error, size_t count) {
    written_ = before + count;
    return error ? 0 : std::numeric_limits<size_t>::max();
  };
  asio::async_write(
      socket_, buffers, more,
      [this, &outcome, resume, before = written_](const ErrorCodeOf& error, size_t count) {
        written_ = before + count;
        record(outcome, error, count);
        resume.resume();
      });
}

void PlainStream::start_handshake(IoOutcome&, std::coroutine_handle<> resume) {
  asio::post(socket_.get_executor(), [resume] { resume.resume(); });
}

}  // namespace rondel::http
