#include "common/http/connection.h"

#include <ctime>

#include <algorithm>
#include <array>
#include <charconv>

#include "common/http/forwarded.h"
#include "common/http/head_parser.h"
#include "common/http/head_writer.h"
#include "common/http/proxy_header.h"

namespace rondel::http {
namespace {

constexpr size_t kIdleRoom = 6 * 1024;  // A head with a small body.
constexpr size_t kRoomMin = 1024;       // Of a read: most heads of a signed request fit.
// While nobody has looked at the head; a small body comes along.
constexpr size_t kHeadRoomMax = 16 * 1024;
constexpr size_t kRunMax = 256 * 1024;
// Without a byte of a body that nobody reads.
constexpr auto kDrainPause = std::chrono::seconds(5);

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
    line.assign(text,
                std::strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc));
  }
  return line;
}

void append_number(std::string& out, uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

Error cut_off(const IoOutcome& outcome) {
  return {ErrorCode::kCancelled,
          outcome.end_of_stream || !outcome.failed ? "the client went away" : outcome.message};
}

}  // namespace

Connection::Connection(std::unique_ptr<Stream> stream, bool tls, std::optional<IpAddress> peer,
                       const ServerOptions& options, const Handler& handler,
                       ServerCounters& counters, const Ending& ending)
    : stream_(std::move(stream)),
      tls_(tls),
      peer_(peer),
      options_(options),
      handler_(handler),
      counters_(counters),
      ending_(ending) {
  if (peer_) info_.peer_address = to_string(*peer_);
  info_.tls = tls;
  head_pace_.begin(options_.deadlines.head);
}

// ---- Waiting for the peer ----

Pace* Connection::pace_of(Waiting what) {
  switch (what) {
    case Waiting::kHead: return &head_pace_;
    case Waiting::kBody: return body_kind_ == BodyKind::kFormFields ? &head_pace_ : &body_pace_;
    case Waiting::kAnswer: return &answer_pace_;
    default: return nullptr;
  }
}

void Connection::wait(Waiting what) {
  stop_waiting();
  waiting_ = what;
  const SteadyTime at = now();
  if (Pace* const pace = pace_of(what)) return pace->start_waiting(at);
  deadline_ = at + (what == Waiting::kIdle ? options_.deadlines.idle : Duration(kDrainPause));
}

void Connection::stop_waiting() {
  if (Pace* const pace = pace_of(waiting_)) pace->stop_waiting(now());
  waiting_ = Waiting::kHandler;
}

// Of what was written, what the peer really has.
uint64_t Connection::taken() {
  const uint64_t written = stream_->written();
  return written - std::min(written, stream_->untaken());
}

bool Connection::is_late(SteadyTime at) {
  switch (waiting_) {
    case Waiting::kIdle: return at >= deadline_ || ending_.stopping.load();
    case Waiting::kDraining: return at >= deadline_;
    case Waiting::kHead: return head_pace_.is_late(at, 0);
    case Waiting::kBody: return at >= body_deadline_ || pace_of(waiting_)->is_late(at, body_read_);
    case Waiting::kAnswer: return answer_pace_.is_late(at, taken());
    case Waiting::kHandler: return false;
  }
  return false;
}

void Connection::check_deadline(SteadyTime at) {
  if (!is_late(at)) return;
  if (waiting_ == Waiting::kIdle || waiting_ == Waiting::kDraining) return stream_->close();
  if (!std::exchange(late_, true)) counters_.slow.fetch_add(1, std::memory_order_relaxed);
  // Who does not send may still read why; who does not read is told nothing.
  waiting_ == Waiting::kAnswer ? stream_->reset() : stream_->cancel();
}

// ---- From connection to connection ----

async::Task<void> Connection::serve() {
  bool more = co_await open();
  while (more) {
    const bool complete = co_await read_head();
    if (!complete) break;
    begin_request();
    co_await handler_(*this);
    more = co_await end_request();
    count_bytes();
  }
  stream_->close();
}

