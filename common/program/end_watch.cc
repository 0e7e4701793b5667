#include "common/program/end_watch.h"

namespace rondel::program {

EndWatch::~EndWatch() {
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void EndWatch::begin(Deadline deadline) {
  if (thread_.joinable()) return;
  thread_ = std::thread([this, deadline] { watch(deadline); });
}

void EndWatch::step(std::string what) {
  std::lock_guard lock(mutex_);
  step_ = std::move(what);
}

void EndWatch::watch(Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (changed_.wait_until(lock, deadline, [this] { return ended_; })) return;
  const std::string step = step_;
  lock.unlock();
  overdue_(step);
}

}  // namespace rondel::program
