// BlockingPool: a bounded pool of threads for calls that block (disk, PostgreSQL outside the hot
// path).
#pragma once

#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "common/async/one_shot.h"
#include "common/base/mutex.h"

namespace rondel::async {

// Safe for concurrent use. The destructor runs what is queued, then joins.
class BlockingPool {
 public:
  BlockingPool(std::string name, size_t threads, size_t queue_max);
  ~BlockingPool();

  // False when queue_max functions wait already.
  bool try_submit(Function function);

  // Runs `function` on the pool and resumes on the awaiting loop. kResourceExhausted when the queue
  // is full. The result of a function that outlives the deadline is dropped.
  template <class F>
  auto run(F function, Deadline deadline) -> Task<Result<std::invoke_result_t<F>>> {
    using R = std::invoke_result_t<F>;
    auto slot = OneShot<R>::make();
    const bool accepted =
        try_submit([slot, work = std::move(function)]() mutable { slot->set(work()); });
    if (!accepted) co_return fail(ErrorCode::kResourceExhausted, name_ + " queue is full");
    co_return co_await slot->wait_until(deadline);
  }

  size_t queued() const;

 private:
  void work();

  const std::string name_;
  const size_t queue_max_;
  mutable Mutex mutex_;
  CondVar ready_;
  std::deque<Function> queue_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace rondel::async
