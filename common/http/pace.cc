#include "common/http/pace.h"

#include <algorithm>

namespace rondel::http {

void Pace::begin(Duration total_max, const RateFloor* floor) {
  total_max_ = total_max;
  floor_ = floor;
  waited_ = {};
  waits_since_ = SteadyTime::max();
  count_ = 0;
}

void Pace::stop_waiting(SteadyTime now) {
  waited_ = waited(now);
  waits_since_ = SteadyTime::max();
}

Duration Pace::waited(SteadyTime now) const {
  return now > waits_since_ ? waited_ + (now - waits_since_) : waited_;
}

bool Pace::is_late(SteadyTime now, uint64_t moved) {
  const Duration at = waited(now);
  if (at >= total_max_) return true;
  if (floor_ == nullptr || at < floor_->grace) return false;
  add_sample(at, moved);
  // Of the samples that lie a whole window back the youngest is asked: the time since is the
  // shortest, and as long as a window when one is looked at in time.
  for (size_t i = count_; i-- > 0;) {
    const Duration past = at - samples_[i].at;
    if (past < floor_->window) continue;
    const double seconds = std::chrono::duration<double>(floor_->window).count();
    const double got = static_cast<double>(moved) - static_cast<double>(samples_[i].moved);
    return got < seconds * static_cast<double>(floor_->bytes_per_second);
  }
  return false;
}

void Pace::add_sample(Duration at, uint64_t moved) {
  if (count_ > 0 && at - samples_[count_ - 1].at < floor_->window / kSlices) return;
  if (count_ == samples_.size()) {
    std::ranges::rotate(samples_, samples_.begin() + 1);
    --count_;
  }
  samples_[count_++] = {at, moved};
}

}  // namespace rondel::http
