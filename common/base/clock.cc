#include "common/base/clock.h"

#include <ctime>
#include <fstream>

namespace rondel {
namespace {

class RealClock final : public Clock {
 public:
  SystemTime now() const override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now());
  }

  SteadyTime steady_now() const override { return std::chrono::steady_clock::now(); }

  SteadyTime boot_now() const override {
    timespec time{};
    ::clock_gettime(CLOCK_BOOTTIME, &time);
    return SteadyTime(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
  }

  // Read once, of a file system in memory.
  std::string boot() const override {
    static const std::string id = [] {
      std::string read;
      std::ifstream("/proc/sys/kernel/random/boot_id") >> read;
      return read;
    }();
    return id;
  }
};

}  // namespace

const Clock& real_clock() {
  static const RealClock clock;
  return clock;
}

}  // namespace rondel
