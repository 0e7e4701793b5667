// What makes each seam that holds nothing of its own over a database in memory, which outlives it.
#pragma once

#include <memory>

namespace rondel::metadata {

class GcControl;
class Lease;
class LifecycleCursors;
class LifecycleRechecks;
class LifecycleStore;
class MemoryState;
class NodeStore;
class OrphanStore;
class ReleaseQueue;
class RestoreStore;
class RingStore;

std::unique_ptr<GcControl> make_gc_control(MemoryState& state);
// One of a process: another one is another gateway's.
std::unique_ptr<Lease> make_lease(MemoryState& state);
std::unique_ptr<LifecycleCursors> make_lifecycle_cursors(MemoryState& state);
std::unique_ptr<LifecycleRechecks> make_lifecycle_rechecks(MemoryState& state);
std::unique_ptr<LifecycleStore> make_lifecycle_store(MemoryState& state);
std::unique_ptr<NodeStore> make_node_store(MemoryState& state);
std::unique_ptr<OrphanStore> make_orphan_store(MemoryState& state);
std::unique_ptr<ReleaseQueue> make_release_queue(MemoryState& state);
std::unique_ptr<RestoreStore> make_restore_store(MemoryState& state);
std::unique_ptr<RingStore> make_ring_store(MemoryState& state);

}  // namespace rondel::metadata
