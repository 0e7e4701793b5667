// ManualClock: a Clock that stands still until a test moves it. Safe for concurrent use.
#pragma once

#include <atomic>

#include "common/base/clock.h"

namespace rondel::fakes {

class ManualClock final : public Clock {
 public:
  explicit ManualClock(SystemTime start) : system_us_(start.time_since_epoch().count()) {}

  SystemTime now() const override { return SystemTime(std::chrono::microseconds(system_us_.load())); }
  SteadyTime steady_now() const override { return SteadyTime(std::chrono::microseconds(steady_us_.load())); }

  // Both clocks.
  void advance(Duration by) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(by).count();
    system_us_ += us;
    steady_us_ += us;
  }
  // The wall clock alone, as a correction does; may go back.
  void set(SystemTime to) { system_us_ = to.time_since_epoch().count(); }

 private:
  std::atomic<int64_t> system_us_;
  std::atomic<int64_t> steady_us_{1'000'000'000};
};

}  // namespace rondel::fakes
