// ClusterStore: ring epochs, nodes, the coordinator's token, and the queues the coordinator works on. Not on the request
// path. Safe for concurrent use. Errors as in MetadataStore; kPrecondition = the coordinator token given is no longer the
// highest.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/model/ids.h"
#include "common/model/metadata_generation.h"

namespace rondel::metadata {

struct NodeRecord {
  model::NodeId id;
  std::string address;               // gRPC target of its Storage service.
  std::string operations_address;    // Where it serves /metrics.
  std::string host;
  std::string zone;
  struct Disk {
    model::DiskId id;
    uint64_t capacity_bytes = 0;
    std::string status;              // Serialized storage.v1.DiskStatus of the last heartbeat.
  };
  std::vector<Disk> disks;
  SystemTime last_seen;
  model::MetadataGeneration seen = {};   // What the node remembers of the database.
  uint64_t highest_order = 0;            // That any of its disks has seen.
};

// What the database says to a node.
struct Greeting {
  model::Recognition recognition = model::Recognition::kUnknown;
  model::MetadataGeneration database;    // With the number of the heartbeat just recorded.
  // Why nothing may be purged on this node; empty: on `purging_disks` it may.
  std::string purging_stopped;
  // Of the disks it told of, those whose trash no restore waits for. One that it did not tell of is
  // never among them.
  std::vector<model::DiskId> purging_disks = {};
};

struct Recognized {
  model::Recognition recognition = model::Recognition::kUnknown;
  model::MetadataGeneration database;
};

struct NewMark {
  model::MetadataGeneration database;    // With the mark just written.
  bool follows = false;                  // The database holds the mark it was asked for.
};

// Taking out of the trash what rows refer to, disk by disk.
struct RestoreState {
  uint64_t number = 0;                   // Rises with every order to restore.
  struct Disk {
    model::DiskId disk;
    model::NodeId node;
    std::string address;
    bool alive = false;                  // The last heartbeat that names it is at most 10 s old.
    bool done = false;
    uint64_t blobs = 0;                  // Taken out, once done.
    // A live ring counts on it, or its node was heard of within the hour. The others are not waited
    // for; should one come back, it is looked through before anything is purged on it.
    bool member = true;

    bool waits() const { return member && !done; }
  };
  // Of every known node and every live ring, those that are done too.
  std::vector<Disk> disks;

  uint64_t members() const {
    return static_cast<uint64_t>(std::ranges::count(disks, true, &Disk::member));
  }
  uint64_t waiting() const {
    return static_cast<uint64_t>(std::ranges::count(disks, true, &Disk::waits));
  }
};

struct RingEpoch {
  uint64_t epoch = 0;
  std::string table;                 // ring::Ring::serialize().
};

struct RingState {
  std::vector<RingEpoch> live;       // Newest first.
  uint64_t min_epoch = 0;
  SystemTime now = SystemTime::max();   // By the database's clock; max: it has none.
};

// A stream nobody refers to any more, its grace being over.
struct ReleasedStream {
  int64_t id = 0;                    // Of the queue row.
  model::StreamId stream;
  uint64_t size = 0;
  SystemTime released_at;
};

// Counted up to 10,000, estimated from the database's statistics above: their cost does not grow with them.
struct QueueDepths {
  uint64_t released = 0;
  uint64_t uploads_open = 0;
  SystemTime oldest_released;
  uint64_t referenced = 0;           // Kept by check_released; never estimated, at most 10,000.
};

// What a second look at released streams found.
struct CheckedReleases {
  uint64_t checked = 0;              // Nothing refers to them: they may be removed.
  uint64_t referenced = 0;           // Something does: they left the queue and are kept.
  std::string examples;              // Some of those, in hexadecimal.
};

// The settings gc.grace, gc.trash and gc.orphan_age. Whoever leads goes by the cluster's, which are the greatest of all gateways'.
struct GarbageAges {
  std::chrono::seconds grace{0};
  std::chrono::seconds trash{0};
  std::chrono::seconds orphan_age{0};
  bool operator==(const GarbageAges&) const = default;
};

// Blobs, by disk.
using OrphanCounts = std::map<model::DiskId, uint64_t>;

// Garbage collection as an operator sees it.
struct GarbageState {
  std::string halted;                // Why; empty: it goes on.
  SystemTime halted_at;
  uint64_t allowance = 0;            // Orphaned blobs that the next pass may release when that is more than usual.
  SystemTime now = SystemTime::max();   // By the database's clock; max: it has none.
  GarbageAges ages = {};             // The cluster's.
  // A node that remembers another database, or this one further than it is; empty: none does.
  std::string stranger = {};
};

class ClusterStore {
 public:
  virtual ~ClusterStore() = default;

  virtual async::Task<Result<model::ClusterId>> cluster_id(Deadline deadline) = 0;
  // A heartbeat: inserts or refreshes the node, its disks, what it remembers and last_seen, and
  // tells what the database is to it. Durable before it returns: a database that lacks this
  // heartbeat has lost commits.
  virtual async::Task<Result<Greeting>> record_node(NodeRecord node, Deadline deadline) = 0;
  // What the database is to a node that remembers `seen`. Changes nothing.
  virtual async::Task<Result<Recognized>> recognize(model::NodeId node,
      model::MetadataGeneration seen, Deadline deadline) = 0;
  virtual async::Task<Result<std::vector<NodeRecord>>> list_nodes(Deadline deadline) = 0;
  virtual async::Task<Result<RingState>> ring_state(Deadline deadline) = 0;
  // Adds an epoch; it must be the newest + 1 (kPrecondition otherwise). retire_before: older epochs stop being live.
  virtual async::Task<Result<void>> publish_ring(RingEpoch epoch, uint64_t retire_before, uint64_t min_epoch,
                                                 uint64_t coordinator_token, Deadline deadline) = 0;

