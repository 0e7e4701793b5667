// IoWatch: since when calls to a disk have not returned. Every call that may wait for the disk
// stands under it, so that one place tells whether the disk answers.
//
// Safe for concurrent use, takes no lock. Watches 64 calls at once; with more under way some are
// not seen, but where so many hang the others say so.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "common/base/clock.h"

namespace rondel::fs {

class IoWatch {
 public:
  // `clock` outlives it.
  explicit IoWatch(const Clock& clock) : clock_(clock) {
    for (auto& slot : slots_) slot = kFree;
  }

  IoWatch(const IoWatch&) = delete;
  IoWatch& operator=(const IoWatch&) = delete;

  // One call under way: from construction to destruction. A null watch sees nothing.
  class Call {
   public:
    explicit Call(IoWatch* watch)
        : watch_(watch), slot_(watch == nullptr ? nullptr : watch->take()) {}

    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    ~Call() {
      if (slot_ != nullptr) slot_->store(kFree, std::memory_order_release);
    }

    // The disk has answered: what follows is another call.
    void renew() {
      if (slot_ != nullptr) slot_->store(watch_->now(), std::memory_order_release);
    }

   private:
    IoWatch* const watch_;
    std::atomic<int64_t>* const slot_;
  };

  // Has a call been under way for longer than `limit`? Costs nothing but a look at the clock when
  // it was asked a moment ago: every write asks.
  bool longer_than(Duration limit) const {
    const int64_t at = now();
    const bool before = longer_.load(std::memory_order_relaxed);
    if (!before && at - looked_at_.load(std::memory_order_relaxed) < kLookPause.count()) {
      return false;
    }
    const bool longer = longest() > limit;
    looked_at_.store(at, std::memory_order_relaxed);
    longer_.store(longer, std::memory_order_relaxed);
    return longer;
  }

  // How long the oldest call has been under way; zero: there is none.
  Duration longest() const {
    int64_t oldest = kFree;
    for (const auto& slot : slots_) {
      const int64_t since = slot.load(std::memory_order_acquire);
      if (since != kFree && (oldest == kFree || since < oldest)) oldest = since;
    }
    return oldest == kFree ? Duration::zero() : Duration(std::max<int64_t>(0, now() - oldest));
  }

 private:
  static constexpr int64_t kFree = INT64_MIN;
  static constexpr Duration kLookPause = std::chrono::milliseconds(50);

  int64_t now() const { return clock_.steady_now().time_since_epoch().count(); }

  // Null: all are taken.
  std::atomic<int64_t>* take() {
    const size_t first = std::hash<std::thread::id>()(std::this_thread::get_id());
    for (size_t i = 0; i < slots_.size(); ++i) {
      auto& slot = slots_[(first + i) % slots_.size()];
      int64_t free = kFree;
      if (slot.compare_exchange_strong(free, now(), std::memory_order_acq_rel)) return &slot;
    }
    return nullptr;
  }

  const Clock& clock_;
  std::array<std::atomic<int64_t>, 64> slots_;
  mutable std::atomic<int64_t> looked_at_{0};
  mutable std::atomic<bool> longer_{false};
};

}  // namespace rondel::fs
