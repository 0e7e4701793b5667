#include "common/base/clock.h"

#include <ctime>

namespace rondel {
namespace {

class RealClock final : public Clock {
 public:
  SystemTime now() const override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  }

  SteadyTime steady_now() const override { return std::chrono::steady_clock::now(); }

  SteadyTime boot_now() const override {
    timespec time{};
    ::clock_gettime(CLOCK_BOOTTIME, &time);
    return SteadyTime(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
  }
};

}  // namespace

const Clock& real_clock() {
  static const RealClock clock;
  return clock;
}

}  // namespace rondel
