#include "common/http/connection.h"

#include <ctime>

#include <algorithm>
#include <array>
#include <charconv>

#include "common/http/head_parser.h"
#include "common/http/head_writer.h"

namespace rondel::http {
namespace {

constexpr size_t kBufferStart = 8 * 1024;
constexpr size_t kRunMax = 256 * 1024;

// "Date: ...\r\n", made once a second per thread.
const std::string& date_line() {
  thread_local std::string line;
  thread_local std::time_t made_at = 0;
  const std::time_t now = std::time(nullptr);
  if (now != made_at) {
    made_at = now;
    std::tm utc{};
    gmtime_r(&now, &utc);
    char text[64];
    line.assign(text, std::strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc));
  }
  return line;
}

void append_number(std::string& out, uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

Error cut_off(const IoOutcome& outcome) {
  return {ErrorCode::kCancelled, outcome.end_of_stream || !outcome.failed ? "the client went away" : outcome.message};
}

}  // namespace

Connection::Connection(std::unique_ptr<Stream> stream, ConnectionInfo info, const ServerOptions& options,
                       const Handler& handler, ServerCounters& counters, const std::atomic<bool>& stopping)
    : stream_(std::move(stream)),
      info_(std::move(info)),
      options_(options),
      handler_(handler),
      counters_(counters),
      stopping_(stopping) {}

void Connection::wait(Waiting what) {
  waiting_ = what;
  Duration limit = options_.body_timeout;
  if (what == Waiting::kIdle) limit = options_.idle_timeout;
  if (what == Waiting::kHead) limit = options_.head_timeout;
  if (what == Waiting::kDraining) limit = std::chrono::seconds(5);
  deadline_ = what == Waiting::kHandler ? SteadyTime::max() : deadline_in(limit);
}

void Connection::check_deadline(SteadyTime now) {
  if (now >= deadline_ || (waiting_ == Waiting::kIdle && stopping_.load())) stream_->close();
}

async::Task<void> Connection::serve() {
  if (info_.tls) {
    wait(Waiting::kHead);
    const IoOutcome shaken = co_await stream_->handshake();
    if (shaken.failed) co_return;
    info_.tls_version = stream_->tls_version();
    info_.server_name = stream_->server_name();
  }
  bool more = true;
  while (more) {
    const bool complete = co_await read_head();
    if (!complete) break;
    begin_request();
    wait(Waiting::kHandler);
    co_await handler_(*this);
    more = co_await end_request();
  }
  stream_->close();
}

async::Task<bool> Connection::read_head() {
  bool begun = begin_ != end_;
  wait(begun ? Waiting::kHead : Waiting::kIdle);
  size_t scanned = 0;
  for (;;) {
    // Empty lines before a request line are tolerated (RFC 9112, section 2.2).
    while (buffered().starts_with("\r\n")) begin_ += 2;
    const std::string_view text = buffered();
    const size_t end = text.find("\r\n\r\n", scanned);
    if (end != std::string_view::npos && end + 4 <= options_.head_bytes_max) {
      auto parsed = parse_request_head(text.substr(0, end + 4), options_.fields_max);
      begin_ += end + 4;
      if (!parsed) {
        co_await refuse(parsed.error().status, parsed.error().reason);
        co_return false;
      }
      head_ = std::move(*parsed);
      co_return true;
    }
    if (text.size() >= options_.head_bytes_max) {
      co_await refuse(431, "the head is too large");
      co_return false;
    }
    scanned = text.size() < 3 ? 0 : text.size() - 3;
    const auto read = co_await fill(kBufferStart);
    if (!read) co_return false;
    if (!std::exchange(begun, true)) wait(Waiting::kHead);
  }
}

void Connection::begin_request() {
  decoder_ = ChunkedDecoder();
  body_left_ = head_.content_length.value_or(0);
  continue_wanted_ = head_.version == 11 && has_token(head_.fields, "Expect", "100-continue");
  responded_ = false;
  head_pending_ = false;
  response_left_ = 0;
  keep_alive_ = head_.version == 11 ? !has_token(head_.fields, "Connection", "close")
                                    : has_token(head_.fields, "Connection", "keep-alive");
}

async::Task<void> Connection::refuse(int status, std::string reason) {
  counters_.malformed.fetch_add(1, std::memory_order_relaxed);
  head_ = RequestHead();
  head_.method = "GET";
  begin_request();
  keep_alive_ = false;
  ResponseHead answer;
  answer.status = status;
  std::string body = options_.refusal_body ? options_.refusal_body(status, reason, answer) : reason + "\n";
  const auto sent = co_await respond(std::move(answer), std::move(body));
  if (sent) co_await drain();
}

bool Connection::body_unread() const { return head_.chunked ? !decoder_.done() : body_left_ > 0; }

async::Task<bool> Connection::end_request() {
  if (broken_ || !responded_ || response_left_ > 0) co_return false;
  if (head_pending_) {
    head_pending_ = false;
    const std::array<ByteView, 1> views{as_bytes(response_text_)};
    const auto written = co_await write_views(views);
    if (!written) co_return false;
  }
  if (body_unread()) {
    // Who waits for 100 does not send it.
    if (!continue_wanted_) co_await drain_body();
    co_await drain();
    co_return false;
  }
  if (buffer_.size() > kBufferStart && end_ - begin_ <= kBufferStart) {
    std::vector<char> smaller(kBufferStart);
    std::copy_n(buffer_.data() + begin_, end_ - begin_, smaller.data());
    end_ -= begin_;
    begin_ = 0;
    buffer_ = std::move(smaller);
  }
  co_return keep_alive_ && !stopping_.load();
}

// The rest of a body whose answer is on its way, up to bounds: many clients, and proxies, send all of it before they read, and lose the
// answer when the sending ends in a reset.
async::Task<void> Connection::drain_body() {
  const Deadline until = deadline_in(options_.drain_timeout);
  uint64_t left = options_.drain_bytes_max;
  while (body_unread() && left > 0 && !stopping_.load() && std::chrono::steady_clock::now() < until) {
    wait(Waiting::kDraining);
    const auto run = head_.chunked ? co_await read_chunked_body() : co_await read_sized_body();
    if (!run) break;
    left -= std::min<uint64_t>(left, run->size());
  }
}

// A close with unread bytes would reset the connection and lose the answer on its way.
async::Task<void> Connection::drain() {
  stream_->shutdown_send();
  wait(Waiting::kDraining);
  uint64_t left = 1 << 20;
  while (left > 0) {
    begin_ = end_ = 0;
    const auto read = co_await fill(kBufferStart);
    if (!read) break;
    left -= std::min<uint64_t>(left, *read);
  }
}

void Connection::make_room(size_t wanted) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (buffer_.size() - end_ >= wanted) return;
  if (begin_ > 0) {
    std::copy(buffer_.begin() + static_cast<ptrdiff_t>(begin_), buffer_.begin() + static_cast<ptrdiff_t>(end_), buffer_.begin());
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() - end_ < wanted) buffer_.resize(end_ + wanted);
}

