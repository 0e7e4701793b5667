#include "gateway/blobs/disk_breakers.h"

#include <algorithm>
#include <utility>

#include "common/log/log.h"

namespace rondel::blobs {
namespace {

constexpr double kWeight = 0.1;  // Of a new sample in the moving average.
constexpr double kStallFactor = 8;
constexpr uint32_t kSlowStepsMax = 2;  // Slow steps in a row before the disk is left alone.

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

bool DiskBreakers::avoided(const model::DiskId& disk) const {
  MutexLock lock(mutex_);
  const auto found = states_.find(disk);
  return found != states_.end() && found->second.open;
}

DiskBreakers::ForWrites DiskBreakers::for_writes(const model::DiskId& disk) const {
  MutexLock lock(mutex_);
  const auto found = states_.find(disk);
  if (found == states_.end()) return ForWrites::kGood;
  if (found->second.open) return ForWrites::kAvoided;
  const SteadyTime until = found->second.full_until;
  const bool full = until != SteadyTime{} && std::chrono::steady_clock::now() < until;
  return full ? ForWrites::kFull : ForWrites::kGood;
}

void DiskBreakers::refused_as_full(const model::DiskId& disk) {
  MutexLock lock(mutex_);
  states_[disk].full_until = std::chrono::steady_clock::now() + options_.breaker_max;
}

double DiskBreakers::latency(const model::DiskId& disk, Traffic traffic) const {
  MutexLock lock(mutex_);
  const auto found = states_.find(disk);
  if (found == states_.end()) return 0;
  return traffic == Traffic::kSmall ? found->second.small_seconds : found->second.bulk_seconds;
}

Duration DiskBreakers::stall(const model::DiskId& disk, Traffic traffic) const {
  const auto expected = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(kStallFactor * latency(disk, traffic)));
  return std::clamp<Duration>(expected, options_.stall_min, options_.stall_max);
}

void DiskBreakers::succeeded(const model::DiskId& disk, Traffic traffic, Duration took) {
  bool again = false;
  {
    MutexLock lock(mutex_);
    State& state = states_[disk];
    note_success_locked(state, traffic, took);
    again = std::exchange(state.open, false);
  }
  if (again) log::info("blobs", "a disk is used again", {{"disk", disk.to_hex()}});
}

void DiskBreakers::note_success_locked(State& state, Traffic traffic, Duration took) {
  double& average = traffic == Traffic::kSmall ? state.small_seconds : state.bulk_seconds;
  average = average == 0 ? seconds(took) : average + kWeight * (seconds(took) - average);
  state.failures = 0;
  state.pause = {};
}

void DiskBreakers::open_locked(State& state) {
  state.pause = std::clamp<Duration>(2 * state.pause, options_.breaker_min, options_.breaker_max);
  state.open = true;
  state.open_until = std::chrono::steady_clock::now() + state.pause;
}

void DiskBreakers::failed(const model::DiskId& disk, bool certain) {
  {
    MutexLock lock(mutex_);
    State& state = states_[disk];
    ++state.failures;
    if (state.open || (!certain && state.failures < kSlowStepsMax)) return;
    open_locked(state);
  }
  log::warn("blobs",
            certain ? "a disk is left alone: it failed" : "a disk is left alone: it is slow",
            {{"disk", disk.to_hex()}});
}

std::vector<model::DiskId> DiskBreakers::due_for_probe() {
  const SteadyTime now = std::chrono::steady_clock::now();
  std::vector<model::DiskId> due;
  MutexLock lock(mutex_);
  for (auto& [disk, state] : states_) {
    if (!state.open || state.probing || now < state.open_until) continue;
    state.probing = true;
    due.push_back(disk);
  }
  return due;
}

void DiskBreakers::probed(const model::DiskId& disk, bool alive) {
  bool again = false;
  {
    MutexLock lock(mutex_);
    State& state = states_[disk];
    state.probing = false;
    if (!alive) return open_locked(state);
    again = std::exchange(state.open, false);
    state.failures = 0;
  }
  if (again) log::info("blobs", "a disk is used again", {{"disk", disk.to_hex()}});
}

std::vector<DiskHealth> DiskBreakers::health() const {
  MutexLock lock(mutex_);
  std::vector<DiskHealth> health;
  for (const auto& [disk, state] : states_) {
    health.push_back({disk, state.small_seconds, state.bulk_seconds, state.failures, state.open});
  }
  return health;
}

}  // namespace rondel::blobs
