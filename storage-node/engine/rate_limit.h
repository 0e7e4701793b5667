// RateLimit: how long whoever moves bytes waits, so that all together move no more than so many a
// second. Safe for concurrent use.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace rondel::engine {

class RateLimit {
 public:
  // 0: no limit. After a pause a tenth of a second's bytes may go at once.
  explicit RateLimit(uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  // The bytes count from now on; whoever asked waits so long before he moves them.
  Duration take(uint64_t bytes, SteadyTime now) {
    if (bytes_per_second_ == 0) return Duration::zero();
    const std::chrono::duration<double> cost(static_cast<double>(bytes) /
                                             static_cast<double>(bytes_per_second_));
    MutexLock lock(mutex_);
    next_ = std::max(next_, now - kBurst);
    const Duration wait = std::max<Duration>(next_ - now, Duration::zero());
    next_ += std::chrono::duration_cast<SteadyTime::duration>(cost);
    return wait;
  }

 private:
  static constexpr auto kBurst = std::chrono::milliseconds(100);

  const uint64_t bytes_per_second_;
  Mutex mutex_;
  SteadyTime next_ GUARDED_BY(mutex_){};
};

}  // namespace rondel::engine
