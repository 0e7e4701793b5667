#include "gateway/request/stream_releases.h"

#include "common/log/log.h"
#include "common/model/ids.h"
#include "metadata/model/object.h"

namespace rondel::request {

using namespace std::chrono_literals;

namespace {

constexpr auto kPatience = 5s;
constexpr auto kLastPatience = 2s;  // Of a process that ends.
constexpr auto kPause = 50ms;
constexpr auto kPauseAway = 200ms;

}  // namespace

void StreamReleases::add(const model::StreamId& stream, uint64_t size) noexcept {
  MutexLock lock(mutex_);
  if (waiting_.size() >= options_.waiting_max) {
    overflowed_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  waiting_.emplace_back(stream, size);
  count_.store(waiting_.size(), std::memory_order_relaxed);
}

std::vector<metadata::Extent> StreamReleases::take() {
  std::vector<metadata::Extent> batch;
  MutexLock lock(mutex_);
  const size_t count = std::min(waiting_.size(), options_.batch_max);
  for (auto it = waiting_.end() - static_cast<ptrdiff_t>(count); it != waiting_.end(); ++it) {
    batch.push_back({0, it->first, it->second, 0, it->second});
  }
  waiting_.resize(waiting_.size() - count);
  count_.store(waiting_.size(), std::memory_order_relaxed);
  return batch;
}

// A batch whose answer was lost is handed over again: a stream that stands twice in the queue is
// removed once.
async::Task<bool> StreamReleases::hand_over(Deadline deadline) {
  if (count_.load(std::memory_order_relaxed) == 0) co_return false;
  std::vector<metadata::Extent> batch = take();
  const auto done = co_await queue_.release_streams(batch, deadline);
  if (done) {
    released_.fetch_add(batch.size(), std::memory_order_relaxed);
    co_return true;
  }
  log::warn("operations", "streams that nothing refers to wait for the database",
            {{"streams", batch.size()}, {"error", done.error().message}});
  for (const metadata::Extent& extent : batch) add(extent.stream, extent.stream_size);
  co_return false;
}

async::Task<void> StreamReleases::run(async::TaskGroup& group) {
  while (!group.stopping()) {
    const bool away = !database_.available();
    const bool waiting = count_.load(std::memory_order_relaxed) > 0;
    if (!away && waiting && co_await hand_over(deadline_in(kPatience))) continue;
    co_await group.pause(away || waiting ? kPauseAway : kPause);
  }
  const Deadline end = deadline_in(kLastPatience);
  while (database_.available() && std::chrono::steady_clock::now() < end &&
         co_await hand_over(end)) {
  }
}

StreamReleasesStatus StreamReleases::status() const {
  return {count_.load(), released_.load(), overflowed_.load(), not_known_.load()};
}

}  // namespace rondel::request
