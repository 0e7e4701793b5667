// The exchange of a request whose head has lists in several lines, with each of them joined.
#pragma once

#include <utility>

#include "common/http/message.h"
#include "common/http/server.h"

namespace rondel::api {

class JoinedExchange final : public http::Exchange {
 public:
  // `outer` outlives it.
  JoinedExchange(http::Exchange& outer, http::Fields fields) : outer_(outer), head_(outer.head()) {
    head_.fields = std::move(fields);
  }

  const http::RequestHead& head() const override { return head_; }

  const http::ConnectionInfo& connection() const override { return outer_.connection(); }

  void expect_body(http::BodyKind kind) override { outer_.expect_body(kind); }

  async::Task<Result<ByteView>> read_body() override { return outer_.read_body(); }

  uint64_t body_bytes_read() const override { return outer_.body_bytes_read(); }

  uint64_t body_bytes_written() const override { return outer_.body_bytes_written(); }

  async::Task<Result<void>> respond(http::ResponseHead head, std::string body) override {
    return outer_.respond(std::move(head), std::move(body));
  }

  async::Task<Result<void>> respond_head_only(http::ResponseHead head,
                                              std::optional<uint64_t> content_length) override {
    return outer_.respond_head_only(std::move(head), content_length);
  }

  async::Task<Result<void>> start_response(http::ResponseHead head,
                                           uint64_t content_length) override {
    return outer_.start_response(std::move(head), content_length);
  }

  async::Task<Result<void>> write_body(ByteSlice bytes) override {
    return outer_.write_body(std::move(bytes));
  }

  bool responded() const override { return outer_.responded(); }

  void abort() override { outer_.abort(); }

 private:
  http::Exchange& outer_;
  http::RequestHead head_;
};

}  // namespace rondel::api
