#include "metadata/store/restore_store.h"

#include <map>

#include "common/ring/ring.h"
#include "metadata/memory/memory_state.h"
#include "metadata/memory/memory_stores.h"

namespace rondel::metadata {
namespace {

constexpr auto kAliveFor = std::chrono::seconds(30);
// A node that has not been heard of for so long is gone, unless a ring counts on its disks.
constexpr auto kGoneAfter = std::chrono::hours(1);

class MemoryRestoreStore final : public RestoreStore {
 public:
  explicit MemoryRestoreStore(MemoryState& state) : state_(state) {}

  async::Task<Result<uint64_t>> order_restore(Deadline) override {
    return state_.run<Result<uint64_t>>(
        [this]() -> Result<uint64_t> { return ++state_.cluster.restore_number; });
  }

  async::Task<Result<RestoreState>> restore_state(Deadline) override {
    return state_.run<Result<RestoreState>>([this]() -> Result<RestoreState> {
      RestoreState state{state_.cluster.restore_number, {}};
      TRY(auto members, members_of_rings());
      for (const auto& [id, node] : state_.cluster.nodes) {
        for (const NodeRecord::Disk& disk : node.record.disks) {
          state.disks.push_back(state_of(disk.id, node, members.erase(disk.id) > 0));
        }
      }
      for (const auto& [disk, node] : members) state.disks.push_back(untold_state_of(disk, node));
      return state;
    });
  }

  async::Task<Result<std::vector<model::StreamId>>> referenced_streams(
      std::vector<model::StreamId> streams, Deadline) override {
    using Streams = std::vector<model::StreamId>;
    return state_.run<Result<Streams>>([this,
                                        streams = std::move(streams)]() mutable -> Result<Streams> {
      std::erase_if(
          streams, [this](const model::StreamId& stream) { return !state_.is_referenced(stream); });
      return std::move(streams);
    });
  }

  async::Task<Result<void>> finish_restore(model::DiskId disk, uint64_t number, uint64_t blobs,
                                           uint64_t coordinator_token, Deadline) override {
    return state_.run<Result<void>>([=, this]() -> Result<void> {
      if (!state_.leads(coordinator_token)) return {};
      const auto [row, added] = state_.cluster.restores.emplace(disk, StoredRestore{number, blobs});
      if (!added && row->second.number < number) row->second = {number, blobs};
      return {};
    });
  }

 private:
  // Disks that a live ring counts on, and their nodes; none before a restore was ordered.
  Result<std::map<model::DiskId, model::NodeId>> members_of_rings() const {
    std::map<model::DiskId, model::NodeId> members;
    if (state_.cluster.restore_number == 0) return members;
    for (const RingEpoch& epoch : state_.cluster.live_rings) {
      TRY(const ring::Ring ring, ring::Ring::parse(as_bytes(epoch.table)));
      for (const ring::Disk& disk : ring.disks()) members.emplace(disk.id, disk.node);
    }
    return members;
  }

  RestoreState::Disk state_of(const model::DiskId& disk, const StoredNode& node,
                              bool in_ring) const {
    const auto restored = state_.cluster.restores.find(disk);
    const Duration silent = state_.clock.now() - node.record.last_seen;
    RestoreState::Disk state{disk, node.record.id, node.record.address};
    state.alive = silent < kAliveFor;
    state.done = !state_.cluster.restore_waits(disk);
    if (restored != state_.cluster.restores.end()) state.blobs = restored->second.blobs;
    state.member = in_ring || silent < kGoneAfter;
    return state;
  }

  // Of a disk that no node tells of.
  RestoreState::Disk untold_state_of(const model::DiskId& disk, const model::NodeId& node) const {
    RestoreState::Disk state{disk, node, ""};
    state.done = !state_.cluster.restore_waits(disk);
    if (state.done) state.blobs = state_.cluster.restores.at(disk).blobs;
    return state;
  }

  MemoryState& state_;
};

}  // namespace

std::unique_ptr<RestoreStore> make_restore_store(MemoryState& state) {
  return std::make_unique<MemoryRestoreStore>(state);
}

}  // namespace rondel::metadata
