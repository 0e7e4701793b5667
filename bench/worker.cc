#include "bench/worker.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>

#include "common/base/assert.h"
#include "common/base/encoding.h"
#include "common/sigv4/sigv4.h"

namespace rondel::bench {
namespace {

constexpr size_t kScratchBytes = 256 * 1024;
// A tenth of a millisecond of hashing between two looks at the sockets.
constexpr size_t kHashPiece = 128 * 1024;
constexpr int kEventsMax = 256;
constexpr auto kCheckEvery = std::chrono::milliseconds(100);
constexpr size_t kBodyStep = 4099;

sockaddr_in resolve(const http::Endpoint& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  addrinfo hints{};
  hints.ai_family = AF_INET;
  addrinfo* found = nullptr;
  if (getaddrinfo(endpoint.host.c_str(), nullptr, &hints, &found) == 0 && found != nullptr) {
    address.sin_addr = reinterpret_cast<const sockaddr_in*>(found->ai_addr)->sin_addr;
    freeaddrinfo(found);
  }
  return address;
}

Steady::duration seconds(double value) {
  return std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(value));
}

SystemTime wall_clock() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

}  // namespace

void Statistics::merge(const Statistics& other) {
  for (size_t i = 0; i < latency.size(); ++i) latency[i].merge(other.latency[i]);
  for (const auto& [what, count] : other.errors) errors[what] += count;
  if (first_error.empty()) first_error = other.first_error;
  answered += other.answered;
  bytes += other.bytes;
}

Worker::Worker(const Options& options, int connections, ByteView bodies)
    : options_(options),
      bodies_(bodies),
      maker_(options),
      digest_(crypto::DigestAlgorithm::kSha256),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      address_(resolve(options.endpoint)),
      connections_(static_cast<size_t>(connections)),
      flights_(connections_.size()),
      scratch_(kScratchBytes) {
  ASSERT(epoll_ >= 0);
  for (size_t i = connections_.size(); i-- > 0;) idle_.push_back(i);
}

Worker::~Worker() { close(epoll_); }

Statistics Worker::run(Plan& plan, const Window& window, double rate) {
  window_ = window;
  open_loop_ = rate > 0;
  exhausted_ = false;
  statistics_ = Statistics();
  next_start_ = Steady::now();
  next_check_ = next_start_ + kCheckEvery;
  for (;;) {
    count_traffic();
    start_due(plan, window, rate);
    if (in_flight_ == 0 && late_.empty() && (exhausted_ || Steady::now() >= window_.end)) break;
    if (!hashing_.empty()) hash_a_piece();
    poll();
    check_deadlines();
  }
  return std::move(statistics_);
}

void Worker::start_due(Plan& plan, const Window& window, double rate) {
  const auto now = Steady::now();
  while (open_loop_ && !exhausted_ && next_start_ <= now && next_start_ < window.end) {
    auto request = plan.next();
    exhausted_ = !request;
    if (exhausted_) break;
    late_.push_back(std::move(*request));
    late_since_.push_back(next_start_);
    next_start_ += seconds(1 / rate);
  }
  while (open_loop_ && !late_.empty() && !idle_.empty()) {
    const size_t index = idle_.back();
    idle_.pop_back();
    begin(index, std::move(late_.front()), late_since_.front());
    late_.pop_front();
    late_since_.pop_front();
  }
  while (!open_loop_ && !exhausted_ && !idle_.empty() && Steady::now() < window.end) {
    auto request = plan.next();
    exhausted_ = !request;
    if (exhausted_) break;
    const size_t index = idle_.back();
    idle_.pop_back();
    begin(index, std::move(*request), Steady::now());
  }
}

void Worker::begin(size_t index, Request request, Steady::time_point intended) {
  Flight& flight = flights_[index];
  flight.request = std::move(request);
  flight.intended = intended;
  flight.deadline = Steady::now() + seconds(options_.timeout_s);
  flight.active = true;
  flight.body = {};
  ++in_flight_;
  if (flight.request.operation == Operation::kPut) {
    const size_t room = bodies_.size() - flight.request.size;
    flight.body = bodies_.subspan((put_count_++ * kBodyStep) % (room + 1), flight.request.size);
    if (options_.payload == Payload::kSigned && options_.sign) {
      flight.hashed = 0;
      hashing_.push_back(index);
      // Small bodies go at once.
      if (flight.body.size() <= kHashPiece) hash_a_piece();
      return;
    }
    send(index, sigv4::kUnsignedPayload);
    return;
  }
  send(index, sigv4::kEmptySha256);
}

