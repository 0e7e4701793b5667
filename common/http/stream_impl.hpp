// The streams over asio sockets; included by the .cc files of common/http alone, since it brings
// asio along.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/container/static_vector.hpp>

#include "common/http/stream.h"

namespace rondel::http {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using ErrorCodeOf = boost::system::error_code;
using Socket = asio::basic_stream_socket<tcp, asio::io_context::executor_type>;

// What both kinds do with their socket.
class SocketStream : public Stream {
 public:
  explicit SocketStream(Socket socket) : socket_(std::move(socket)) {}

  Socket& socket() { return socket_; }

  void start_wait(IoOutcome& outcome, std::coroutine_handle<> resume) override;
  void start_read_raw(std::span<std::byte> into, IoOutcome& outcome,
                      std::coroutine_handle<> resume) override;
  size_t readable() override;

  uint64_t written() const override { return written_; }

  uint64_t untaken() override;
  void cancel() override;
  void shutdown_send() override;
  void close() override;
  void reset() override;

 protected:
  Socket socket_;
  uint64_t written_ = 0;
};

class PlainStream final : public SocketStream {
 public:
  using SocketStream::SocketStream;

  void start_read(std::span<std::byte> into, IoOutcome& outcome,
                  std::coroutine_handle<> resume) override {
    start_read_raw(into, outcome, resume);
  }

  void start_write(std::span<const ByteView> views, IoOutcome& outcome,
                   std::coroutine_handle<> resume) override;
  void start_handshake(IoOutcome& outcome, std::coroutine_handle<> resume) override;

  std::string tls_version() override { return {}; }

  std::string tls_cipher() override { return {}; }

  std::string server_name() override { return {}; }
};

// TLS on the socket itself, without buffers between: OpenSSL holds memory for a record while one is
// on its way, and none for a connection that is silent.
class TlsStream final : public SocketStream {
 public:
  enum class Side { kServer, kClient };

  TlsStream(Socket socket, asio::ssl::context& context, Side side);
  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  SSL* handle() { return ssl_; }

  void start_read(std::span<std::byte> into, IoOutcome& outcome,
                  std::coroutine_handle<> resume) override;
  void start_wait(IoOutcome& outcome, std::coroutine_handle<> resume) override;
  void start_write(std::span<const ByteView> views, IoOutcome& outcome,
                   std::coroutine_handle<> resume) override;
  void start_handshake(IoOutcome& outcome, std::coroutine_handle<> resume) override;
  size_t readable() override;
  std::string tls_version() override;
  std::string tls_cipher() override;
  std::string server_name() override;

 private:
  using Step = void (TlsStream::*)();

  void start(IoOutcome& outcome, std::coroutine_handle<> resume, Step step);
  void step_handshake();
  void step_read();
  void step_write();
  // A record's worth of what is to be written, the same each time until some of it was.
  ByteView next_piece();
  void drop(size_t count);
  // After a call that did not succeed: waits for the socket and takes the step again, or ends.
  void go_on(int result, Step step);
  void finish();

  SSL* ssl_ = nullptr;
  std::span<std::byte> into_;
  boost::container::static_vector<ByteView, 4> views_;
  IoOutcome* outcome_ = nullptr;
  std::coroutine_handle<> resume_;
  bool starting_ = false;  // Inside of start(): nothing may be resumed from there.
};

}  // namespace rondel::http
