// PgAvailability: whether the server answers, as the connections know it. Internal to
// metadata/postgres.
//
// Every answer and every failure to reach the server is noted here by who met it; nothing is asked
// for that. Whoever watches asks by itself only when nobody had an answer for a while (pg_watch.h).
// Safe for concurrent use, without a lock.
#pragma once

#include <atomic>

#include "common/base/clock.h"

namespace rondel::metadata {

class PgAvailability {
 public:
  // So long the last answer counts, whatever fails beside it; then the server is asked.
  static constexpr auto kQuiet = std::chrono::milliseconds(500);

  explicit PgAvailability(const Clock& clock = real_clock()) : clock_(clock) {}

  // The server answered, if only to refuse a statement.
  void answered() { answered_.store(clock_.steady_now(), std::memory_order_relaxed); }

  // It cannot be reached, or did not answer who asked nothing but that.
  void failed() { failed_.store(clock_.steady_now(), std::memory_order_relaxed); }

  SteadyTime last_answer() const { return answered_.load(std::memory_order_relaxed); }

  bool quiet() const { return clock_.steady_now() - last_answer() >= kQuiet; }

  // The last that is known is a failure. Before the first news nothing is known, and everything is
  // tried.
  bool away() const { return failed_.load(std::memory_order_relaxed) > last_answer() && quiet(); }

 private:
  const Clock& clock_;
  std::atomic<SteadyTime> answered_{};
  std::atomic<SteadyTime> failed_{};
};

}  // namespace rondel::metadata
