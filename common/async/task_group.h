// TaskGroup: knows when background work is over. Tasks join the group when spawned; wait_idle()
// returns when none runs.
#pragma once

#include <atomic>
#include <memory>

#include "common/async/event_loop.h"

namespace rondel::async {

// Used on one loop. stop() asks, wait_idle() waits; a task asks stopping() between its steps.
class TaskGroup {
 public:
  explicit TaskGroup(EventLoop& loop) : loop_(loop), state_(std::make_shared<State>()) {}

  void spawn(Task<void> task) {
    state_->running.fetch_add(1);
    async::spawn(loop_, run(std::move(task), state_));
  }

  void stop() { state_->stopping.store(true); }

  bool stopping() const { return state_->stopping.load(); }

  int running() const { return state_->running.load(); }

  // Polls every 5 ms: shutting down is rare.
  Task<void> wait_idle() {
    while (state_->running.load() > 0) co_await sleep_for(std::chrono::milliseconds(5));
  }

  // Sleeps in steps, returns early when stopping.
  Task<void> pause(Duration duration) {
    const Deadline end = deadline_in(duration);
    while (!stopping() && std::chrono::steady_clock::now() < end) {
      const Duration left = end - std::chrono::steady_clock::now();
      co_await sleep_for(std::min<Duration>(left, std::chrono::milliseconds(50)));
    }
  }

 private:
  struct State {
    std::atomic<int> running{0};
    std::atomic<bool> stopping{false};
  };

  static Task<void> run(Task<void> task, std::shared_ptr<State> state) {
    co_await std::move(task);
    state->running.fetch_sub(1);
  }

  EventLoop& loop_;
  std::shared_ptr<State> state_;
};

}  // namespace rondel::async
