// MemoryExchange: one HTTP request whose body comes in the runs a test chose, and the answer it
// got. One loop.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/http/server.h"

namespace rondel::fakes {

class MemoryExchange final : public http::Exchange {
 public:
  explicit MemoryExchange(http::RequestHead head) : head_(std::move(head)) {}

  // The body in runs of at most `run` bytes; then its end, or `broken` in place of it.
  void set_body(std::string body, size_t run = 256 * 1024,
                std::optional<Error> broken = std::nullopt) {
    body_ = std::move(body);
    run_ = run;
    broken_ = std::move(broken);
  }

  const http::RequestHead& head() const override { return head_; }

  const http::ConnectionInfo& connection() const override { return connection_; }

  void expect_body(http::BodyKind kind) override { kinds.push_back(kind); }

  uint64_t body_bytes_read() const override { return at_; }

  uint64_t body_bytes_written() const override { return response_body.size(); }

  async::Task<Result<ByteView>> read_body() override {
    ++reads;
    if (before_body) std::exchange(before_body, {})();
    if (at_ == body_.size() && broken_) co_return std::unexpected(*broken_);
    // A buffer that is used again, as a connection's is: earlier runs must not be looked at any
    // more.
    buffer_.assign(body_, at_, run_);
    at_ += buffer_.size();
    co_return as_bytes(buffer_);
  }

  async::Task<Result<void>> respond(http::ResponseHead head, std::string body) override {
    response = std::move(head);
    response_body = std::move(body);
    responded_ = true;
    co_return Result<void>{};
  }

  async::Task<Result<void>> respond_head_only(http::ResponseHead head,
                                              std::optional<uint64_t>) override {
    response = std::move(head);
    responded_ = true;
    co_return Result<void>{};
  }

  async::Task<Result<void>> start_response(http::ResponseHead head, uint64_t) override {
    response = std::move(head);
    responded_ = true;
    co_return Result<void>{};
  }

  async::Task<Result<void>> write_body(ByteSlice bytes) override {
    response_body += as_text(bytes.view());
    co_return Result<void>{};
  }

  bool responded() const override { return responded_; }

  void abort() override { aborted = true; }

  http::ResponseHead response;
  std::string response_body;
  bool aborted = false;
  int reads = 0;                      // Calls of read_body().
  std::vector<http::BodyKind> kinds;  // That were expected, in turn.
  std::function<void()> before_body;  // What happens while the body is on its way.

 private:
  const http::RequestHead head_;
  const http::ConnectionInfo connection_{.peer_address = "127.0.0.1"};
  std::string body_;
  std::string buffer_;
  size_t run_ = 0;
  size_t at_ = 0;
  std::optional<Error> broken_;
  bool responded_ = false;
};

}  // namespace rondel::fakes
