// A release queue that says when it is asked.
#pragma once

#include <functional>
#include <utility>

#include "metadata/store/release_queue.h"

namespace rondel::gc {

class WatchedReleases final : public metadata::ReleaseQueue {
 public:
  explicit WatchedReleases(metadata::ReleaseQueue& inner) : inner_(inner) {}

  async::Task<Result<void>> release_streams(std::vector<metadata::Extent> streams,
                                            Deadline deadline) override {
    return inner_.release_streams(std::move(streams), deadline);
  }

  async::Task<Result<metadata::CheckedReleases>> check_released(SystemTime before, size_t max,
                                                                uint64_t token,
                                                                Deadline deadline) override {
    if (on_check) on_check();
    return inner_.check_released(before, max, token, deadline);
  }

  async::Task<Result<std::vector<metadata::ReleasedStream>>> take_released(
      SystemTime before, size_t max, uint64_t token, Deadline deadline) override {
    return inner_.take_released(before, max, token, deadline);
  }

  async::Task<Result<void>> finish_released(std::vector<metadata::ReleaseRow> rows, uint64_t token,
                                            Deadline deadline) override {
    CO_TRY_VOID(co_await inner_.finish_released(std::move(rows), token, deadline));
    if (on_finish) std::exchange(on_finish, nullptr)();
    co_return Result<void>{};
  }

  async::Task<Result<void>> defer_released(std::vector<metadata::DeferredStream> rows,
                                           uint64_t token, Deadline deadline) override {
    return inner_.defer_released(std::move(rows), token, deadline);
  }

  async::Task<Result<metadata::QueueDepths>> queue_depths(Deadline deadline) override {
    return inner_.queue_depths(deadline);
  }

  std::function<void()> on_check;
  std::function<void()> on_finish;  // Once.

 private:
  metadata::ReleaseQueue& inner_;
};

}  // namespace rondel::gc
