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

  SteadyTime boot_now() const override {
    return steady_now() + std::chrono::microseconds(asleep_us_.load());
  }

  // All clocks.
  void advance(std::chrono::microseconds by) {
    system_us_ += by.count();
    steady_us_ += by.count();
  }
  // The machine sleeps: the steady clock stands still.
  void sleep(std::chrono::microseconds by) {
    system_us_ += by.count();
    asleep_us_ += by.count();
  }
  // The wall clock alone, as a correction does; may go back.
  void set(SystemTime to) { system_us_ = to.time_since_epoch().count(); }

 private:
  std::atomic<int64_t> system_us_;
  std::atomic<int64_t> steady_us_{1'000'000'000};
  std::atomic<int64_t> asleep_us_{0};
};

}  // namespace rondel::fakes
