// EventLoop: one thread that runs posted functions, timers, sockets and the coroutines pinned to
// it.
//
// A service has one EventLoop per thread; a coroutine stays on the loop it was spawned on, so
// per-connection state needs no lock. Everything that completes elsewhere (PostgreSQL worker, gRPC
// thread, disk pool) comes back through post().
#pragma once

#include <functional>
#include <memory>

#include "common/async/task.h"
#include "common/base/clock.h"

namespace boost::asio {
class io_context;
}

namespace rondel::async {

using Function = std::move_only_function<void()>;

// Cancels its callback when destroyed; used on its loop only.
class Timer {
 public:
  virtual ~Timer() = default;
};

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // The loop that runs on this thread; null outside of run().
  static EventLoop* current();

  // Runs until stop(). Called by one thread at a time.
  void run();

  // Makes run() return after the function that runs now, or the next run() when none does. Safe
  // from any thread and from a signal-handling thread.
  void stop();

  // Runs `function` on the loop's thread, in order of posting. Safe from any thread, also while the
  // loop does not run. Never runs it inline. Posts from other threads share one wake-up.
  void post(Function function);

  // Destroys what was posted and never ran, and what that posts in turn. Only when run() has ended
  // for good: a service that ends does it for all of its loops before it destroys the first, since
  // a function of one may hold sockets of another.
  void discard_posted();

  // Runs `function` once at `when`, unless the Timer is destroyed first. On the loop's thread only.
  std::unique_ptr<Timer> call_at(SteadyTime when, Function function);

  // For the adapters that own sockets (common/http) alone.
  boost::asio::io_context& context();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Starts `task` on `loop` and forgets it. An exception that leaves it ends the process with a
// message: business errors are values. What is still suspended when the loop goes is never resumed
// and never freed: a task that lasts ends first (task_group.h). Safe from any thread.
void spawn(EventLoop& loop, Task<void> task);

// Suspends on the current loop. REQUIRES: EventLoop::current() != nullptr.
Task<void> sleep_until(SteadyTime when);
Task<void> sleep_for(Duration duration);

// Lets other work of the current loop run first.
Task<void> yield();

// Moves the coroutine to `loop`.
Task<void> resume_on(EventLoop& loop);

// Runs `task` on a loop of its own and returns its value: tests, command line. Not on a loop's
// thread.
template <class T>
T block_on(Task<T> task) {
  EventLoop loop;
  std::optional<T> value;
  auto driver = [](Task<T> inner, std::optional<T>& out, EventLoop& runner) -> Task<void> {
    out.emplace(co_await std::move(inner));
    runner.stop();
  };
  spawn(loop, driver(std::move(task), value, loop));
  loop.run();
  return std::move(*value);
}

inline void block_on(Task<void> task) {
  EventLoop loop;
  auto driver = [](Task<void> inner, EventLoop& runner) -> Task<void> {
    co_await std::move(inner);
    runner.stop();
  };
  spawn(loop, driver(std::move(task), loop));
  loop.run();
}

}  // namespace rondel::async