async::Task<Result<size_t>> Connection::fill(size_t wanted) {
  make_room(wanted);
  const std::span<char> room(buffer_.data() + end_, buffer_.size() - end_);
  const IoOutcome outcome = co_await stream_->read(std::as_writable_bytes(room));
  if (outcome.failed || outcome.count == 0) co_return std::unexpected(cut_off(outcome));
  end_ += outcome.count;
  co_return outcome.count;
}

async::Task<Result<void>> Connection::send_continue() {
  continue_wanted_ = false;
  if (begin_ != end_ || responded_) co_return Result<void>{};
  const std::array<ByteView, 1> views{as_bytes("HTTP/1.1 100 Continue\r\n\r\n")};
  co_return co_await write_views(views);
}

async::Task<Result<ByteView>> Connection::read_body() {
  if (broken_) co_return fail(ErrorCode::kCancelled, "the connection is cut");
  if (continue_wanted_) CO_TRY_VOID(co_await send_continue());
  wait(Waiting::kBody);
  auto run = head_.chunked ? co_await read_chunked_body() : co_await read_sized_body();
  const bool late = std::chrono::steady_clock::now() >= deadline_;
  wait(Waiting::kHandler);
  if (!run) {
    keep_alive_ = false;
    if (run.error().code == ErrorCode::kCancelled && late) {
      co_return fail(ErrorCode::kDeadlineExceeded, "no body byte within the time-out");
    }
  }
  co_return run;
}

