// OneShot<T>: one value handed from any thread to one coroutine, which resumes on the loop where it
// waits.
//
//   auto slot = OneShot<int>::make();
//   start_something([slot] { slot->set(7); });      // any thread, at most once; later sets are ignored
//   Result<int> value = co_await slot->wait_until(deadline);
//
// The waiter gives up at its deadline with kDeadlineExceeded; a value set later is dropped.
#pragma once

#include <memory>
#include <optional>

#include "common/async/event_loop.h"
#include "common/base/mutex.h"
#include "common/base/result.h"

namespace rondel::async {

template <class T>
class OneShot : public std::enable_shared_from_this<OneShot<T>> {
 public:
  static std::shared_ptr<OneShot> make() { return std::make_shared<OneShot>(); }

  // Delivers the value. Returns false when a value was set before or the waiter has given up. Any
  // thread.
  bool set(T value) {
    EventLoop* loop = nullptr;
    {
      MutexLock lock(mutex_);
      if (value_ || expired_) return false;
      value_.emplace(std::move(value));
      if (!waiter_) return true;
      loop = loop_;
    }
    loop->post([self = this->shared_from_this()] { self->resume(); });
    return true;
  }

  bool is_set() const {
    MutexLock lock(mutex_);
    return value_.has_value();
  }

  // The waiter has given up.
  bool is_expired() const {
    MutexLock lock(mutex_);
    return expired_;
  }

  // Who is to set the value begins with what cannot be taken back. False: the waiter has given up,
  // so it is not begun. After its deadline the waiter reads off is_claimed() whether it was. Any
  // thread.
  bool claim() {
    MutexLock lock(mutex_);
    if (!expired_) claimed_ = true;
    return claimed_;
  }

  // What was begun was taken back: it is as if it had not been. Who set out to set the value may
  // claim it again. Any thread.
  void disclaim() {
    MutexLock lock(mutex_);
    claimed_ = false;
  }

  bool is_claimed() const {
    MutexLock lock(mutex_);
    return claimed_;
  }

  // One waiter, once, on an EventLoop.
  Task<Result<T>> wait_until(Deadline deadline) {
    auto self = this->shared_from_this();
    Wait wait{*self, deadline, nullptr};
    co_await wait;
    MutexLock lock(mutex_);
    if (!value_) co_return fail(ErrorCode::kDeadlineExceeded, "no answer before the deadline");
    co_return std::move(*value_);
  }

 private:
  struct Wait {
    OneShot& slot;
    Deadline deadline;
    std::unique_ptr<Timer> timer;

    bool await_ready() { return slot.is_set(); }

    bool await_suspend(std::coroutine_handle<> handle) {
      EventLoop* const loop = EventLoop::current();
      MutexLock lock(slot.mutex_);
      if (slot.value_) return false;
      slot.loop_ = loop;
      slot.waiter_ = handle;
      if (deadline != Deadline::max()) timer = loop->call_at(deadline, [&s = slot] { s.expire(); });
      return true;
    }

    void await_resume() {}
  };

  void expire() {
    {
      MutexLock lock(mutex_);
      if (value_) return;  // Its resume is on its way.
      expired_ = true;
    }
    resume();
  }

  void resume() {
    std::coroutine_handle<> handle;
    {
      MutexLock lock(mutex_);
      handle = std::exchange(waiter_, {});
    }
    if (handle) handle.resume();
  }

  mutable Mutex mutex_;
  std::optional<T> value_ GUARDED_BY(mutex_);
  bool expired_ GUARDED_BY(mutex_) = false;
  bool claimed_ GUARDED_BY(mutex_) = false;
  EventLoop* loop_ GUARDED_BY(mutex_) = nullptr;
  std::coroutine_handle<> waiter_ GUARDED_BY(mutex_);
};

}  // namespace rondel::async
