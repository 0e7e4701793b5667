#include "common/async/turn.h"

#include <list>

#include "common/async/event_loop.h"

namespace rondel::async {
namespace {

// Of this thread's loop, in their order. Coroutines that are destroyed while they wait leave it.
thread_local std::list<std::coroutine_handle<>> waiting;

void resume_one() {
  if (waiting.empty()) return;
  const std::coroutine_handle<> first = waiting.front();
  waiting.pop_front();
  // The next one's turn comes with the next round.
  if (!waiting.empty()) EventLoop::current()->post(resume_one);
  first.resume();
}

struct NextTurn {
  std::list<std::coroutine_handle<>>::iterator place;
  bool in_list = false;

  NextTurn() = default;
  NextTurn(const NextTurn&) = delete;

  ~NextTurn() {
    if (in_list) waiting.erase(place);
  }

  bool await_ready() const noexcept { return false; }

  void await_suspend(std::coroutine_handle<> handle) {
    if (waiting.empty()) EventLoop::current()->post(resume_one);
    place = waiting.insert(waiting.end(), handle);
    in_list = true;
  }

  void await_resume() noexcept { in_list = false; }
};

}  // namespace

Task<void> Turn::next() {
  co_await NextTurn();
  begun_ = clock_.steady_now();
}

}  // namespace rondel::async
