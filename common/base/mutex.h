// Mutex, MutexLock, CondVar: the standard ones with clang's thread safety annotations, so that a
// member that is guarded says by what, and touching it without its mutex does not compile.
//
//   Mutex mutex_;
//   int count_ GUARDED_BY(mutex_) = 0;
//   void add_locked() REQUIRES(mutex_);
//
// The analysis does not see into lambdas: a wait is a loop over its condition, not a predicate.
// Source: "Thread Safety Analysis", clang's documentation. Costs nothing beside std::mutex.
#pragma once

#include <condition_variable>
#include <mutex>

#include "common/base/clock.h"

#define RONDEL_ANNOTATION(x) __attribute__((x))
// Of types.
#define CAPABILITY(name) RONDEL_ANNOTATION(capability(name))
#define SCOPED_CAPABILITY RONDEL_ANNOTATION(scoped_lockable)
// Of members: the value, or what the pointer points to, is read and written with the mutex held.
// (gRPC's headers bring abseil's of the same names and meaning.)
#ifndef GUARDED_BY
#define GUARDED_BY(mutex) RONDEL_ANNOTATION(guarded_by(mutex))
#endif
#ifndef PT_GUARDED_BY
#define PT_GUARDED_BY(mutex) RONDEL_ANNOTATION(pt_guarded_by(mutex))
#endif
// Of functions: called with the mutexes held; called without them; takes them; gives them back.
#define REQUIRES(...) RONDEL_ANNOTATION(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) RONDEL_ANNOTATION(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) RONDEL_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RELEASE(...) RONDEL_ANNOTATION(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) RONDEL_ANNOTATION(try_acquire_capability(__VA_ARGS__))
// For what the analysis cannot follow; says why beside it.
#ifndef NO_THREAD_SAFETY_ANALYSIS
#define NO_THREAD_SAFETY_ANALYSIS RONDEL_ANNOTATION(no_thread_safety_analysis)
#endif

namespace rondel {

class CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() ACQUIRE() { mutex_.lock(); }

  void unlock() RELEASE() { mutex_.unlock(); }

  bool try_lock() TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  friend class CondVar;

  std::mutex mutex_;
};

// Holds a mutex while it lives, but for what lies between unlock() and lock(). One thread's.
class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }

  ~MutexLock() RELEASE() {
    if (held_) mutex_.unlock();
  }

  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void unlock() RELEASE() {
    held_ = false;
    mutex_.unlock();
  }

  void lock() ACQUIRE() {
    mutex_.lock();
    held_ = true;
  }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

// Waits give the mutex back meanwhile, hold it when they return, and may return for no reason.
class CondVar {
 public:
  void wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }

  // False: the deadline has passed.
  bool wait_until(Mutex& mutex, SteadyTime deadline) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool in_time = condition_.wait_until(lock, deadline) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }

  void notify_one() { condition_.notify_one(); }

  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace rondel
