// A thread of the load generator: its share of the connections on one epoll set.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "bench/histogram.h"
#include "bench/options.h"
#include "bench/plan.h"
#include "bench/request_maker.h"
#include "common/crypto/digest.h"
#include "s3_client/connection.h"

namespace rondel::bench {

using Steady = std::chrono::steady_clock;

// What counts: requests whose answer ends inside the window (closed loop), or whose intended start
// lies inside (open loop).
struct Window {
  Steady::time_point begin = Steady::time_point::min();
  Steady::time_point end = Steady::time_point::max();
};

struct Statistics {
  std::array<Histogram, kOperations> latency;
  std::map<std::string, uint64_t> errors;  // "503", "connect: ...", "time-out", ... and how often.
  std::string first_error;
  uint64_t answered = 0;  // Inside the window, any outcome; what CPU time is divided by.
  uint64_t bytes = 0;     // Of bodies, moved inside the window.

  void merge(const Statistics& other);
};

// Used by one thread.
class Worker {
 public:
  // `bodies`: random bytes, at least as many as the largest object; shared by the workers.
  Worker(const Options& options, int connections, ByteView bodies);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Sends what `plan` hands out until it is exhausted or the window has ended, then waits for what
  // is under way. `rate`: requests a second of this worker, 0 = as fast as the answers come.
  Statistics run(Plan& plan, const Window& window, double rate);

 private:
  struct Flight {
    Request request;
    Steady::time_point intended;
    Steady::time_point deadline;
    ByteView body;
    size_t hashed = 0;
    bool active = false;
  };

  void start_due(Plan& plan, const Window& window, double rate);
  void begin(size_t index, Request request, Steady::time_point intended);
  void hash_a_piece();
  void send(size_t index, std::string_view payload_hash);
  void poll();
  void on_event(size_t index);
  void finish(size_t index, const std::string& error);
  void check_deadlines();
  void count_traffic();
  int wait_milliseconds() const;

  const Options& options_;
  const ByteView bodies_;
  RequestMaker maker_;
  crypto::Digest digest_;
  int epoll_;
  sockaddr_in address_{};
  std::vector<s3_client::Connection> connections_;
  std::vector<Flight> flights_;
  std::vector<size_t> idle_;
  std::deque<size_t> hashing_;  // Bodies whose SHA-256 is being computed, a piece at a time.
  std::vector<std::byte> scratch_;
  uint64_t put_count_ = 0;

  // Of the run at hand.
  Window window_;
  bool open_loop_ = false;
  bool exhausted_ = false;
  size_t in_flight_ = 0;
  Steady::time_point next_start_;
  Steady::time_point next_check_;
  std::deque<Request> late_;  // Open loop: due, but no connection is idle.
  std::deque<Steady::time_point> late_since_;
  s3_client::Traffic traffic_;
  uint64_t counted_ = 0;  // Of the traffic.
  Statistics statistics_;
};

}  // namespace rondel::bench
