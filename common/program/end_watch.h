// EndWatch: lets a program that is to end do so in bounded time, whatever of it hangs, and says
// what did. Safe for concurrent use.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace rondel::program {

class EndWatch {
 public:
  // `overdue` is called on a thread of the watch, at most once, with what was waited for last.
  using Overdue = std::function<void(const std::string& step)>;

  explicit EndWatch(Overdue overdue) : overdue_(std::move(overdue)) {}

  // The program has ended in time, or overdue() has returned: waits for that.
  ~EndWatch();

  // From now on: overdue() is called unless the watch is destroyed before `deadline`. Once.
  void begin(Deadline deadline);
  // What is waited for from now on.
  void step(std::string what);

 private:
  void watch(Deadline deadline);

  const Overdue overdue_;
  Mutex mutex_;
  CondVar changed_;
  std::string step_ GUARDED_BY(mutex_);
  bool ended_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace rondel::program
