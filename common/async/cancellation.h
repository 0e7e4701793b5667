// Cancellation: one side says that an answer is no longer wanted, others hear of it. Safe for
// concurrent use.
#pragma once

#include <utility>
#include <vector>

#include "common/async/event_loop.h"
#include "common/base/mutex.h"

namespace rondel::async {

class Cancellation {
 public:
  // Runs what was registered, on this thread. Later calls do nothing.
  void cancel() {
    std::vector<Function> callbacks;
    {
      MutexLock lock(mutex_);
      if (std::exchange(cancelled_, true)) return;
      callbacks.swap(callbacks_);
    }
    for (Function& callback : callbacks) callback();
  }

  bool cancelled() const {
    MutexLock lock(mutex_);
    return cancelled_;
  }

  // Runs `callback` when cancelled, at once when that has happened; otherwise it is dropped with
  // the Cancellation.
  void on_cancel(Function callback) {
    {
      MutexLock lock(mutex_);
      if (!cancelled_) {
        callbacks_.push_back(std::move(callback));
        return;
      }
    }
    callback();
  }

 private:
  mutable Mutex mutex_;
  bool cancelled_ GUARDED_BY(mutex_) = false;
  std::vector<Function> callbacks_ GUARDED_BY(mutex_);
};

}  // namespace rondel::async
