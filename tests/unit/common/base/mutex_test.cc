#include "common/base/mutex.h"

#include <gtest/gtest.h>

#include <thread>

namespace rondel {
namespace {

class Counter {
 public:
  void add() {
    MutexLock lock(mutex_);
    ++count_;
    changed_.notify_all();
  }

  void wait_for(int count) {
    MutexLock lock(mutex_);
    while (count_ < count) changed_.wait(mutex_);
  }

  bool free() {
    if (!mutex_.try_lock()) return false;
    mutex_.unlock();
    return true;
  }

  // What others find: held, given back, held again, given back.
  std::vector<bool> seen_free_by_another() {
    std::vector<bool> seen;
    const auto look = [&] { std::thread([&] { seen.push_back(free()); }).join(); };
    {
      MutexLock lock(mutex_);
      look();
      lock.unlock();
      look();
      lock.lock();
      look();
    }
    look();
    return seen;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int count_ GUARDED_BY(mutex_) = 0;
};

TEST(MutexTest, IsHeldWhileItsLockLives) {
  Counter counter;
  EXPECT_EQ(counter.seen_free_by_another(), (std::vector<bool>{false, true, false, true}));
}

TEST(MutexTest, ALockThatWasGivenBackIsNotGivenBackTwice) {
  Mutex mutex;
  {
    MutexLock lock(mutex);
    lock.unlock();
  }
  const bool free = mutex.try_lock();
  EXPECT_TRUE(free);
  if (free) mutex.unlock();
}

TEST(CondVarTest, WakesWhoeverWaits) {
  Counter counter;
  std::thread first([&] { counter.wait_for(2); });
  std::thread second([&] { counter.wait_for(1); });
  counter.add();
  counter.add();
  first.join();
  second.join();
}

TEST(CondVarTest, ADeadlineThatHasPassedIsToldAndTheMutexIsHeld) {
  Mutex mutex;
  CondVar condition;
  MutexLock lock(mutex);
  EXPECT_FALSE(
      condition.wait_until(mutex, std::chrono::steady_clock::now() - std::chrono::seconds(1)));
  std::thread([&] {
    const bool taken = mutex.try_lock();
    EXPECT_FALSE(taken);
    if (taken) mutex.unlock();
  }).join();
}

}  // namespace
}  // namespace rondel
