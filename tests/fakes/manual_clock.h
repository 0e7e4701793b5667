// ManualClock: a Clock that stands still until a test moves it. Safe for concurrent use.
#pragma once

#include <atomic>

#include "common/base/clock.h"

namespace rondel::fakes {

class ManualClock final : public Clock {
 public:
  explicit ManualClock(SystemTime start) : system_us_(start.time_since_epoch().count()) {}

  SystemTime now() const override {
    return SystemTime(std::chrono::microseconds(system_us_.load()));
  }

  SteadyTime steady_now() const override {
    return SteadyTime(std::chrono::microseconds(steady_us_.load()));
  }

  SteadyTime boot_now() const override {
    return steady_now() + std::chrono::microseconds(asleep_us_.load());
  }

  std::string boot() const override { return "boot-" + std::to_string(boots_.load()); }

  // The machine was off for a while, and its steady clock begins anew.
  void reboot(std::chrono::microseconds off) {
    system_us_ += off.count();
    steady_us_ = 1'000'000'000;
    asleep_us_ = 0;
    ++boots_;
  }

  // All clocks.
  void advance(Duration by) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(by).count();
    system_us_ += us;
    steady_us_ += us;
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
  std::atomic<int> boots_{0};
};

}  // namespace rondel::fakes