// What comes before the first request.
async::Task<bool> Connection::open() {
  if (peer_ && options_.proxy_protocol.contains(*peer_)) {
    const bool taken = co_await read_proxy_header();
    if (!taken) co_return false;
  }
  peer_is_trusted_ = peer_ && options_.trusted_proxies.contains(*peer_);
  if (!tls_) co_return true;
  wait(Waiting::kHead);
  const IoOutcome shaken = co_await stream_->handshake();
  stop_waiting();
  shaken_ = !shaken.failed;
  if (!shaken_) co_return false;
  info_.server_name = stream_->server_name();
  // A proxy that says how its client came has opened what that client sealed.
  if (info_.tls && info_.tls_version.empty()) {
    info_.tls_version = stream_->tls_version();
    info_.tls_cipher = stream_->tls_cipher();
  }
  co_return true;
}

async::Task<bool> Connection::read_raw(std::span<std::byte> into) {
  while (!into.empty()) {
    wait(Waiting::kHead);
    const IoOutcome outcome = co_await stream_->read_raw(into);
    stop_waiting();
    if (outcome.failed || outcome.count == 0) co_return false;
    into = into.subspan(outcome.count);
  }
  co_return true;
}

async::Task<bool> Connection::read_proxy_header() {
  const auto refused = [this](std::string reason) {
    return refuse({Refusal::Kind::kMalformed, 400, std::move(reason), 0});
  };
  std::vector<std::byte> bytes(kProxyHeaderFixedBytes);
  const std::span<std::byte> fixed(bytes);
  // The first bytes alone, so that a client that speaks HTTP is told at once.
  constexpr size_t kFirst = 4;
  bool more = co_await read_raw(fixed.first(kFirst));
  if (more && may_be_proxy_header(fixed.first(kFirst))) {
    more = co_await read_raw(fixed.subspan(kFirst));
  }
  if (!more) co_return false;
  const auto rest = proxy_header_rest(bytes);
  if (!rest) {
    co_await refused(rest.error());
    co_return false;
  }
  bytes.resize(kProxyHeaderFixedBytes + *rest);
  more = co_await read_raw(std::span(bytes).subspan(kProxyHeaderFixedBytes));
  if (!more) co_return false;
  auto header = parse_proxy_header(bytes);
  if (!header) {
    co_await refused(header.error());
    co_return false;
  }
  if (!header->client) co_return true;
  peer_ = header->client;
  info_.peer_address = to_string(*peer_);
  if (header->tls) {
    info_.tls = *header->tls;
    info_.tls_version = std::move(header->tls_version);
    info_.tls_cipher = std::move(header->tls_cipher);
  }
  co_return true;
}

async::Task<bool> Connection::read_head() {
  bool begun = begin_ != end_;
  size_t scanned = 0;
  head_ = RequestHead();
  response_text_ = std::string();  // A connection that is silent holds no memory for what was.
  for (;;) {
    // Empty lines before a request line are tolerated (RFC 9112, section 2.2).
    while (buffered().starts_with("\r\n")) begin_ += 2;
    const std::string_view text = buffered();
    const size_t end = text.find("\r\n\r\n", scanned);
    if (end != std::string_view::npos && end + 4 <= options_.head_bytes_max) {
      co_return co_await take_head(end + 4);
    }
    if (text.size() >= options_.head_bytes_max) {
      co_await refuse(
          {Refusal::Kind::kTooLarge, 431, "the head is too large", options_.head_bytes_max});
      co_return false;
    }
    // Of a PROXY header that nobody asked for, for example: no end of a head has to be waited for.
    if (!text.empty() && static_cast<unsigned char>(text.front()) < 0x20 && text.front() != '\r') {
      co_await refuse({Refusal::Kind::kMalformed, 400, "control characters in the head", 0});
      co_return false;
    }
    scanned = text.size() < 3 ? 0 : text.size() - 3;
    const auto read =
        co_await fill(std::exchange(begun, true) ? Waiting::kHead : Waiting::kIdle, kHeadRoomMax);
    if (!read) {
      if (late_) {
        co_await refuse({Refusal::Kind::kTooSlow, 408, "the request did not come in time", 0});
      }
      co_return false;
    }
  }
}

