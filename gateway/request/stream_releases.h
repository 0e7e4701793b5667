// StreamReleases: streams that no row refers to, and none will, on their way to the database's
// released queue.
//
// They wait here in memory, also while the database is away, and are handed over by one task. What
// a gateway loses with its process, or cannot keep because the list is full, is left to the orphan
// scan: late, never wrong.
#pragma once

#include <atomic>
#include <vector>

#include "common/async/task_group.h"
#include "common/base/mutex.h"
#include "common/model/ids.h"
#include "metadata/model/object.h"
#include "metadata/store/availability.h"
#include "metadata/store/release_queue.h"

namespace rondel::request {

struct StreamReleasesOptions {
  size_t waiting_max = 65'536;  // Streams; 32 bytes each.
  size_t batch_max = 1'000;     // Of one statement.
};

struct StreamReleasesStatus {
  uint64_t waiting = 0;
  uint64_t released_total = 0;
  uint64_t overflowed_total = 0;  // Left to the orphan scan: the list was full.
  uint64_t not_known_total = 0;   // Left to the orphan scan: their commit's answer was lost.
};

// add(), leave() and status() from any thread; they wait for nothing. run() and hand_over() on one
// loop, one at a time.
class StreamReleases {
 public:
  // Both outlive it.
  StreamReleases(metadata::ReleaseQueue& queue, const metadata::Availability& database,
                 StreamReleasesOptions options = {})
      : queue_(queue), database_(database), options_(options) {}

  // Nothing refers to the stream, and nothing will.
  void add(const model::StreamId& stream, uint64_t size) noexcept;

  // Something may refer to it: kept, and counted.
  void leave() noexcept { not_known_.fetch_add(1, std::memory_order_relaxed); }

  // Hands over what comes until the group stops, then what waits, unless the database is away.
  async::Task<void> run(async::TaskGroup& group);
  // One batch. False: nothing waits, or the database did not take it; then it waits on.
  async::Task<bool> hand_over(Deadline deadline);

  StreamReleasesStatus status() const;

 private:
  std::vector<metadata::Extent> take();

  metadata::ReleaseQueue& queue_;
  const metadata::Availability& database_;
  const StreamReleasesOptions options_;
  mutable Mutex mutex_;
  std::vector<std::pair<model::StreamId, uint64_t>> waiting_ GUARDED_BY(mutex_);
  std::atomic<size_t> count_{0};  // Of waiting_.
  std::atomic<uint64_t> released_{0}, overflowed_{0}, not_known_{0};
};

}  // namespace rondel::request
