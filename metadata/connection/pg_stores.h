// The stores that need no batches, each over the workers it is given, which outlive its last call
// and end before it. Internal to metadata/postgres; postgres_metadata.h puts them together.
#pragma once

#include <memory>

#include "metadata/connection/pg_workers.h"

namespace rondel::metadata {

class GcControl;
class KeyStore;
class Lease;
class LifecycleCursors;
class LifecycleRechecks;
class LifecycleStore;
class NodeStore;
class OrphanStore;
class ReleaseQueue;
class RestoreStore;
class RingStore;

std::unique_ptr<GcControl> make_gc_control(PgWorkers& workers);
std::unique_ptr<KeyStore> make_key_store(PgWorkers& workers);
// The lock belongs to the session of `leader`, which has one connection: while that lives nobody
// else can take it.
std::unique_ptr<Lease> make_lease(PgWorkers& leader, PgWorkers& workers);
std::unique_ptr<LifecycleCursors> make_lifecycle_cursors(PgWorkers& workers);
std::unique_ptr<LifecycleRechecks> make_lifecycle_rechecks(PgWorkers& workers);
std::unique_ptr<LifecycleStore> make_lifecycle_store(PgWorkers& workers);
std::unique_ptr<NodeStore> make_node_store(PgWorkers& looks, PgWorkers& writes);
// `reconcile`: for statements of minutes.
std::unique_ptr<OrphanStore> make_orphan_store(PgWorkers& workers, PgWorkers& reconcile);
// `requests`: for release_streams(); `second_look`: for statements of minutes; `operators`: for
// what people ask.
std::unique_ptr<ReleaseQueue> make_release_queue(PgWorkers& requests, PgWorkers& workers,
                                                 PgWorkers& second_look, PgWorkers& operators);
std::unique_ptr<RestoreStore> make_restore_store(PgWorkers& workers, PgWorkers& reconcile);
std::unique_ptr<RingStore> make_ring_store(PgWorkers& looks, PgWorkers& writes);

}  // namespace rondel::metadata
