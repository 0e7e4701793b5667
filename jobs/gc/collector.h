// Collector: removes released bytes from the disks after their grace, and keeps the marks by which
// nodes know the database.
//
// Garbage collection is halted when a node does not recognize the database (it was restored from a
// backup, is another one, or a standby was promoted that lacked commits), or when the orphan scan's
// breaker trips: until an operator resumes it (`rondel gc resume`).
// Nodes say with each heartbeat what they remember, and are asked once a minute. Marks are written
// each minute, and before each batch of removals: a database that still refers to what is removed
// then does not hold the mark that nodes see with the order. A database that took the place of the
// one that a round was read from ends the round, also when it was confirmed: what the other said
// may go is asked of this one again.
#pragma once

#include <atomic>
#include <map>
#include <optional>

#include "cluster/membership/age_clock.h"
#include "cluster/node_client/blob_remover.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/ring/ring.h"
#include "jobs/job.h"
#include "metadata/store/gc_control.h"
#include "metadata/store/lease.h"
#include "metadata/store/node_store.h"
#include "metadata/store/release_queue.h"

namespace rondel::gc {

class RemovalBatch;

struct CollectorOptions {
  std::chrono::seconds gc_grace{3600};    // Between release and removal; longer than any read.
  std::chrono::seconds gc_trash{86'400};  // Restorable on the nodes for so long.
  size_t gc_streams_per_round = 10'000;
  Duration node_timeout = std::chrono::seconds(10);
  const membership::AgeClock* ages = nullptr;  // What ages go by; null: the clock given.
};

struct CollectorStatus {
  uint64_t streams_removed_total = 0;
  uint64_t removals_deferred_total = 0;  // Streams kept for a later round: too few owners answered.
  // Of the queue, as of the last minute in which this gateway led.
  uint64_t released_streams = 0;
  uint64_t deferred_streams = 0;  // Of them, those that wait to be tried again.
  double oldest_release_seconds = 0;
  std::string gc_halted;  // Why; empty: it goes on.
};

// What it asks of the database; outlives it.
struct CollectorStores {
  metadata::Lease& lease;
  metadata::NodeStore& nodes;
  metadata::ReleaseQueue& releases;
  metadata::GcControl& gc;
};

// Runs on one loop; status() from any thread.
class Collector final : public jobs::Job {
 public:
  Collector(CollectorStores stores, const ring::TopologySource& topology,
            node_client::BlobRemover& remover, CollectorOptions options, const Clock& clock);

  std::string_view name() const override { return "garbage"; }

  async::Task<Result<void>> run_round(const jobs::Term& term) override;

  Duration pause() const override { return std::chrono::seconds(1); }

  CollectorStatus status() const;

 private:
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
  // check_same(), one at a time; nothing when somebody else has looked lately and `due` is false.
  async::Task<Result<void>> look_again(bool due, uint64_t token);
  async::Task<Result<void>> ask_nodes(const ring::Topology& topology, uint64_t token);
  struct Removal;
  struct Asking;
  async::Task<Result<void>> remove_batch(RemovalBatch& batch, uint64_t token);
  async::Task<void> remove_from_disks(Removal& removal);
  async::Task<Result<bool>> remove_from_disk(Removal& removal, transfer::DiskAddress at,
                                             const std::vector<model::BlobId>& ids);
  async::Task<void> ask_some_nodes(Asking& asking);
  // `databases`: databases_ when the ids were read.
  async::Task<Result<void>> remove_some(transfer::DiskAddress at, std::vector<model::BlobId> ids,
                                        uint64_t number, uint64_t token, uint64_t databases);
  async::Task<void> count_queue();
  bool is_away(const model::DiskId& disk) const;
  void heard(const model::DiskId& disk, bool answered);
  async::Task<Result<void>> halt(std::string reason, uint64_t token);

  const CollectorStores stores_;
  const ring::TopologySource& topology_;
  node_client::BlobRemover& remover_;
  const CollectorOptions options_;
  const Clock& clock_;
  std::atomic<uint64_t> removed_{0};
  std::atomic<uint64_t> deferred_{0};
  // Of the last mark written or seen. The loop's alone.
  model::MetadataGeneration generation_;
  // Nodes' marks that the database of generation_ holds. So too.
  std::map<model::NodeId, model::MetadataMark> verified_;
  uint64_t databases_ = 0;  // How often it became another one. So too.
  bool looking_ = false;    // look_again() is under way. So too.

  struct Away {
    SteadyTime until{};
    Duration pause{};
  };

  // Disks that did not answer: left alone for a while. So too.
  std::map<model::DiskId, Away> away_;
  uint64_t highest_order_ = 0;   // That any node has told of. So too.
  SteadyTime marked_at_{};       // So too.
  uint64_t marked_by_ = 0;       // The token of that mark. So too.
  SteadyTime looked_at_{};       // Of check_same(). So too.
  SteadyTime nodes_asked_at_{};  // So too.
  SteadyTime counted_at_{};      // So too.
  std::atomic<uint64_t> queued_{0}, queue_deferred_{0};
  std::atomic<double> oldest_seconds_{0};
  std::chrono::seconds trash_{0};  // So too: the longest of all gateways'.
  mutable Mutex mutex_;
  std::string halted_ GUARDED_BY(mutex_);
};

}  // namespace rondel::gc
