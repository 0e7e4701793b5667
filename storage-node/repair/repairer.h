// Repairer: keeps the disks of a node complete. Catch-up pulls what peers' journals tell and a disk lacks; hand-back pushes
// hand-off copies to their owners and drops them after the owner's flush.
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
  };

  async::Task<void> catch_up(engine::Engine& disk, ring::Disk peer);
  // True: everything the peer told is here.
  async::Task<bool> catch_up_page(engine::Engine& disk, const ring::Disk& peer, Pair& pair);
  async::Task<Result<void>> compare_all(engine::Engine& disk, const ring::Disk& peer);
  async::Task<Result<void>> fetch(engine::Engine& disk, const ring::Disk& peer, model::BlobId blob, uint64_t length);
  async::Task<void> hand_back(engine::Engine& disk);
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
  std::map<model::DiskId, bool> handing_back_;
  RepairStatus status_;
};

}  // namespace rondel::repair
