#include "common/async/budget.h"

#include <vector>

namespace rondel::async {

void Budget::Reservation::release() {
  if (budget_ != nullptr && amount_ > 0) budget_->give_back(amount_);
  budget_ = nullptr;
  amount_ = 0;
}

Task<Result<Budget::Reservation>> Budget::reserve(uint64_t amount, Deadline deadline) {
  amount = std::min(amount, capacity_);
  std::shared_ptr<OneShot<bool>> slot;
  {
    MutexLock lock(mutex_);
    if (waiters_.empty() && free_ >= amount) {
      free_ -= amount;
      co_return Reservation(this, amount);
    }
    slot = OneShot<bool>::make();
    waiters_.push_back({amount, slot});
  }
  const Result<bool> granted = co_await slot->wait_until(deadline);
  if (!granted) {
    // The waiter stays queued with an expired slot; give_back() skips it because set() answers
    // false.
    give_back(0);
    co_return fail(ErrorCode::kResourceExhausted, "the buffer budget is in use");
  }
  co_return Reservation(this, amount);
}

Budget::Reservation Budget::try_reserve(uint64_t amount) {
  MutexLock lock(mutex_);
  if (!waiters_.empty() || free_ < amount) return {};
  free_ -= amount;
  return {this, amount};
}

uint64_t Budget::in_use() const {
  MutexLock lock(mutex_);
  return capacity_ - free_;
}

void Budget::give_back(uint64_t amount) {
  MutexLock lock(mutex_);
  free_ += amount;
  while (!waiters_.empty()) {
    Waiter& next = waiters_.front();
    if (next.slot->is_expired()) {
      waiters_.pop_front();
      continue;
    }
    if (free_ < next.amount) break;
    if (next.slot->set(true)) free_ -= next.amount;
    waiters_.pop_front();
  }
}

}  // namespace rondel::async
