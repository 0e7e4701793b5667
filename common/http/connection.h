// One connection of the server: reads heads, runs the handler, keeps the framing honest. Internal
// to common/http.
#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <optional>

#include "common/http/chunked_decoder.h"
#include "common/http/pace.h"
#include "common/http/server.h"
#include "common/http/stream.h"

namespace rondel::http {

struct ServerCounters {
  std::atomic<uint64_t> connections{0};
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> malformed{0};
  std::atomic<uint64_t> slow{0};
  std::atomic<uint64_t> body_bytes_read{0};
  std::atomic<uint64_t> body_bytes_written{0};
};

// How far a server has come with its end. Set from any thread.
struct Ending {
  std::atomic<bool> leaving{false};   // Each answer ends its connection.
  std::atomic<bool> stopping{false};  // So do connections that wait for a request.
};

// Used on its loop alone, but for Ending.
class Connection final : public Exchange {
 public:
  // `peer`: of the socket; nullopt when it is gone already.
  Connection(std::unique_ptr<Stream> stream, bool tls, std::optional<IpAddress> peer,
             const ServerOptions& options, const Handler& handler, ServerCounters& counters,
             const Ending& ending);

  // Until the connection ends.
  async::Task<void> serve();

  // Ends what takes too long, and the connection when it idles while the server stops. Called from
  // time to time.
  void check_deadline(SteadyTime now);

  void cut() { stream_->close(); }

  const RequestHead& head() const override { return head_; }

  const ConnectionInfo& connection() const override {
    return forwarded_info_ ? *forwarded_info_ : info_;
  }

  void expect_body(BodyKind kind) override;
  async::Task<Result<ByteView>> read_body() override;

  uint64_t body_bytes_read() const override { return body_read_; }

  uint64_t body_bytes_written() const override;
  async::Task<Result<void>> respond(ResponseHead head, std::string body) override;
  async::Task<Result<void>> respond_head_only(ResponseHead head,
                                              std::optional<uint64_t> content_length) override;
  async::Task<Result<void>> start_response(ResponseHead head, uint64_t content_length) override;
  async::Task<Result<void>> write_body(ByteSlice bytes) override;

  bool responded() const override { return responded_; }

  void abort() override;

 private:
  // For whom or what: says which deadline counts.
  enum class Waiting { kIdle, kHead, kBody, kAnswer, kHandler, kDraining };

  async::Task<bool> open();
  async::Task<bool> read_proxy_header();
  async::Task<bool> read_raw(std::span<std::byte> into);
  async::Task<bool> read_head();
  async::Task<bool> take_head(size_t length);
  std::expected<void, Refusal> take_forwarded();
  async::Task<void> refuse(Refusal refusal);
  void begin_request();
  async::Task<bool> end_request();
  void count_bytes();
  async::Task<void> drain_body();
  async::Task<void> drain();
  async::Task<Result<void>> send_continue();
  async::Task<Result<ByteView>> read_run(Waiting what);
  async::Task<Result<ByteView>> read_sized_body(Waiting what);
  async::Task<Result<ByteView>> read_chunked_body(Waiting what);
  async::Task<Result<size_t>> fill(Waiting what, size_t most);
  async::Task<Result<void>> write_views(std::span<const ByteView> views);
  void append_head(const ResponseHead& head, std::optional<uint64_t> content_length);
  bool body_unread() const;

  SteadyTime now() const { return options_.clock->steady_now(); }

  // Waits for the peer from here on, until stop_waiting().
  void wait(Waiting what);
  void stop_waiting();
  Pace* pace_of(Waiting what);
  bool is_late(SteadyTime at);
  uint64_t taken();

  std::string_view buffered() const { return {buffer_.get() + begin_, end_ - begin_}; }

  void make_room(size_t wanted);
  void keep_only(size_t capacity);

  std::unique_ptr<Stream> stream_;
  const bool tls_;  // The stream's.
  bool shaken_ = false;
  ConnectionInfo info_;
  std::optional<IpAddress> peer_;  // The socket's, or whom a PROXY header names.
  bool peer_is_trusted_ = false;
  const ServerOptions& options_;
  const Handler& handler_;
  ServerCounters& counters_;
  const Ending& ending_;

  // What was read and not used: [begin_, end_) of capacity_ bytes. None while nothing is there.
  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;

  Waiting waiting_ = Waiting::kIdle;
  SteadyTime deadline_ = SteadyTime::max();       // Of kIdle and kDraining.
  SteadyTime body_deadline_ = SteadyTime::max();  // Of the whole of an object's body.
  Pace head_pace_;  // From the first byte to the end of the head; then of a form's fields.
  Pace body_pace_;
  Pace answer_pace_;
  bool late_ = false;  // The peer did not send in time: no byte of this request is read any more.

  // Of the request at hand.
  RequestHead head_;
  std::optional<ConnectionInfo> forwarded_info_;
  ChunkedDecoder decoder_;
  BodyKind body_kind_ = BodyKind::kDocument;
  uint64_t body_left_ = 0;
  uint64_t body_read_ = 0;
  bool continue_wanted_ = false;
  bool responded_ = false;
  bool keep_alive_ = true;
  bool broken_ = false;        // No further byte may be read or written.
  bool head_pending_ = false;  // response_text_ waits for the first body bytes.
  std::string response_text_;
  uint64_t response_left_ = 0;
  uint64_t answer_begins_ = 0;  // Bytes written before the answer.
};

}  // namespace rondel::http
