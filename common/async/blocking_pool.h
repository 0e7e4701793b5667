// BlockingPool: a bounded pool of threads for calls that block (disk, PostgreSQL outside the hot
// path).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/async/one_shot.h"
#include "common/base/mutex.h"

namespace rondel::async {

// Safe for concurrent use.
class BlockingPool {
 public:
  enum class Ending {
    kJoin,  // The destructor runs what is queued and waits for it.
    // The destructor waits for nothing: what is queued is dropped, and a call that hangs is left
    // with its thread. For calls that nobody can bound, such as those to a network file system.
    // Functions own all that they use.
    kLeave,
  };

  BlockingPool(std::string name, size_t threads, size_t queue_max, Ending ending = Ending::kJoin);
  ~BlockingPool();

  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

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

  // Runs `function` on the pool and waits for it on this thread, which is no loop's.
  // kDeadlineExceeded: it has not ended within `patience`; its result is dropped.
  // kResourceExhausted as above.
  template <class F>
  auto run_within(Duration patience, F function) -> Result<std::invoke_result_t<F>> {
    using R = std::invoke_result_t<F>;

    struct Wait {
      Mutex mutex;
      CondVar ready;
      std::optional<R> result GUARDED_BY(mutex);
    };

    const auto wait = std::make_shared<Wait>();
    const bool accepted = try_submit([wait, work = std::move(function)]() mutable {
      R result = work();
      MutexLock lock(wait->mutex);
      wait->result.emplace(std::move(result));
      wait->ready.notify_all();
    });
    if (!accepted) return fail(ErrorCode::kResourceExhausted, name_ + " queue is full");
    const Deadline end = deadline_in(patience);
    MutexLock lock(wait->mutex);
    while (!wait->result && wait->ready.wait_until(wait->mutex, end)) continue;
    if (!wait->result) return fail(ErrorCode::kDeadlineExceeded, name_ + ": no answer in time");
    return std::move(*wait->result);
  }

  size_t queued() const;

 private:
  struct State {
    explicit State(size_t max) : queue_max(max) {}

    const size_t queue_max;
    mutable Mutex mutex;
    CondVar ready;
    std::deque<Function> queue GUARDED_BY(mutex);
    bool stopping GUARDED_BY(mutex) = false;
  };

  static void work(State& state);

  const std::string name_;
  const Ending ending_;
  const std::shared_ptr<State> state_;
  std::vector<std::thread> threads_;
};

}  // namespace rondel::async
