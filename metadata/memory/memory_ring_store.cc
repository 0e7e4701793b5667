#include <algorithm>

#include "metadata/memory/memory_state.h"
#include "metadata/memory/memory_stores.h"

namespace rondel::metadata {
namespace {

class MemoryRingStore final : public RingStore {
 public:
  explicit MemoryRingStore(MemoryState& state) : state_(state) {}

  async::Task<Result<model::ClusterId>> cluster_id(Deadline) override {
    return state_.run<Result<model::ClusterId>>(
        [this]() -> Result<model::ClusterId> { return state_.cluster.id; });
  }

  using RingStore::ring_state;

  async::Task<Result<RingState>> ring_state(std::vector<std::string> known, Deadline) override {
    return state_.run<Result<RingState>>([this, known = std::move(known)]() -> Result<RingState> {
      RingState now{state_.cluster.live_rings, state_.min_epoch, state_.clock.now()};
      for (RingEpoch& ring : now.live) {
        ring.hash = std::to_string(std::hash<std::string>()(ring.table));
        if (std::ranges::find(known, ring.hash) != known.end()) ring.table.clear();
      }
      return now;
    });
  }

  async::Task<Result<void>> publish_ring(RingEpoch epoch, uint64_t retire_before,
                                         uint64_t min_epoch, uint64_t coordinator_token,
                                         Deadline) override {
    return state_.run<Result<void>>([=, this, epoch = std::move(epoch)]() -> Result<void> {
      ClusterRows& rows = state_.cluster;
      if (!state_.leads(coordinator_token) || epoch.epoch != rows.newest_epoch + 1) {
        return fail(ErrorCode::kPrecondition,
                    "the epoch is not the next one, or another gateway coordinates");
      }
      std::erase_if(rows.live_rings,
                    [=](const RingEpoch& live) { return live.epoch < retire_before; });
      rows.live_rings.insert(rows.live_rings.begin(), epoch);
      rows.newest_epoch = epoch.epoch;
      state_.min_epoch = std::max(state_.min_epoch, min_epoch);
      return {};
    });
  }

 private:
  MemoryState& state_;
};

}  // namespace

std::unique_ptr<RingStore> make_ring_store(MemoryState& state) {
  return std::make_unique<MemoryRingStore>(state);
}

}  // namespace rondel::metadata
