// Budget: a bounded amount (bytes, requests) that coroutines reserve and give back.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "common/async/one_shot.h"
#include "common/base/mutex.h"

namespace rondel::async {

// Safe for concurrent use. Waiters are served in order of arrival. Outlives its reservations.
class Budget {
 public:
  explicit Budget(uint64_t capacity) : capacity_(capacity), free_(capacity) {}

  // Gives its amount back when destroyed. Movable, any thread.
  class Reservation {
   public:
    Reservation() = default;

    Reservation(Budget* budget, uint64_t amount) : budget_(budget), amount_(amount) {}

    Reservation(Reservation&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)),
          amount_(std::exchange(other.amount_, 0)) {}

    Reservation& operator=(Reservation&& other) noexcept {
      release();
      budget_ = std::exchange(other.budget_, nullptr);
      amount_ = std::exchange(other.amount_, 0);
      return *this;
    }

    ~Reservation() { release(); }

    uint64_t amount() const { return amount_; }

    void release();

   private:
    Budget* budget_ = nullptr;
    uint64_t amount_ = 0;
  };

  // Waits for `amount` (at most the capacity) until the deadline; kResourceExhausted then.
  Task<Result<Reservation>> reserve(uint64_t amount, Deadline deadline);

  // At once, or an empty reservation (amount() == 0).
  Reservation try_reserve(uint64_t amount);

  uint64_t capacity() const { return capacity_; }

  uint64_t in_use() const;

 private:
  struct Waiter {
    uint64_t amount;
    std::shared_ptr<OneShot<bool>> slot;
  };

  void give_back(uint64_t amount);

  const uint64_t capacity_;
  mutable Mutex mutex_;
  uint64_t free_ GUARDED_BY(mutex_);
  std::deque<Waiter> waiters_ GUARDED_BY(mutex_);
};

}  // namespace rondel::async