async::Task<Result<ByteView>> Connection::read_sized_body() {
  if (body_left_ == 0) co_return ByteView();
  if (begin_ == end_) {
    const size_t wanted = body_left_ > kBufferStart ? static_cast<size_t>(std::min<uint64_t>(kRunMax, body_left_)) : kBufferStart;
    CO_TRY_VOID(co_await fill(wanted));
  }
  const auto count = static_cast<size_t>(std::min<uint64_t>({body_left_, end_ - begin_, kRunMax}));
  const ByteView run = as_bytes(buffered().substr(0, count));
  begin_ += count;
  body_left_ -= count;
  co_return run;
}

async::Task<Result<ByteView>> Connection::read_chunked_body() {
  while (!decoder_.done()) {
    if (begin_ == end_) CO_TRY_VOID(co_await fill(kRunMax));
    const ChunkedDecoder::Step step = decoder_.feed(as_bytes(buffered().substr(0, kRunMax)));
    begin_ += step.consumed;
    if (step.malformed) co_return fail(ErrorCode::kInvalidArgument, "malformed chunked body");
    if (!step.body.empty()) co_return step.body;
  }
  co_return ByteView();
}

void Connection::append_head(const ResponseHead& head, std::optional<uint64_t> content_length) {
  // Who waits for 100 and gets a final answer does not know whether its body is still wanted (botocore then sends no further
  // request on the connection): the connection ends, as AWS does.
  if (body_unread() || continue_wanted_) keep_alive_ = false;
  response_text_.clear();
  response_text_ += "HTTP/1.1 ";
  append_number(response_text_, static_cast<uint64_t>(head.status));
  response_text_ += ' ';
  response_text_ += reason_phrase(head.status);
  response_text_ += "\r\n";
  response_text_ += date_line();
  for (const auto& [name, value] : head.fields) append_field(response_text_, name, value);
  if (content_length) {
    response_text_ += "Content-Length: ";
    append_number(response_text_, *content_length);
    response_text_ += "\r\n";
  }
  if (!keep_alive_ || stopping_.load()) {
    response_text_ += "Connection: close\r\n";
  } else if (head_.version == 10) {
    response_text_ += "Connection: keep-alive\r\n";
  }
  response_text_ += "\r\n";
}

async::Task<Result<void>> Connection::write_views(std::span<const ByteView> views) {
  wait(Waiting::kBody);
  const IoOutcome outcome = co_await stream_->write(views);
  wait(Waiting::kHandler);
  if (outcome.failed) {
    broken_ = true;
    co_return std::unexpected(cut_off(outcome));
  }
  co_return Result<void>{};
}

async::Task<Result<void>> Connection::respond(ResponseHead head, std::string body) {
  const bool bodiless = head_.method == "HEAD" || head.status == 204 || head.status == 304;
  if (bodiless) {
    const auto length = head_.method == "HEAD" ? std::optional<uint64_t>(body.size()) : std::nullopt;
    co_return co_await respond_head_only(std::move(head), length);
  }
  responded_ = true;
  append_head(head, body.size());
  const std::array<ByteView, 2> views{as_bytes(response_text_), as_bytes(body)};
  co_return co_await write_views(views);
}

async::Task<Result<void>> Connection::respond_head_only(ResponseHead head, std::optional<uint64_t> content_length) {
  responded_ = true;
  append_head(head, content_length);
  const std::array<ByteView, 1> views{as_bytes(response_text_)};
  co_return co_await write_views(views);
}

async::Task<Result<void>> Connection::start_response(ResponseHead head, uint64_t content_length) {
  responded_ = true;
  append_head(head, content_length);
  head_pending_ = true;
  response_left_ = content_length;
  co_return Result<void>{};
}

async::Task<Result<void>> Connection::write_body(ByteSlice bytes) {
  if (bytes.size() > response_left_) co_return fail(ErrorCode::kInternal, "more body than announced");
  response_left_ -= bytes.size();
  const bool with_head = std::exchange(head_pending_, false);
  const std::array<ByteView, 2> views{with_head ? as_bytes(response_text_) : ByteView(), bytes.view()};
  auto written = co_await write_views(views);
  co_return written;
}

void Connection::abort() {
  broken_ = true;
  stream_->close();
}

}  // namespace rondel::http
