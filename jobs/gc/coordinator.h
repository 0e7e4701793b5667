// Coordinator: the jobs that one gateway at a time does for the cluster. Whoever holds the advisory lock runs them; every
// write and node command carries its token, so that a former coordinator that wakes up late changes nothing.
//
// Jobs: the first ring epoch, once enough disks have joined; removal of released bytes after their
// grace; the reconcile scan. Garbage collection is halted when a node does not recognize the
// database (it was restored from a backup, is another one, or a standby was promoted that lacked
// commits), or when the scan's breaker trips: until an operator resumes it (`rondel gc resume`).
// Nodes say with each heartbeat what they remember, and are asked once a minute. Marks are written
// each minute, and before each batch of removals: a database that still refers to what is removed
// then does not hold the mark that nodes see with the order. A database that took the place of the
// one that a round was read from ends the round, also when it was confirmed: what the other said
// may go is asked of this one again.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>

#include "common/async/task_group.h"
#include "common/base/clock.h"
#include "common/ring/ring.h"
#include "cluster/membership/age_clock.h"
#include "cluster/node_client/blob_remover.h"
#include "jobs/gc/orphan_scan.h"
#include "metadata/store/gc_control.h"
#include "metadata/store/lease.h"
#include "metadata/store/node_store.h"
#include "metadata/store/release_queue.h"
#include "metadata/store/ring_store.h"

namespace rondel::gc {

class RemovalBatch;

struct CoordinatorOptions {
  size_t bootstrap_disks = 0;                    // First epoch when so many disks have joined; 0 = never by itself.
  ring::RingOptions ring;
  std::chrono::seconds gc_grace{3600};           // Between release and removal; longer than the longest read.
  std::chrono::seconds gc_trash{86'400};         // Restorable on the nodes for so long.
  size_t gc_streams_per_round = 10'000;
  Duration orphan_scan_pause = std::chrono::hours(6);   // Between passes of the reconcile scan.
  Duration node_timeout = std::chrono::seconds(10);
  const membership::AgeClock* ages = nullptr;                // What ages go by; null: the clock given.
};

struct CoordinatorStatus {
  bool leader = false;
  uint64_t token = 0;
  uint64_t streams_removed_total = 0;
  uint64_t removals_deferred_total = 0;          // Streams kept for a later round: too few owners answered.
  uint64_t errors_total = 0;
  std::string gc_halted;                         // Why; empty: it goes on.
};

// What it asks of the database; outlives it.
struct CoordinatorStores {
  metadata::Lease& lease;
  metadata::NodeStore& nodes;
  metadata::RingStore& ring;
  metadata::ReleaseQueue& releases;
  metadata::GcControl& gc;
};

// Runs on one loop; status() from any thread.
class Coordinator {
 public:
  Coordinator(CoordinatorStores stores, const ring::TopologySource& topology, node_client::BlobRemover& remover,
              OrphanScan& orphans, CoordinatorOptions options, const Clock& clock);

  // Claims or keeps leadership, then does every job once. Nothing when another gateway leads.
  async::Task<Result<void>> run_once();
  // run_once() every second until the group stops, then gives the leadership back.
  async::Task<void> run(async::TaskGroup& group);
  // Passes of the reconcile scan while this gateway leads, until the group stops.
  async::Task<void> run_orphan_scan(async::TaskGroup& group);

  CoordinatorStatus status() const;
  uint64_t token() const { return token_.load(); }
  // The same, when the database took it under that confirmation; 0 otherwise: a token of the
  // database before must not be held against coordinators of the one that was confirmed.
  uint64_t token_under(uint64_t accepted) const;

 private:
  async::Task<Result<void>> bootstrap_ring(uint64_t token);
  async::Task<Result<void>> do_jobs(uint64_t token);
  async::Task<Result<void>> keep_marks(uint64_t token);
  // kCancelled: it was written, to another database than the one before.
  async::Task<Result<void>> write_mark(uint64_t token);
  void forget_database();
  async::Task<Result<void>> collect_garbage(uint64_t token);
  async::Task<Result<void>> collect_round(const ring::Topology& topology, uint64_t token);
  async::Task<Result<void>> remove_due(const std::vector<metadata::ReleasedStream>& due,
                                       const ring::Topology& topology, uint64_t token);
  // kOutOfRange: halted.
  async::Task<Result<metadata::GarbageState>> check_running(uint64_t token);
  // So too; kCancelled: it is another database.
  async::Task<Result<void>> check_same(uint64_t token);
  async::Task<Result<void>> ask_nodes(const ring::Topology& topology, uint64_t token);
  async::Task<Result<void>> remove_batch(RemovalBatch& batch, uint64_t token);
  async::Task<Result<void>> remove_some(const transfer::DiskAddress& at, std::vector<model::BlobId> ids,
      uint64_t number, uint64_t token);
  async::Task<Result<void>> halt(std::string reason, uint64_t token);

  const CoordinatorStores stores_;
  const ring::TopologySource& topology_;
  node_client::BlobRemover& remover_;
  OrphanScan& orphans_;
  const CoordinatorOptions options_;
  const Clock& clock_;
  std::atomic<uint64_t> token_{0};
  std::atomic<uint64_t> removed_{0};
  std::atomic<uint64_t> deferred_{0};
  std::atomic<uint64_t> errors_{0};
  // Of the last mark written or seen. The loop's alone.
  model::MetadataGeneration generation_;
  // Nodes' marks that the database of generation_ holds. So too.
  std::map<model::NodeId, model::MetadataMark> verified_;
  uint64_t highest_order_ = 0;                   // That any node has told of. So too.
  SteadyTime marked_at_{};                       // So too.
  uint64_t marked_by_ = 0;                       // The token of that mark. So too.
  SteadyTime looked_at_{};                       // Of check_same(). So too.
  SteadyTime nodes_asked_at_{};                  // So too.
  std::chrono::seconds trash_{0};                // So too: the longest of all gateways'.
  std::string last_error_;                       // So too.
  mutable std::mutex mutex_;
  std::string halted_;                           // Guarded by mutex_.
  struct Marked {
    uint64_t token = 0;
    uint64_t accepted = 0;
  };
  Marked marked_;                                // By the last mark. Guarded by mutex_.
};

}  // namespace rondel::gc
