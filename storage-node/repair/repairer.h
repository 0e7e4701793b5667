// Repairer: keeps the disks of a node complete. Catch-up pulls what peers' journals tell and a disk lacks; hand-back pushes
// hand-off copies to their owners and drops them after the owner's flush; blobs found damaged are fetched again.
//
// Runs on one loop of its own, with coroutines that read and write the engines directly. Safe for concurrent use.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "common/async/blocking_pool.h"
#include "common/async/task_group.h"
#include "common/ring/ring.h"
#include "common/rpc/blob_transport.h"
#include "storage-node/engine/engine.h"
#include "storage-node/repair/peer_journal.h"

namespace rondel::repair {

struct RepairOptions {
  Duration period = std::chrono::seconds(1);
  // Younger blobs may still be on their way from the gateway.
  Duration settle = std::chrono::seconds(3);
  // A removal that a peer tells of: restorable for so long.
  Duration trash = std::chrono::hours(1);
  uint32_t entries_max = 2048;
  size_t handoffs_max = 256;
};

struct RepairStatus {
  uint64_t blobs_pulled = 0;
  uint64_t bytes_pulled = 0;
  uint64_t handoffs_returned = 0;
  uint64_t damaged_replaced = 0;
  uint64_t errors = 0;
};

class Repairer {
 public:
  Repairer(std::vector<engine::Engine*> disks, const ring::TopologySource& topology, rpc::BlobTransport& transport,
           PeerJournal& journal, model::NodeId node, RepairOptions options, const Clock& clock);

  // Until the group stops.
  async::Task<void> run(async::TaskGroup& group);

  // Microseconds, bytes and blobs that a disk of this node lacks, as far as its peers' journals tell.
  std::array<uint64_t, 3> lag_of(const model::DiskId& disk) const;
  RepairStatus status() const;

 private:
  struct Pair {
    uint64_t token = 0;
    bool loaded = false;
    SystemTime oldest{};       // Of what the disk lacks; zero: nothing.
    uint64_t bytes = 0;
    uint64_t blobs = 0;
    bool running = false;
    bool compared = false;     // The disk's doubts are settled with this peer.
  };

  // kMore: a page was taken and more follows. kWait: the rest can only be had later.
  enum class Step { kDone, kMore, kWait };

  async::Task<void> catch_up(engine::Engine& disk, ring::Disk peer);
  async::Task<Step> catch_up_page(engine::Engine& disk, const ring::Disk& peer, Pair& pair);
  async::Task<Result<void>> take(engine::Engine& disk, const ring::Disk& peer, const engine::JournalEntry& entry);
  // A disk that may lack records it once acknowledged looks through everything its peer has.
  async::Task<Result<void>> settle_doubts(engine::Engine& disk, const ring::Disk& peer, Pair& pair);
  async::Task<Result<void>> compare_all(engine::Engine& disk, const ring::Disk& peer);
  async::Task<Result<void>> fetch(engine::Engine& disk, rpc::DiskAddress from, model::BlobId blob, uint64_t length);
  // From any owner but `except` and the disk itself.
  async::Task<Result<void>> fetch_elsewhere(engine::Engine& disk, const model::DiskId& except, model::BlobId blob, uint64_t length);
  async::Task<void> mend(engine::Engine& disk);
  async::Task<void> hand_back(engine::Engine& disk);
  async::Task<Result<void>> hand_back_one(engine::Engine& disk, const engine::BlobEntry& blob);
  async::Task<Result<void>> push(engine::Engine& disk, const engine::BlobEntry& blob, rpc::DiskAddress to);
  bool owns(const model::DiskId& disk, const model::BlobId& blob) const;
  std::shared_ptr<Pair> pair_of(const model::DiskId& disk, const model::DiskId& peer);
  void load_token(engine::Engine& disk, const model::DiskId& peer, Pair& pair);
  void store_token(engine::Engine& disk, const model::DiskId& peer, const Pair& pair);

  const std::vector<engine::Engine*> disks_;
  const ring::TopologySource& topology_;
  rpc::BlobTransport& transport_;
  PeerJournal& journal_;
  const model::NodeId node_;
  const RepairOptions options_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::pair<model::DiskId, model::DiskId>, std::shared_ptr<Pair>> pairs_;
  struct Jobs {
    bool handing_back = false;
    bool mending = false;
    engine::BlobEntry handoff_cursor;
  };
  std::map<model::DiskId, Jobs> jobs_;                 // The loop's alone.
  RepairStatus status_;
};

}  // namespace rondel::repair