void Worker::hash_a_piece() {
  const size_t index = hashing_.front();
  Flight& flight = flights_[index];
  // One digest serves the body at the front alone; a small body that overtakes a large one has a
  // digest of its own.
  if (flight.body.size() <= kHashPiece) {
    hashing_.pop_front();
    send(index, crypto::sha256_hex(as_text(flight.body)));
    return;
  }
  const size_t count = std::min(kHashPiece, flight.body.size() - flight.hashed);
  digest_.update(flight.body.subspan(flight.hashed, count));
  flight.hashed += count;
  if (flight.hashed < flight.body.size()) return;
  hashing_.pop_front();
  send(index, to_hex(as_bytes(digest_.finish())));
}

void Worker::send(size_t index, std::string_view payload_hash) {
  Flight& flight = flights_[index];
  s3_client::Connection& connection = connections_[index];
  const auto opened = connection.open(address_, epoll_, index);
  if (!opened) {
    finish(index, opened.error().message);
    return;
  }
  std::string head;
  maker_.make(flight.request, payload_hash, wall_clock(), head);
  connection.start(std::move(head), flight.body, flight.request.operation == Operation::kHead,
                   traffic_);
}

int Worker::wait_milliseconds() const {
  if (!hashing_.empty()) return 0;
  if (open_loop_ && !exhausted_) return 1;
  return 20;
}

void Worker::poll() {
  std::array<epoll_event, kEventsMax> events;
  const int count = epoll_wait(epoll_, events.data(), kEventsMax, wait_milliseconds());
  for (int i = 0; i < count; ++i) on_event(events[static_cast<size_t>(i)].data.u64);
}

void Worker::count_traffic() {
  const uint64_t moved = traffic_.sent + traffic_.received;
  const auto now = Steady::now();
  if (now >= window_.begin && now < window_.end) statistics_.bytes += moved - counted_;
  counted_ = moved;
}

void Worker::on_event(size_t index) {
  s3_client::Connection& connection = connections_[index];
  if (!connection.is_open()) return;
  const auto progress = connection.advance(scratch_, traffic_);
  if (progress == s3_client::Connection::Progress::kPending) return;
  if (!flights_[index].active) {
    connection.close();
    return;
  }
  if (progress == s3_client::Connection::Progress::kBroken) {
    connection.close();
    finish(index, "connection broken");
    return;
  }
  const s3_client::AnswerParser& answer = connection.answer();
  const int status = answer.status();
  std::string error;
  if (status < 200 || status > 299) {
    error = std::to_string(status);
    if (statistics_.first_error.empty()) statistics_.first_error = answer.error_text();
  }
  if (!answer.keep_alive()) connection.close();
  finish(index, error);
}

void Worker::finish(size_t index, const std::string& error) {
  Flight& flight = flights_[index];
  flight.active = false;
  idle_.push_back(index);
  --in_flight_;
  const auto now = Steady::now();
  if (now >= window_.begin && now < window_.end) ++statistics_.answered;
  const auto counts_at = open_loop_ ? flight.intended : now;
  if (counts_at < window_.begin || counts_at >= window_.end) return;
  if (!error.empty()) {
    ++statistics_.errors[error];
    if (statistics_.first_error.empty()) statistics_.first_error = error;
    return;
  }
  const auto took =
      std::chrono::duration_cast<std::chrono::nanoseconds>(now - flight.intended).count();
  statistics_.latency[static_cast<size_t>(flight.request.operation)].record(
      static_cast<uint64_t>(std::max<int64_t>(took, 0)));
}

void Worker::check_deadlines() {
  const auto now = Steady::now();
  if (now < next_check_) return;
  next_check_ = now + kCheckEvery;
  for (size_t i = 0; i < flights_.size(); ++i) {
    if (!flights_[i].active || now < flights_[i].deadline) continue;
    if (std::find(hashing_.begin(), hashing_.end(), i) != hashing_.end()) continue;
    connections_[i].close();
    finish(i, "time-out");
  }
}

}  // namespace rondel::bench
