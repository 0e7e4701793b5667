#include "common/async/event_loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/set.hpp>
#include <vector>

#include "common/async/coalesce.h"
#include "common/base/mutex.h"

namespace rondel::async {
namespace {

thread_local EventLoop* current_loop = nullptr;

using SteadyTimer =
    boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                      boost::asio::wait_traits<std::chrono::steady_clock>,
                                      boost::asio::io_context::executor_type>;

namespace intrusive = boost::intrusive;

// In the loop's queue from its making until it is due or destroyed, whichever is first.
class QueuedTimer final
    : public Timer,
      public intrusive::set_base_hook<intrusive::link_mode<intrusive::auto_unlink>> {
 public:
  QueuedTimer(SteadyTime when, Function function) : when_(when), function_(std::move(function)) {}

  SteadyTime when() const { return when_; }

  Function take() { return std::move(function_); }

  bool operator<(const QueuedTimer& other) const { return when_ < other.when_; }

 private:
  const SteadyTime when_;
  Function function_;
};

using TimerQueue = intrusive::multiset<QueuedTimer, intrusive::constant_time_size<false>>;

}  // namespace

struct EventLoop::Impl {
  // The loop's thread only. Outlives the context, whose handlers may own timers.
  TimerQueue timers;
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
      context.get_executor()};
  SteadyTimer alarm{context.get_executor()};
  SteadyTime armed_for = SteadyTime::max();
  Mutex mutex;
  std::vector<Function> queue GUARDED_BY(mutex);
  std::vector<Function> running;  // The loop's thread only.

  // One alarm for all timers: nearly all are deadlines that are never reached, and an asio timer
  // each costs its insertion, its cancellation and a handler that hears of it.
  void arm(SteadyTime when) {
    armed_for = when;
    alarm.expires_at(when);
    alarm.async_wait([this](boost::system::error_code error) {
      if (!error) ring();
    });
  }

  void ring() {
    armed_for = SteadyTime::max();
    const SteadyTime now = std::chrono::steady_clock::now();
    // What these begin for now waits for the next round: sockets come between.
    for (auto due = std::distance(timers.begin(), timers.upper_bound(now, Later{})); due > 0;
         --due) {
      if (timers.empty() || timers.begin()->when() > now) break;
      Function function = timers.begin()->take();
      timers.erase(timers.begin());
      function();
    }
    if (!timers.empty() && timers.begin()->when() < armed_for) arm(timers.begin()->when());
  }

  struct Later {
    bool operator()(SteadyTime when, const QueuedTimer& timer) const { return when < timer.when(); }

    bool operator()(const QueuedTimer& timer, SteadyTime when) const { return timer.when() < when; }
  };

  void drain() {
    {
      MutexLock lock(mutex);
      running.swap(queue);
    }
    {
      const Coalesce scope;
      for (Function& function : running) {
        function();
        function = nullptr;
      }
    }
    running.clear();
  }
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}

EventLoop::~EventLoop() = default;

EventLoop* EventLoop::current() { return current_loop; }

void EventLoop::run() {
  EventLoop* const outer = std::exchange(current_loop, this);
  // Made ready for the next run afterwards, not before: a stop() that came first must not be lost.
  impl_->context.run();
  impl_->context.restart();
  current_loop = outer;
}

void EventLoop::stop() { impl_->context.stop(); }

void EventLoop::post(Function function) {
  bool wake = false;
  {
    MutexLock lock(impl_->mutex);
    wake = impl_->queue.empty();
    impl_->queue.push_back(std::move(function));
  }
  if (wake) boost::asio::post(impl_->context, [impl = impl_.get()] { impl->drain(); });
}

void EventLoop::discard_posted() {
  for (std::vector<Function> dropped(1); !dropped.empty();) {
    dropped.clear();
    MutexLock lock(impl_->mutex);
    dropped.swap(impl_->queue);
  }
}

std::unique_ptr<Timer> EventLoop::call_at(SteadyTime when, Function function) {
  auto timer = std::make_unique<QueuedTimer>(when, std::move(function));
  impl_->timers.insert(*timer);
  if (when < impl_->armed_for) impl_->arm(when);
  return timer;
}

boost::asio::io_context& EventLoop::context() { return impl_->context; }

namespace {

// A coroutine that owns itself: started once, destroyed when it ends.
struct Detached {
  struct promise_type {
    Detached get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }

    std::suspend_always initial_suspend() noexcept { return {}; }

    std::suspend_never final_suspend() noexcept { return {}; }

    void return_void() {}

    void unhandled_exception() { std::terminate(); }
  };

  std::coroutine_handle<promise_type> handle;
};

Detached run_detached(Task<void> task) { co_await std::move(task); }

// Destroys a coroutine that was never started when the loop goes away first.
struct Start {
  std::coroutine_handle<> handle;

  explicit Start(std::coroutine_handle<> h) : handle(h) {}

  Start(Start&& other) noexcept : handle(std::exchange(other.handle, {})) {}

  Start& operator=(Start&&) = delete;

  ~Start() {
    if (handle) handle.destroy();
  }

  void operator()() { std::exchange(handle, {}).resume(); }
};

struct ResumeAt {
  EventLoop& loop;
  SteadyTime when;
  std::unique_ptr<Timer> timer;

  bool await_ready() const noexcept { return false; }

  void await_suspend(std::coroutine_handle<> handle) {
    timer = loop.call_at(when, [handle] { handle.resume(); });
  }

  void await_resume() noexcept {}
};

struct ResumeOn {
  EventLoop& loop;

  bool await_ready() const noexcept { return false; }

  void await_suspend(std::coroutine_handle<> handle) {
    loop.post([handle] { handle.resume(); });
  }

  void await_resume() noexcept {}
};

}  // namespace

void spawn(EventLoop& loop, Task<void> task) {
  const Detached detached = run_detached(std::move(task));
  loop.post(Start(detached.handle));
}

Task<void> sleep_until(SteadyTime when) { co_await ResumeAt{*EventLoop::current(), when, nullptr}; }

Task<void> sleep_for(Duration duration) {
  co_await ResumeAt{*EventLoop::current(), deadline_in(duration), nullptr};
}

Task<void> yield() { co_await ResumeOn{*EventLoop::current()}; }

Task<void> resume_on(EventLoop& loop) { co_await ResumeOn{loop}; }

}  // namespace rondel::async
