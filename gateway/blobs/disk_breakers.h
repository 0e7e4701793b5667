// DiskBreakers: which disks are left alone, and how long one step with a disk takes. Safe for
// concurrent use.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "common/base/mutex.h"
#include "gateway/blobs/replicated_blob_store.h"

namespace rondel::blobs {

class DiskBreakers {
 public:
  enum class Traffic { kSmall, kBulk };

  explicit DiskBreakers(const ReplicatedBlobStoreOptions& options) : options_(options) {}

  enum class ForWrites { kGood, kFull, kAvoided };

  bool avoided(const model::DiskId& disk) const;
  // kFull: it refused a write for want of space a moment ago. Others are asked first, and reads do
  // not mind.
  ForWrites for_writes(const model::DiskId& disk) const;
  double latency(const model::DiskId& disk, Traffic traffic) const;
  // After this long a step counts as stalled.
  Duration stall(const model::DiskId& disk, Traffic traffic) const;

  void succeeded(const model::DiskId& disk, Traffic traffic, Duration took);
  // `certain`: the disk said no or cannot be reached; otherwise it was only slow.
  void failed(const model::DiskId& disk, bool certain);
  void refused_as_full(const model::DiskId& disk);

  // Disks whose pause is over and that nobody probes: the caller does now and reports the outcome.
  std::vector<model::DiskId> due_for_probe();
  void probed(const model::DiskId& disk, bool alive);

  std::vector<DiskHealth> health() const;

 private:
  struct State {
    double small_seconds = 0;
    double bulk_seconds = 0;
    uint32_t failures = 0;
    bool open = false;
    bool probing = false;
    SteadyTime open_until{};
    SteadyTime full_until{};
    Duration pause{};
  };

  void open_locked(State& state);
  void note_success_locked(State& state, Traffic traffic, Duration took);

  const ReplicatedBlobStoreOptions& options_;
  mutable Mutex mutex_;
  std::map<model::DiskId, State> states_ GUARDED_BY(mutex_);
};

}  // namespace rondel::blobs