async::Task<bool> Connection::take_head(size_t length) {
  auto parsed = parse_request_head(buffered().substr(0, length), options_.fields_max);
  begin_ += length;
  if (parsed) head_ = std::move(*parsed);
  auto taken = parsed ? take_forwarded() : std::unexpected(std::move(parsed).error());
  if (taken) co_return true;
  taken.error().head_bytes_max = options_.head_bytes_max;
  co_await refuse(std::move(taken).error());
  co_return false;
}

std::expected<void, Refusal> Connection::take_forwarded() {
  forwarded_info_.reset();
  if (!peer_is_trusted_) return {};
  const auto forwarded = parse_forwarded(head_.fields, options_.trusted_proxies);
  if (!forwarded) {
    return std::unexpected(Refusal{Refusal::Kind::kMalformed, 400, forwarded.error(), 0});
  }
  if (!forwarded->client && !forwarded->tls) return {};
  forwarded_info_ = info_;
  if (forwarded->client) forwarded_info_->peer_address = to_string(*forwarded->client);
  if (forwarded->tls) {
    forwarded_info_->tls = *forwarded->tls;
    // What is known of TLS is about the proxy.
    forwarded_info_->tls_version.clear();
    forwarded_info_->tls_cipher.clear();
  }
  return {};
}

void Connection::begin_request() {
  decoder_ = ChunkedDecoder();
  body_left_ = head_.content_length.value_or(0);
  body_read_ = 0;
  late_ = false;
  continue_wanted_ = head_.version == 11 && has_token(head_.fields, "Expect", "100-continue");
  responded_ = false;
  head_pending_ = false;
  response_left_ = 0;
  keep_alive_ = head_.version == 11 ? !has_token(head_.fields, "Connection", "close")
                                    : has_token(head_.fields, "Connection", "keep-alive");
  answer_pace_.begin(options_.deadlines.object, &options_.deadlines.floor);
  expect_body(BodyKind::kDocument);
}

void Connection::expect_body(BodyKind kind) {
  body_kind_ = kind;
  body_deadline_ = SteadyTime::max();
  switch (kind) {
    case BodyKind::kFormFields: return;  // What is left of the head's time.
    case BodyKind::kDocument: return body_pace_.begin(options_.deadlines.document);
    case BodyKind::kObject:
      body_deadline_ = now() + options_.deadlines.object;
      return body_pace_.begin(Duration::max(), &options_.deadlines.floor);
  }
}

async::Task<void> Connection::refuse(Refusal refusal) {
  counters_.malformed.fetch_add(1, std::memory_order_relaxed);
  head_ = RequestHead();
  head_.method = "GET";
  forwarded_info_.reset();
  begin_request();
  keep_alive_ = false;
  // Before its handshake a TLS client understands nothing.
  if (tls_ && !shaken_) co_return;
  ResponseHead answer;
  answer.status = refusal.status;
  std::string body =
      options_.refusal_body ? options_.refusal_body(refusal, answer) : refusal.reason + "\n";
  const auto sent = co_await respond(std::move(answer), std::move(body));
  if (sent) co_await drain();
}

bool Connection::body_unread() const { return head_.chunked ? !decoder_.done() : body_left_ > 0; }

