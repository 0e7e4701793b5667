// The streams over asio sockets; included by the .cc files of common/http alone, since it brings asio along.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/container/static_vector.hpp>

#include "common/http/stream.h"

namespace rondel::http {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using ErrorCodeOf = boost::system::error_code;
using Socket = asio::basic_stream_socket<tcp, asio::io_context::executor_type>;

inline void record(IoOutcome& outcome, const ErrorCodeOf& error, size_t count) {
  outcome.count = count;
  if (!error) return;
  outcome.failed = true;
  outcome.end_of_stream = error == asio::error::eof || error == asio::ssl::error::stream_truncated;
  outcome.message = error.message();
}

template <class AsioStream>
class StreamOver : public Stream {
 public:
  template <class... Arguments>
  explicit StreamOver(Arguments&&... arguments) : stream_(std::forward<Arguments>(arguments)...) {}

  AsioStream& asio_stream() { return stream_; }
  Socket& socket() {
    if constexpr (std::is_same_v<AsioStream, Socket>) {
      return stream_;
    } else {
      return stream_.next_layer();
    }
  }

  void start_read(std::span<std::byte> into, IoOutcome& outcome, std::coroutine_handle<> resume) override {
    stream_.async_read_some(asio::mutable_buffer(into.data(), into.size()),
                            [&outcome, resume](const ErrorCodeOf& error, size_t count) {
                              record(outcome, error, count);
                              resume.resume();
                            });
  }

  void start_write(std::span<const ByteView> views, IoOutcome& outcome, std::coroutine_handle<> resume) override {
    boost::container::static_vector<asio::const_buffer, 4> buffers;
    for (ByteView view : views) {
      if (!view.empty()) buffers.emplace_back(view.data(), view.size());
    }
    asio::async_write(stream_, buffers, [&outcome, resume](const ErrorCodeOf& error, size_t count) {
      record(outcome, error, count);
      resume.resume();
    });
  }

  void start_handshake(IoOutcome& outcome, std::coroutine_handle<> resume) override {
    if constexpr (std::is_same_v<AsioStream, Socket>) {
      asio::post(stream_.get_executor(), [resume] { resume.resume(); });
    } else {
      stream_.async_handshake(handshake_side, [&outcome, resume](const ErrorCodeOf& error) {
        record(outcome, error, 0);
        resume.resume();
      });
    }
  }

  std::string tls_version() override {
    if constexpr (std::is_same_v<AsioStream, Socket>) {
      return {};
    } else {
      // "TLSv1.3"
      return std::string(SSL_get_version(stream_.native_handle())).substr(4);
    }
  }

  std::string server_name() override {
    if constexpr (std::is_same_v<AsioStream, Socket>) {
      return {};
    } else {
      const char* name = SSL_get_servername(stream_.native_handle(), TLSEXT_NAMETYPE_host_name);
      return name == nullptr ? std::string() : name;
    }
  }

  void shutdown_send() override {
    ErrorCodeOf ignored;
    socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  void close() override {
    ErrorCodeOf ignored;
    socket().close(ignored);
  }

  asio::ssl::stream_base::handshake_type handshake_side = asio::ssl::stream_base::server;

 private:
  AsioStream stream_;
};

using PlainStream = StreamOver<Socket>;
using TlsStream = StreamOver<asio::ssl::stream<Socket>>;

}  // namespace rondel::http
