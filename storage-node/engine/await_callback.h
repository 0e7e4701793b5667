// await_callback: the answer of a call that ends with a callback, for a thread that may wait for the disk.
//
// Every call of an engine ends with exactly one callback, also when the disk is closed.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "common/base/result.h"

namespace rondel::engine {

// `start` is given the callback, which may be called from any thread, before `start` returns too.
template <class T, class Start>
Result<T> await_callback(Start start) {
  struct Wait {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<Result<T>> result;
  };
  // Held by the callback: who is called back last may still be unlocking when the waiter has gone.
  auto wait = std::make_shared<Wait>();
  start([wait](Result<T> result) {
    std::lock_guard lock(wait->mutex);
    wait->result = std::move(result);
    wait->ready.notify_all();
  });
  std::unique_lock lock(wait->mutex);
  wait->ready.wait(lock, [&] { return wait->result.has_value(); });
  return *std::move(wait->result);
}

}  // namespace rondel::engine
