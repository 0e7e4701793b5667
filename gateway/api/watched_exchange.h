// The exchange of a request that gives way to others while it waits for nothing but its client.
#pragma once

#include "common/http/server.h"
#include "gateway/admission/pool.h"

namespace rondel::api {

// Tells the request's ticket when it waits for its client. Outlived by neither.
class WatchedExchange final : public http::Exchange {
 public:
  WatchedExchange(http::Exchange& inner, admission::Pool::Hold& ticket);

  const http::RequestHead& head() const override { return inner_.head(); }

  const http::ConnectionInfo& connection() const override { return inner_.connection(); }

  void expect_body(http::BodyKind kind) override { inner_.expect_body(kind); }

  async::Task<Result<ByteView>> read_body() override;

  uint64_t body_bytes_read() const override { return inner_.body_bytes_read(); }

  uint64_t body_bytes_written() const override { return inner_.body_bytes_written(); }

  async::Task<Result<void>> respond(http::ResponseHead head, std::string body) override;
  async::Task<Result<void>> respond_head_only(http::ResponseHead head,
                                              std::optional<uint64_t> content_length) override;

  async::Task<Result<void>> start_response(http::ResponseHead head,
                                           uint64_t content_length) override {
    return inner_.start_response(std::move(head), content_length);
  }

  async::Task<Result<void>> write_body(ByteSlice bytes) override;

  bool responded() const override { return inner_.responded(); }

  void abort() override { inner_.abort(); }

 private:
  void wait();
  void waited(uint64_t bytes);

  http::Exchange& inner_;
  admission::Pool::Hold& ticket_;
  const std::shared_ptr<http::Exchange*> alive_;
  SteadyTime began_{};
  Duration waited_{};   // For the client, since it last made progress.
  uint64_t bytes_ = 0;  // Moved since then.
};

}  // namespace rondel::api
