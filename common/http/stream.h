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
  std::string message;  // Of a failure.
};

class Stream {
 public:
  virtual ~Stream() = default;

  // Each resumes the handle on the loop when done; never inline. One read and one write at a time.
  virtual void start_read(std::span<std::byte> into, IoOutcome& outcome,
                          std::coroutine_handle<> resume) = 0;
  // Until a read would get something: bytes, the end, or a failure. Holds no memory meanwhile.
  virtual void start_wait(IoOutcome& outcome, std::coroutine_handle<> resume) = 0;
  // Below TLS; before the handshake alone.
  virtual void start_read_raw(std::span<std::byte> into, IoOutcome& outcome,
                              std::coroutine_handle<> resume) = 0;
  // Writes everything. At most 4 views.
  virtual void start_write(std::span<const ByteView> views, IoOutcome& outcome,
                           std::coroutine_handle<> resume) = 0;
  virtual void start_handshake(IoOutcome& outcome, std::coroutine_handle<> resume) = 0;

  // About how many bytes a read would get at once.
  virtual size_t readable() = 0;
  // Bytes given to the system so far, also by a write that is not done, and how many of them the
  // peer has not taken yet.
  virtual uint64_t written() const = 0;
  virtual uint64_t untaken() = 0;

  // "1.3" and "TLS_AES_256_GCM_SHA384" after the handshake; empty without TLS.
  virtual std::string tls_version() = 0;
  virtual std::string tls_cipher() = 0;
  // The host that the peer asked for while shaking hands; empty: none, or no TLS.
  virtual std::string server_name() = 0;

  // Fails what is pending; the stream can be used on.
  virtual void cancel() = 0;
  // No more bytes to the peer; reading goes on.
  virtual void shutdown_send() = 0;
  // Ends pending operations with a failure. Safe to call twice.
  virtual void close() = 0;
  // The same, and drops what the peer has not taken.
  virtual void reset() = 0;

  struct Read {
    Stream& stream;
    std::span<std::byte> into;
    bool raw = false;
    IoOutcome outcome = {};

    bool await_ready() const { return false; }

    void await_suspend(std::coroutine_handle<> handle) {
      raw ? stream.start_read_raw(into, outcome, handle) : stream.start_read(into, outcome, handle);
    }

    IoOutcome await_resume() { return std::move(outcome); }
  };

  struct Wait {
    Stream& stream;
    IoOutcome outcome = {};

    bool await_ready() const { return false; }

    void await_suspend(std::coroutine_handle<> handle) { stream.start_wait(outcome, handle); }

    IoOutcome await_resume() { return std::move(outcome); }
  };

  struct Write {
    Stream& stream;
    std::span<const ByteView> views;
    IoOutcome outcome = {};

    bool await_ready() const { return false; }

    void await_suspend(std::coroutine_handle<> handle) {
      stream.start_write(views, outcome, handle);
    }

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

  Read read_raw(std::span<std::byte> into) { return {*this, into, true}; }

  Wait wait() { return {*this}; }

  Write write(std::span<const ByteView> views) { return {*this, views}; }

  Handshake handshake() { return {*this}; }
};

}  // namespace rondel::http
