#include "metadata/store/orphan_store.h"

#include <set>

#include "metadata/memory/memory_state.h"
#include "metadata/memory/memory_stores.h"

namespace rondel::metadata {
namespace {

class MemoryOrphanStore final : public OrphanStore {
 public:
  explicit MemoryOrphanStore(MemoryState& state) : state_(state) {}

  async::Task<Result<std::vector<model::StreamId>>> unreferenced_streams(
      std::vector<model::StreamId> streams, Deadline) override {
    using Streams = std::vector<model::StreamId>;
    return state_.run<Result<Streams>>(
        [this, streams = std::move(streams)]() mutable -> Result<Streams> {
          const std::set<model::StreamId> queued = queue();
          std::erase_if(streams, [&](const model::StreamId& stream) {
            return state_.is_referenced(stream) || queued.contains(stream);
          });
          return std::move(streams);
        });
  }

  async::Task<Result<void>> release_orphans(std::vector<ReleasedStream> orphans,
                                            OrphanCounts counts, uint64_t coordinator_token,
                                            Deadline) override {
    return state_.run<Result<void>>([this, orphans = std::move(orphans), counts = std::move(counts),
                                     coordinator_token]() -> Result<void> {
      if (!state_.leads(coordinator_token)) return {};
      for (const auto& [disk, blobs] : counts) {
        state_.cluster.orphans.push_back({disk, blobs, state_.clock.now()});
      }
      const std::set<model::StreamId> queued = queue();
      for (const ReleasedStream& orphan : orphans) {
        if (state_.is_referenced(orphan.stream) || queued.contains(orphan.stream)) continue;
        state_.release_stream(orphan.stream, orphan.size);
      }
      return {};
    });
  }

  async::Task<Result<OrphanCounts>> recent_orphans(std::chrono::seconds within, Deadline) override {
    return state_.run<Result<OrphanCounts>>([this, within]() -> Result<OrphanCounts> {
      const SystemTime begin = state_.clock.now() - within;
      OrphanCounts counts;
      for (const StoredOrphans& released : state_.cluster.orphans) {
        if (released.released_at > begin) counts[released.disk] += released.blobs;
      }
      return counts;
    });
  }

  async::Task<Result<void>> end_garbage_pass(uint64_t coordinator_token, Deadline) override {
    return state_.run<Result<void>>([this, coordinator_token]() -> Result<void> {
      if (!state_.leads(coordinator_token)) return {};
      const SystemTime begin = state_.clock.now() - state_.cluster.garbage.ages.orphan_age;
      std::erase_if(state_.cluster.orphans, [begin](const StoredOrphans& released) {
        return released.released_at < begin;
      });
      state_.cluster.garbage.allowance = 0;
      return {};
    });
  }

 private:
  std::set<model::StreamId> queue() const {
    std::set<model::StreamId> queued;
    for (const auto& [id, release] : state_.released) queued.insert(release.row.stream);
    return queued;
  }

  MemoryState& state_;
};

}  // namespace

std::unique_ptr<OrphanStore> make_orphan_store(MemoryState& state) {
  return std::make_unique<MemoryOrphanStore>(state);
}

}  // namespace rondel::metadata
