// One connection of the server: reads heads, runs the handler, keeps the framing honest. Internal to common/http.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "common/http/chunked_decoder.h"
#include "common/http/server.h"
#include "common/http/stream.h"

namespace rondel::http {

struct ServerCounters {
  std::atomic<uint64_t> connections{0};
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> malformed{0};
};

// Used on its loop alone, but for stopping.
class Connection final : public Exchange {
 public:
  Connection(std::unique_ptr<Stream> stream, ConnectionInfo info, const ServerOptions& options, const Handler& handler,
             ServerCounters& counters, const std::atomic<bool>& stopping);

  // Until the connection ends.
  async::Task<void> serve();

  // Ends it when its deadline has passed, or when it idles while the server stops.
  void check_deadline(SteadyTime now);
  void cut() { stream_->close(); }

  const RequestHead& head() const override { return head_; }
  const ConnectionInfo& connection() const override { return info_; }
  async::Task<Result<ByteView>> read_body() override;
  async::Task<Result<void>> respond(ResponseHead head, std::string body) override;
  async::Task<Result<void>> respond_head_only(ResponseHead head, std::optional<uint64_t> content_length) override;
  async::Task<Result<void>> start_response(ResponseHead head, uint64_t content_length) override;
  async::Task<Result<void>> write_body(ByteSlice bytes) override;
  bool responded() const override { return responded_; }
  void abort() override;

 private:
  enum class Waiting { kIdle, kHead, kBody, kHandler, kDraining };

  async::Task<bool> read_head();
  async::Task<void> refuse(int status, std::string reason);
  void begin_request();
  async::Task<bool> end_request();
  async::Task<void> drain_body();
  async::Task<void> drain();
  async::Task<Result<void>> send_continue();
  async::Task<Result<ByteView>> read_sized_body();
  async::Task<Result<ByteView>> read_chunked_body();
  async::Task<Result<size_t>> fill(size_t wanted);
  async::Task<Result<void>> write_views(std::span<const ByteView> views);
  void append_head(const ResponseHead& head, std::optional<uint64_t> content_length);
  bool body_unread() const;
  void wait(Waiting what);
  std::string_view buffered() const { return {buffer_.data() + begin_, end_ - begin_}; }
  void make_room(size_t wanted);

  std::unique_ptr<Stream> stream_;
  ConnectionInfo info_;
  const ServerOptions& options_;
  const Handler& handler_;
  ServerCounters& counters_;
  const std::atomic<bool>& stopping_;

  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  Waiting waiting_ = Waiting::kIdle;
  SteadyTime deadline_ = SteadyTime::max();

  // Of the request at hand.
  RequestHead head_;
  ChunkedDecoder decoder_;
  uint64_t body_left_ = 0;
  bool continue_wanted_ = false;
  bool responded_ = false;
  bool keep_alive_ = true;
  bool broken_ = false;             // No further byte may be read or written.
  bool head_pending_ = false;       // response_text_ waits for the first body bytes.
  std::string response_text_;
  uint64_t response_left_ = 0;
};

}  // namespace rondel::http
