#include "common/async/blocking_pool.h"

#include <pthread.h>

namespace rondel::async {

BlockingPool::BlockingPool(std::string name, size_t threads, size_t queue_max, Ending ending)
    : name_(std::move(name)), ending_(ending), state_(std::make_shared<State>(queue_max)) {
  for (size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([state = state_] { work(*state); });
    pthread_setname_np(threads_.back().native_handle(), name_.substr(0, 15).c_str());
  }
}

BlockingPool::~BlockingPool() {
  std::deque<Function> dropped;
  {
    MutexLock lock(state_->mutex);
    state_->stopping = true;
    if (ending_ == Ending::kLeave) dropped.swap(state_->queue);
  }
  state_->ready.notify_all();
  for (std::thread& thread : threads_) {
    if (ending_ == Ending::kLeave) {
      thread.detach();
    } else {
      thread.join();
    }
  }
}

bool BlockingPool::try_submit(Function function) {
  {
    MutexLock lock(state_->mutex);
    if (state_->queue.size() >= state_->queue_max || state_->stopping) return false;
    state_->queue.push_back(std::move(function));
  }
  state_->ready.notify_one();
  return true;
}

size_t BlockingPool::queued() const {
  MutexLock lock(state_->mutex);
  return state_->queue.size();
}

void BlockingPool::work(State& state) {
  for (;;) {
    Function next;
    {
      MutexLock lock(state.mutex);
      while (!state.stopping && state.queue.empty()) state.ready.wait(state.mutex);
      if (state.queue.empty()) return;
      next = std::move(state.queue.front());
      state.queue.pop_front();
    }
    next();
  }
}

}  // namespace rondel::async
