// await_callback: the answer of a call that ends with a callback, for a thread that may wait for
// the disk.
//
// Every call of an engine ends with exactly one callback, also when the disk is closed.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "common/base/mutex.h"
#include "common/base/result.h"

namespace rondel::engine {

// `start` is given the callback, which may be called from any thread, before `start` returns too.
template <class T, class Start>
Result<T> await_callback(Start start) {
  struct Wait {
    Mutex mutex;
    CondVar ready;
    std::optional<Result<T>> result GUARDED_BY(mutex);
  };

  // Held by the callback: who is called back last may still be unlocking when the waiter has gone.
  auto wait = std::make_shared<Wait>();
  start([wait](Result<T> result) {
    MutexLock lock(wait->mutex);
    wait->result = std::move(result);
    wait->ready.notify_all();
  });
  MutexLock lock(wait->mutex);
  while (!wait->result) wait->ready.wait(wait->mutex);
  return *std::move(wait->result);
}

}  // namespace rondel::engine
