#include "metadata/memory/memory_cluster.h"

#include "metadata/memory/memory_stores.h"

namespace rondel::metadata {

MemoryCluster::MemoryCluster(MemoryState& state)
    : nodes_(make_node_store(state)),
      ring_(make_ring_store(state)),
      lease_(make_lease(state)),
      releases_(make_release_queue(state)),
      orphans_(make_orphan_store(state)),
      gc_(make_gc_control(state)),
      restores_(make_restore_store(state)),
      lifecycle_(make_lifecycle_store(state)),
      lifecycle_cursors_(make_lifecycle_cursors(state)),
      lifecycle_rechecks_(make_lifecycle_rechecks(state)) {}

}  // namespace rondel::metadata