  // Tries to become (or stay) the coordinator: takes the advisory lock on a connection of its own,
  // raises the token and writes a mark. nullopt: another gateway is.
  virtual async::Task<Result<std::optional<uint64_t>>> claim_coordinator(Deadline deadline) = 0;
  virtual void resign_coordinator() = 0;

  // The second look: of at most `max` rows whose grace ended before `before` and that were not looked at, marks those that nothing refers
  // to; the others leave the queue, are kept for an operator to see, and are never removed. Nothing when another gateway coordinates.
  virtual async::Task<Result<CheckedReleases>> check_released(SystemTime before, size_t max, uint64_t coordinator_token, Deadline deadline) = 0;
  // Rows that a second look has marked and whose grace ended before `before`, oldest first; they stay until finish_released.
  virtual async::Task<Result<std::vector<ReleasedStream>>> take_released(SystemTime before, size_t max,
                                                                         uint64_t coordinator_token,
                                                                         Deadline deadline) = 0;
  virtual async::Task<Result<void>> finish_released(std::vector<int64_t> ids, uint64_t coordinator_token,
                                                    Deadline deadline) = 0;
  // Reconcile: of the given streams (sorted), those that no version, part or queue row refers to.
  virtual async::Task<Result<std::vector<model::StreamId>>> unreferenced_streams(std::vector<model::StreamId> streams,
                                                                                 Deadline deadline) = 0;
  // Records streams found unreferenced (after interlocks) as released; those that something refers to by now are left out.
  // `counts`: for recent_orphans().
  virtual async::Task<Result<void>> release_orphans(std::vector<ReleasedStream> orphans, OrphanCounts counts,
                                                    uint64_t coordinator_token, Deadline deadline) = 0;
  // What was released within that time; nothing that was before the last resume_garbage().
  virtual async::Task<Result<OrphanCounts>> recent_orphans(std::chrono::seconds within, Deadline deadline) = 0;
  // A gateway's settings: raises the cluster's where they are less, and answers them.
  virtual async::Task<Result<GarbageAges>> raise_garbage_ages(GarbageAges ages, Deadline deadline) = 0;
  // An operator's; nullopt of a field of the three = it stays. Lowering is for when no gateway has more any longer.
  virtual async::Task<Result<void>> set_garbage_ages(std::optional<std::chrono::seconds> grace, std::optional<std::chrono::seconds> trash,
                                                     std::optional<std::chrono::seconds> orphan_age, Deadline deadline) = 0;
  // Writes a mark, and says whether the database holds `before` (zero: it does). Forgets marks that
  // are older than any trash and journal and that no node has.
  virtual async::Task<Result<NewMark>> write_mark(model::MetadataMark before,
      uint64_t coordinator_token, Deadline deadline) = 0;
  // The number of a removal or restore: greater than every one before, than `above`, and than any
  // that a node has told of.
  virtual async::Task<Result<uint64_t>> next_order(uint64_t above, uint64_t coordinator_token,
      Deadline deadline) = 0;
  // Of the given streams (sorted), those that a version or part refers to.
  virtual async::Task<Result<std::vector<model::StreamId>>> referenced_streams(
      std::vector<model::StreamId> streams,
                                                                               Deadline deadline) =
                                                                                   0;
  // An operator's: the trash of every disk, also of those that are away or unknown so far, is to be
  // looked through for what rows refer to; until that is done on a disk nothing is purged on it.
  // Answers the number that restore_state() has then.
  virtual async::Task<Result<uint64_t>> order_restore(Deadline deadline) = 0;
  virtual async::Task<Result<RestoreState>> restore_state(Deadline deadline) = 0;
  // The disk was looked through for this number; later ones stay.
  virtual async::Task<Result<void>> finish_restore(model::DiskId disk, uint64_t number,
      uint64_t blobs, uint64_t coordinator_token,
                                                   Deadline deadline) = 0;
  virtual async::Task<Result<GarbageState>> garbage_state(Deadline deadline) = 0;
  // Halts until resume_garbage(). The first reason stays.
  virtual async::Task<Result<void>> halt_garbage(std::string reason, uint64_t coordinator_token, Deadline deadline) = 0;
  // An operator confirms that the database holds what it should, and lets one pass release so many
  // orphaned blobs. Orders a restore: whoever confirms too early, or while a node is away, loses
  // nothing by it.
  virtual async::Task<Result<void>> resume_garbage(uint64_t allowance, Deadline deadline) = 0;
  // The pass is over: its allowance is used up.
  virtual async::Task<Result<void>> end_garbage_pass(uint64_t coordinator_token, Deadline deadline) = 0;
  // Forgets completed uploads older than `before`.
  virtual async::Task<Result<uint64_t>> forget_completed_uploads(SystemTime before, Deadline deadline) = 0;
  virtual async::Task<Result<QueueDepths>> queue_depths(Deadline deadline) = 0;
};

}  // namespace rondel::metadata
