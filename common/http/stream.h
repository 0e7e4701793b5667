// A connected byte stream, plain or TLS, on one EventLoop. Internal to common/http.
#pragma once

#include <coroutine>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "common/async/event_loop.h"
#include "common/base/bytes.h"
#include "common/base/result.h"

namespace rondel::http {

// What an operation leaves behind.
struct IoOutcome {
  bool failed = false;
  bool end_of_stream = false;
  size_t count = 0;
  std::string message;      // Of a failure.
};

class Stream {
 public:
  virtual ~Stream() = default;

  // Resumes the handle on the loop when done; never inline. One read and one write at a time.
  virtual void start_read(std::span<std::byte> into, IoOutcome& outcome, std::coroutine_handle<> resume) = 0;
  // Writes everything. At most 4 views.
  virtual void start_write(std::span<const ByteView> views, IoOutcome& outcome, std::coroutine_handle<> resume) = 0;
  virtual void start_handshake(IoOutcome& outcome, std::coroutine_handle<> resume) = 0;
  // "1.3" after the handshake; empty without TLS.
  virtual std::string tls_version() = 0;
  // The host that the peer asked for while shaking hands; empty: none, or no TLS.
  virtual std::string server_name() = 0;
  // No more bytes to the peer; reading goes on.
  virtual void shutdown_send() = 0;
  // Ends pending operations with a failure. Safe to call twice.
  virtual void close() = 0;

  struct Read {
    Stream& stream;
    std::span<std::byte> into;
    IoOutcome outcome = {};
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle) { stream.start_read(into, outcome, handle); }
    IoOutcome await_resume() { return std::move(outcome); }
  };

  struct Write {
    Stream& stream;
    std::span<const ByteView> views;
    IoOutcome outcome = {};
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle) { stream.start_write(views, outcome, handle); }
    IoOutcome await_resume() { return std::move(outcome); }
  };

  struct Handshake {
    Stream& stream;
    IoOutcome outcome = {};
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle) { stream.start_handshake(outcome, handle); }
    IoOutcome await_resume() { return std::move(outcome); }
  };

  Read read(std::span<std::byte> into) { return {*this, into}; }
  Write write(std::span<const ByteView> views) { return {*this, views}; }
  Handshake handshake() { return {*this}; }
};

}  // namespace rondel::http
