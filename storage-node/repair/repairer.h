// Repairer: keeps the disks of a node complete. Catch-up and comparisons put what a disk lacks on
// its list (wanted_list.h) and take removals and restores over; the list is worked off; hand-back
// pushes hand-off copies to their owners.
//
// Runs on one loop of its own. Nothing there waits for a disk: engines are called on threads of the
// disk's own, so one that hangs, or a peer that does, holds up nobody else. Safe for concurrent
// use.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>

#include "common/async/task_group.h"
#include "common/base/mutex.h"
#include "common/model/replication_lag.h"
#include "common/ring/ring.h"
#include "storage-node/engine/engine.h"
#include "storage-node/repair/fetcher.h"
#include "storage-node/repair/hand_back.h"
#include "storage-node/repair/peer_journal.h"
#include "transfer/blob_transport.h"

namespace rondel::repair {

struct RepairOptions {
  Duration period = std::chrono::seconds(1);
  // Since this disk first heard of a blob it lacks: until then it may still be on its way from the
  // gateway.
  Duration settle = std::chrono::seconds(3);
  // A removal that a peer tells of: restorable for so long.
  Duration trash = std::chrono::hours(1);
  uint32_t entries_max = 2048;
  size_t handoffs_max = 256;
  WantedOptions wanted;
};

struct RepairStatus {
  uint64_t blobs_pulled = 0;
  uint64_t bytes_pulled = 0;
  uint64_t handoffs_returned = 0;
  uint64_t damaged_replaced = 0;
  uint64_t errors = 0;
  uint64_t rounds = 0;  // That began with nothing left to do of those before.
};

class Repairer {
 public:
  Repairer(std::vector<engine::Engine*> disks, const ring::TopologySource& topology,
           transfer::BlobTransport& transport, PeerJournal& journal, RepairOptions options,
           const Clock& clock);
  // Waits for calls that are with a disk.
  ~Repairer();

  // Until the group stops.
  async::Task<void> run(async::TaskGroup& group);

  // Microseconds, bytes and blobs that a disk of this node lacks, as far as its peers' journals
  // tell.
  model::ReplicationLag lag_of(const model::DiskId& disk) const;
  WantedList::Counts wanted_of(const model::DiskId& disk) const;
  // Disks that a disk of this node must still be compared with: what it lacks of theirs it does not
  // know.
  size_t comparisons_due(const model::DiskId& disk) const;
  RepairStatus status() const;

 private:
  // What is known of a peer's disk by a disk of ours. The loop's alone but for `behind_since`.
  struct Pair {
    bool loaded = false;
    bool pulling = false;
    uint64_t token = 0;
    // Guarded by mutex_. When the last entry that was taken, or the first that could not be, was
    // flushed; zero: all are taken.
    SystemTime behind_since{};
    // A comparison of everything the peer holds.
    std::atomic<bool> compare = false;  // It is due, or under way. Any thread may read it.
    bool comparing = false;
    uint64_t doubts = 0;      // Those that it settles,
    uint64_t settled = 0;     // and those that are settled.
    uint64_t begun = 0;       // How often it was begun.
    model::BlobId cursor;     // It has come so far.
    SteadyTime compare_at{};  // Not before, after an error.
  };

  struct Own {
    Own(engine::Engine& engine, const Repairer& of);

    OwnDisk disk;
    HandBack hand_back;
    std::map<model::DiskId, std::shared_ptr<Pair>> pairs;  // Guarded by mutex_.
    bool loaded = false;
    bool looking = false;
    bool handing_back = false;
    size_t workers = 0;
    uint64_t doubts = 0;

    bool idle() const;
  };

  enum class Page { kLast, kMore, kFailed };

  void start_jobs(async::TaskGroup& group, Own& own, const ring::Ring& ring);
  async::Task<void> look(Own& own);
  async::Task<void> catch_up(Own& own, ring::Disk peer, std::shared_ptr<Pair> pair);
  async::Task<Page> catch_up_page(Own& own, ring::Disk peer, std::shared_ptr<Pair> pair);
  async::Task<Result<void>> load_pair(Own& own, model::DiskId peer, std::shared_ptr<Pair> pair);
  async::Task<Result<void>> begin_comparison(Own& own, model::DiskId peer,
                                             std::shared_ptr<Pair> pair, const char* why);
  async::Task<void> compare(Own& own, ring::Disk peer, std::shared_ptr<Pair> pair);
  async::Task<Result<bool>> compare_page(Own& own, ring::Disk peer, std::shared_ptr<Pair> pair);
  async::Task<void> hand_back(Own& own);
  async::Task<void> work(Own& own);
  async::Task<void> try_one(Own& own, Wanted wanted);
  async::Task<void> take_removal(Own& own, Wanted wanted, uint64_t order);
  void count_copy(const Wanted& wanted);
  const Own* find(const model::DiskId& disk) const;

  bool stopping() const { return stopping_ && stopping_(); }

  const ring::TopologySource& topology_;
  transfer::BlobTransport& transport_;
  PeerJournal& journal_;
  const RepairOptions options_;
  const Clock& clock_;
  Fetcher fetcher_;
  std::function<bool()> stopping_;
  mutable Mutex mutex_;
  RepairStatus status_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Own>> own_;
};

}  // namespace rondel::repair