async::Task<bool> Connection::end_request() {
  head_pace_.begin(options_.deadlines.head);
  if (broken_ || !responded_ || response_left_ > 0) co_return false;
  if (head_pending_) {
    head_pending_ = false;
    const std::array<ByteView, 1> views{as_bytes(response_text_)};
    const auto written = co_await write_views(views);
    if (!written) co_return false;
  }
  if (body_unread()) {
    // Who waits for 100 does not send it, and who was too slow does not finish it.
    if (!continue_wanted_ && !late_) co_await drain_body();
    co_await drain();
    co_return false;
  }
  if (capacity_ > kHeadRoomMax && end_ - begin_ <= kHeadRoomMax) keep_only(end_ - begin_);
  co_return keep_alive_ && !ending_.stopping.load();
}

void Connection::count_bytes() {
  counters_.body_bytes_read.fetch_add(body_read_, std::memory_order_relaxed);
  counters_.body_bytes_written.fetch_add(body_bytes_written(), std::memory_order_relaxed);
}

// The rest of a body whose answer is on its way, up to bounds: many clients, and proxies, send all
// of it before they read, and lose the answer when the sending ends in a reset.
async::Task<void> Connection::drain_body() {
  const Deadline until = now() + options_.drain_timeout;
  uint64_t left = options_.drain_bytes_max;
  while (body_unread() && left > 0 && !ending_.stopping.load() && now() < until) {
    const auto run = co_await read_run(Waiting::kDraining);
    if (!run) break;
    left -= std::min<uint64_t>(left, run->size());
  }
}

// A close with unread bytes would reset the connection and lose the answer on its way.
async::Task<void> Connection::drain() {
  stream_->shutdown_send();
  late_ = false;
  const Deadline until = now() + kDrainPause;
  uint64_t left = 1 << 20;
  while (left > 0 && now() < until) {
    begin_ = end_ = 0;
    const auto read = co_await fill(Waiting::kDraining, kHeadRoomMax);
    if (!read) break;
    left -= std::min<uint64_t>(left, *read);
  }
}

// ---- Bytes ----

// Moves what is there to a buffer of that capacity. REQUIRES: it fits.
void Connection::keep_only(size_t capacity) {
  std::unique_ptr<char[]> other =
      capacity == 0 ? nullptr : std::make_unique_for_overwrite<char[]>(capacity);
  std::copy_n(buffer_.get() + begin_, end_ - begin_, other.get());
  buffer_ = std::move(other);
  capacity_ = capacity;
  end_ -= begin_;
  begin_ = 0;
}

void Connection::make_room(size_t wanted) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (capacity_ - end_ >= wanted) return;
  const size_t held = end_ - begin_;
  if (capacity_ - held < wanted) return keep_only(held + wanted);
  std::copy_n(buffer_.get() + begin_, held, buffer_.get());
  begin_ = 0;
  end_ = held;
}

// Reads what has come, at most `most` bytes. Memory for it is taken once it is there, but for the
// little that a small request needs: to wait first costs two more system calls a request.
async::Task<Result<size_t>> Connection::fill(Waiting what, size_t most) {
  const auto failed = [this](const IoOutcome& outcome) -> Error {
    if (late_) return {ErrorCode::kDeadlineExceeded, "the client is too slow"};
    return cut_off(outcome);
  };
  if (late_) co_return std::unexpected(failed({}));
  wait(what);
  const bool idle = what == Waiting::kIdle;
  if (idle && begin_ == end_ && capacity_ != kIdleRoom) keep_only(kIdleRoom);
  size_t ready = idle ? kIdleRoom : stream_->readable();
  if (ready == 0) {
    if (begin_ == end_) keep_only(0);
    const IoOutcome woken = co_await stream_->wait();
    if (woken.failed) {
      stop_waiting();
      co_return std::unexpected(failed(woken));
    }
    ready = stream_->readable();
  }
  make_room(std::clamp(ready, kRoomMin, std::max(kRoomMin, most)));
  const std::span<char> room(buffer_.get() + end_, capacity_ - end_);
  const IoOutcome outcome = co_await stream_->read(std::as_writable_bytes(room));
  stop_waiting();
  if (outcome.failed || outcome.count == 0) co_return std::unexpected(failed(outcome));
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
  auto run = co_await read_run(Waiting::kBody);
  if (!run) keep_alive_ = false;
  co_return run;
}

