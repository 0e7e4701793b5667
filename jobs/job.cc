#include "jobs/job.h"

#include <algorithm>

#include "common/async/event_loop.h"

namespace rondel::jobs {

async::Task<void> Term::pause(Duration duration) const {
  constexpr Duration kStep = std::chrono::milliseconds(50);
  const Deadline end = deadline_in(duration);
  while (is_held() && std::chrono::steady_clock::now() < end) {
    co_await async::sleep_for(std::min<Duration>(end - std::chrono::steady_clock::now(), kStep));
  }
}

Duration Pace::rest_after(uint64_t units, Duration took) const {
  if (units_ > 0) return std::chrono::microseconds(units * 1'000'000 / units_);
  return parts_ > 1 ? (parts_ - 1) * took : Duration(0);
}

}  // namespace rondel::jobs
