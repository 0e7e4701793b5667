#include "metadata/store/restore_store.h"

#include "metadata/memory/memory_state.h"
#include "metadata/memory/memory_stores.h"

namespace rondel::metadata {
namespace {

constexpr auto kAliveFor = std::chrono::seconds(10);

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
      for (const auto& [id, node] : state_.cluster.nodes) {
        for (const NodeRecord::Disk& disk : node.record.disks) {
          state.disks.push_back(state_of(node, disk.id));
        }
      }
      return state;
    });
  }

  async::Task<Result<std::vector<model::StreamId>>> referenced_streams(
      std::vector<model::StreamId> streams, Deadline) override {
    using Streams = std::vector<model::StreamId>;
    return state_.run<Result<Streams>>(
        [this, streams = std::move(streams)]() mutable -> Result<Streams> {
          std::erase_if(streams, [this](const model::StreamId& stream) {
            return !state_.is_referenced(stream);
          });
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
  RestoreState::Disk state_of(const StoredNode& node, const model::DiskId& disk) const {
    const auto restored = state_.cluster.restores.find(disk);
    RestoreState::Disk state{disk, node.record.id, node.record.address};
    state.alive = node.record.last_seen > state_.clock.now() - kAliveFor;
    state.done = !state_.cluster.restore_waits(disk);
    if (restored != state_.cluster.restores.end()) state.blobs = restored->second.blobs;
    return state;
  }

  MemoryState& state_;
};

}  // namespace

std::unique_ptr<RestoreStore> make_restore_store(MemoryState& state) {
  return std::make_unique<MemoryRestoreStore>(state);
}

}  // namespace rondel::metadata