async::Task<Result<ByteView>> Connection::read_run(Waiting what) {
  return head_.chunked ? read_chunked_body(what) : read_sized_body(what);
}

async::Task<Result<ByteView>> Connection::read_sized_body(Waiting what) {
  if (body_left_ == 0) co_return ByteView();
  if (begin_ == end_) {
    CO_TRY_VOID(co_await fill(what, static_cast<size_t>(std::min<uint64_t>(kRunMax, body_left_))));
  }
  const auto count = static_cast<size_t>(std::min<uint64_t>({body_left_, end_ - begin_, kRunMax}));
  const ByteView run = as_bytes(buffered().substr(0, count));
  begin_ += count;
  body_left_ -= count;
  body_read_ += count;
  co_return run;
}

async::Task<Result<ByteView>> Connection::read_chunked_body(Waiting what) {
  while (!decoder_.done()) {
    if (begin_ == end_) CO_TRY_VOID(co_await fill(what, kRunMax));
    const ChunkedDecoder::Step step = decoder_.feed(as_bytes(buffered().substr(0, kRunMax)));
    begin_ += step.consumed;
    if (step.malformed) co_return fail(ErrorCode::kInvalidArgument, "malformed chunked body");
    body_read_ += step.body.size();
    if (!step.body.empty()) co_return step.body;
  }
  co_return ByteView();
}

uint64_t Connection::body_bytes_written() const {
  const uint64_t sent = responded_ ? stream_->written() - answer_begins_ : 0;
  return sent - std::min<uint64_t>(sent, response_text_.size());
}

void Connection::append_head(const ResponseHead& head, std::optional<uint64_t> content_length) {
  // Who waits for 100 and gets a final answer does not know whether its body is still wanted
  // (botocore then sends no further request on the connection): the connection ends, as AWS does.
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
  if (ending_.leaving.load()) keep_alive_ = false;
  if (!keep_alive_ || ending_.stopping.load()) {
    response_text_ += "Connection: close\r\n";
  } else if (head_.version == 10) {
    response_text_ += "Connection: keep-alive\r\n";
  }
  response_text_ += "\r\n";
  answer_begins_ = stream_->written();
  answer_pace_.begin(options_.deadlines.object, &options_.deadlines.floor);
}

async::Task<Result<void>> Connection::write_views(std::span<const ByteView> views) {
  wait(Waiting::kAnswer);
  const IoOutcome outcome = co_await stream_->write(views);
  stop_waiting();
  if (outcome.failed) {
    broken_ = true;
    co_return std::unexpected(cut_off(outcome));
  }
  co_return Result<void>{};
}

async::Task<Result<void>> Connection::respond(ResponseHead head, std::string body) {
  const bool bodiless = head_.method == "HEAD" || head.status == 204 || head.status == 304;
  if (bodiless) {
    const auto length =
        head_.method == "HEAD" ? std::optional<uint64_t>(body.size()) : std::nullopt;
    co_return co_await respond_head_only(std::move(head), length);
  }
  responded_ = true;
  append_head(head, body.size());
  const std::array<ByteView, 2> views{as_bytes(response_text_), as_bytes(body)};
  co_return co_await write_views(views);
}

async::Task<Result<void>> Connection::respond_head_only(ResponseHead head,
                                                        std::optional<uint64_t> content_length) {
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
  if (bytes.size() > response_left_) {
    co_return fail(ErrorCode::kInternal, "more body than announced");
  }
  response_left_ -= bytes.size();
  const bool with_head = std::exchange(head_pending_, false);
  const std::array<ByteView, 2> views{with_head ? as_bytes(response_text_) : ByteView(),
                                      bytes.view()};
  auto written = co_await write_views(views);
  co_return written;
}

void Connection::abort() {
  broken_ = true;
  stream_->close();
}

}  // namespace rondel::http
