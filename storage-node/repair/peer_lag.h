// PeerLag: how far other disks are behind, as this node sees it: what they should hold of its
// journal and have not asked past. So a dead disk's lag is seen although it reports nothing itself.
// Safe for concurrent use.
#pragma once

#include <map>
#include <vector>

#include "common/base/mutex.h"
#include "common/model/replication_lag.h"
#include "common/ring/ring.h"
#include "storage-node/engine/engine.h"

namespace rondel::repair {

class PeerLag {
 public:
  explicit PeerLag(const Clock& clock) : clock_(clock), started_at_(clock.steady_now()) {}

  // The disk asked for what comes behind `token`: it has everything before.
  void on_pull(const model::DiskId& asking, const model::DiskId& serving, uint64_t token);

  // Looks on in the journal of `serving` for what silent disks of the ring lack. Some thousand
  // entries a call.
  void observe(engine::Engine& serving, const ring::Topology& topology);

  // Of disks that are silent, the worst over all serving disks.
  std::map<model::DiskId, model::ReplicationLag> lags() const;

 private:
  struct View {
    uint64_t cursor = 0;  // Journal read so far.
    SteadyTime asked_at{};
    bool kept = false;    // The cursor is stored since the disk fell silent.
    SystemTime oldest{};  // Zero: nothing lacks.
    uint64_t bytes = 0;
    uint64_t blobs = 0;
  };

  using Key = std::pair<model::DiskId, model::DiskId>;  // Asking, serving.

  bool silent(const View& view) const;

  const Clock& clock_;
  const SteadyTime started_at_;
  mutable Mutex mutex_;
  std::map<Key, View> views_ GUARDED_BY(mutex_);
};

}  // namespace rondel::repair
