#include "common/program/end_watch.h"

namespace rondel::program {

EndWatch::~EndWatch() {
  {
    MutexLock lock(mutex_);
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
  MutexLock lock(mutex_);
  step_ = std::move(what);
}

void EndWatch::watch(Deadline deadline) {
  MutexLock lock(mutex_);
  bool in_time = true;
  while (!ended_ && in_time) in_time = changed_.wait_until(mutex_, deadline);
  if (ended_) return;
  const std::string step = step_;
  lock.unlock();
  overdue_(step);
}

}  // namespace rondel::program
