// MemoryCluster: the seams of a cluster and of lifecycle over a database in memory, as one process
// has them.
#pragma once

#include <memory>

#include "metadata/memory/memory_state.h"
#include "metadata/store/gc_control.h"
#include "metadata/store/lease.h"
#include "metadata/store/lifecycle_cursors.h"
#include "metadata/store/lifecycle_rechecks.h"
#include "metadata/store/lifecycle_store.h"
#include "metadata/store/node_store.h"
#include "metadata/store/orphan_store.h"
#include "metadata/store/release_queue.h"
#include "metadata/store/restore_store.h"
#include "metadata/store/ring_store.h"

namespace rondel::metadata {

// Safe for concurrent use. A second one over the same state is another gateway: only one of them
// coordinates, and gives that up when it ends.
class MemoryCluster {
 public:
  // `state` outlives it.
  explicit MemoryCluster(MemoryState& state);

 private:
  const std::unique_ptr<NodeStore> nodes_;
  const std::unique_ptr<RingStore> ring_;
  const std::unique_ptr<Lease> lease_;
  const std::unique_ptr<ReleaseQueue> releases_;
  const std::unique_ptr<OrphanStore> orphans_;
  const std::unique_ptr<GcControl> gc_;
  const std::unique_ptr<RestoreStore> restores_;
  const std::unique_ptr<LifecycleStore> lifecycle_;
  const std::unique_ptr<LifecycleCursors> lifecycle_cursors_;
  const std::unique_ptr<LifecycleRechecks> lifecycle_rechecks_;

 public:
  NodeStore& nodes = *nodes_;
  RingStore& ring = *ring_;
  Lease& lease = *lease_;
  ReleaseQueue& releases = *releases_;
  OrphanStore& orphans = *orphans_;
  GcControl& gc = *gc_;
  RestoreStore& restores = *restores_;
  LifecycleStore& lifecycle = *lifecycle_;
  LifecycleCursors& lifecycle_cursors = *lifecycle_cursors_;
  LifecycleRechecks& lifecycle_rechecks = *lifecycle_rechecks_;
};

}  // namespace rondel::metadata
