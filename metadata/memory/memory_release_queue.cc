#include "metadata/store/release_queue.h"

#include <algorithm>

#include "metadata/memory/memory_state.h"
#include "metadata/memory/memory_stores.h"

namespace rondel::metadata {
namespace {

constexpr uint64_t kExamplesMax = 10;

class MemoryReleaseQueue final : public ReleaseQueue {
 public:
  explicit MemoryReleaseQueue(MemoryState& state) : state_(state) {}

  async::Task<Result<void>> release_streams(std::vector<Extent> streams, Deadline) override {
    return state_.run<Result<void>>([this, streams = std::move(streams)]() -> Result<void> {
      for (const Extent& extent : streams) {
        state_.release_stream(extent.stream, extent.stream_size);
      }
      return {};
    });
  }

  async::Task<Result<CheckedReleases>> check_released(SystemTime before, size_t max,
                                                      uint64_t coordinator_token,
                                                      Deadline) override {
    return state_.run<Result<CheckedReleases>>([=, this]() -> Result<CheckedReleases> {
      CheckedReleases looked;
      if (!state_.leads(coordinator_token)) return looked;
      const SystemTime now = state_.clock.now();
      for (auto row = state_.released.begin();
           row != state_.released.end() && looked.checked + looked.referenced < max;) {
        const bool due = !row->second.checked_at && row->second.row.released_at <= before;
        row = due ? look_at(row, now, looked) : std::next(row);
      }
      return looked;
    });
  }

  async::Task<Result<std::vector<ReleasedStream>>> take_released(SystemTime before, size_t max,
                                                                 uint64_t coordinator_token,
                                                                 Deadline) override {
    using Streams = std::vector<ReleasedStream>;
    return state_.run<Result<Streams>>([=, this]() -> Result<Streams> {
      if (!state_.leads(coordinator_token)) return Streams{};
      std::vector<StoredRelease> due;
      for (const auto& [id, release] : state_.released) {
        const bool old = release.checked_at && release.row.released_at <= before;
        if (old && release.due_at() <= state_.clock.now()) due.push_back(release);
      }
      std::ranges::stable_sort(due, {}, &StoredRelease::due_at);
      if (due.size() > max) due.resize(max);
      Streams taken;
      for (const StoredRelease& release : due) taken.push_back(release.row);
      return taken;
    });
  }

  async::Task<Result<void>> finish_released(std::vector<ReleaseRow> rows,
                                            uint64_t coordinator_token, Deadline) override {
    return state_.run<Result<void>>(
        [this, rows = std::move(rows), coordinator_token]() -> Result<void> {
          if (!state_.leads(coordinator_token)) return {};
          for (const ReleaseRow& row : rows) {
            if (find(row) != nullptr) state_.released.erase(row.id);
          }
          return {};
        });
  }

  async::Task<Result<void>> defer_released(std::vector<DeferredStream> rows,
                                           uint64_t coordinator_token, Deadline) override {
    return state_.run<Result<void>>(
        [this, rows = std::move(rows), coordinator_token]() -> Result<void> {
          if (!state_.leads(coordinator_token)) return {};
          for (const DeferredStream& deferred : rows) {
            StoredRelease* const release = find(deferred.row);
            if (release == nullptr) continue;
            const auto pause = kDeferMin * (1u << std::min(release->tries++, 10u));
            release->not_before = state_.clock.now() + std::min(pause, kDeferMax);
            release->row.chunks = deferred.chunks;
          }
          return {};
        });
  }

  async::Task<Result<QueueDepths>> queue_depths(Deadline) override {
    return state_.run<Result<QueueDepths>>([this]() -> Result<QueueDepths> {
      QueueDepths depths;
      depths.released = state_.released.size();
      depths.uploads_open = state_.uploads.size();
      if (!state_.released.empty()) {
        depths.oldest_released = state_.released.begin()->second.row.released_at;
      }
      depths.deferred =
          static_cast<uint64_t>(std::ranges::count_if(state_.released, [this](const auto& row) {
            return row.second.not_before > state_.clock.now();
          }));
      depths.referenced = state_.referenced_releases.size();
      return depths;
    });
  }

 private:
  // Null: the row is gone, or is another stream's.
  StoredRelease* find(const ReleaseRow& row) const {
    const auto found = state_.released.find(row.id);
    const bool there = found != state_.released.end() && found->second.row.stream == row.stream;
    return there ? &found->second : nullptr;
  }

  using Row = std::map<int64_t, StoredRelease>::iterator;

  // Answers the row behind it.
  Row look_at(Row row, SystemTime now, CheckedReleases& looked) {
    const ReleasedStream& released = row->second.row;
    if (!state_.is_referenced(released.stream)) {
      ++looked.checked;
      row->second.checked_at = now;
      return std::next(row);
    }
    if (looked.referenced++ < kExamplesMax) {
      looked.examples += (looked.examples.empty() ? "" : " ") + released.stream.to_hex();
    }
    state_.referenced_releases[row->first] = released;
    return state_.released.erase(row);
  }

  MemoryState& state_;
};

}  // namespace

std::unique_ptr<ReleaseQueue> make_release_queue(MemoryState& state) {
  return std::make_unique<MemoryReleaseQueue>(state);
}

}  // namespace rondel::metadata
