// Turn: how long a coroutine works before others come to theirs. Who chooses how often a loop runs
// may be a stranger.
//
//   async::Turn turn;
//   for (const Entry& entry : entries) {
//     if (turn.over()) co_await turn.next();
//     ...
//   }
//
// However many coroutines wait for a next turn, one of them has it before sockets, timers and what
// was posted come again.
#pragma once

#include "common/async/task.h"
#include "common/base/clock.h"

namespace rondel::async {

// One coroutine, on one loop.
class Turn {
 public:
  static constexpr Duration kLength = std::chrono::milliseconds(1);

  // Begins one.
  explicit Turn(const Clock& clock = real_clock()) : clock_(clock), begun_(clock.steady_now()) {}

  bool over() const { return clock_.steady_now() - begun_ > kLength; }

  // Lets everything else of the loop go first. REQUIRES: EventLoop::current() != nullptr.
  Task<void> next();

 private:
  const Clock& clock_;
  SteadyTime begun_;
};

}  // namespace rondel::async
