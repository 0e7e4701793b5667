#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "common/async/blocking_pool.h"
#include "common/async/budget.h"
#include "common/async/coalesce.h"
#include "common/async/task_group.h"
#include "common/async/turn.h"
#include "tests/fakes/manual_clock.h"

namespace rondel::async {
namespace {

using namespace std::chrono_literals;

Task<int> answer() { co_return 42; }

Task<int> twice(int depth) {
  if (depth == 0) co_return 1;
  const int below = co_await twice(depth - 1);
  co_return below + 1;
}

TEST(TaskTest, ReturnsValueThroughNestedAwaits) {
  EXPECT_EQ(block_on(answer()), 42);
  EXPECT_EQ(block_on(twice(500)), 501);
}

Task<int> throws() {
  throw std::runtime_error("x");
  co_return 1;
}

Task<bool> catches() {
  try {
    co_await throws();
  } catch (const std::runtime_error&) {
    co_return true;
  }
  co_return false;
}

TEST(TaskTest, HandsExceptionsToTheAwaiter) { EXPECT_TRUE(block_on(catches())); }

Task<Result<int>> wait_for(std::shared_ptr<OneShot<int>> slot, Duration limit) {
  co_return co_await slot->wait_until(deadline_in(limit));
}

TEST(OneShotTest, DeliversFromAnotherThread) {
  auto slot = OneShot<int>::make();
  std::thread sender([slot] {
    EXPECT_TRUE(slot->set(7));
    EXPECT_FALSE(slot->set(8));
  });
  EXPECT_EQ(block_on(wait_for(slot, 60s)).value(), 7);
  sender.join();
}

TEST(OneShotTest, GivesUpAtTheDeadline) {
  auto slot = OneShot<int>::make();
  EXPECT_EQ(block_on(wait_for(slot, 5ms)).error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_FALSE(slot->set(1));
}

TEST(BlockingPoolTest, RunsElsewhereAndResumesHere) {
  BlockingPool pool("test", 2, 10);
  auto job = [](BlockingPool& p) -> Task<bool> {
    const auto here = std::this_thread::get_id();
    auto there = co_await p.run([] { return std::this_thread::get_id(); }, deadline_in(60s));
    co_return there.has_value() && *there != here&& here == std::this_thread::get_id();
  };
  EXPECT_TRUE(block_on(job(pool)));
}

TEST(BlockingPoolTest, RefusesOverItsBound) {
  std::atomic<bool> release{false};
  BlockingPool pool("test", 1, 1);
  auto hold = [&release] {
    while (!release) std::this_thread::sleep_for(1ms);
  };
  EXPECT_TRUE(pool.try_submit(hold));
  while (pool.queued() > 0) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(pool.try_submit([] {}));
  EXPECT_FALSE(pool.try_submit([] {}));
  release = true;
}

// What hangs is left with its thread, what waits behind it never begins, and what both own goes
// when they do.
TEST(BlockingPoolTest, ThatLeavesWaitsForNothing) {
  struct Shared {
    std::atomic<bool> begun{false}, release{false}, second{false};
  };

  const auto shared = std::make_shared<Shared>();
  {
    BlockingPool pool("test", 1, 10, BlockingPool::Ending::kLeave);
    EXPECT_TRUE(pool.try_submit([shared] {
      shared->begun = true;
      shared->begun.notify_all();
      shared->release.wait(false);
    }));
    shared->begun.wait(false);
    EXPECT_TRUE(pool.try_submit([shared] { shared->second = true; }));
  }
  EXPECT_EQ(shared.use_count(), 2) << "the one that hangs and this test";
  shared->release = true;
  shared->release.notify_all();
  while (shared.use_count() > 1) std::this_thread::yield();
  EXPECT_FALSE(shared->second);
}

TEST(BlockingPoolTest, AThreadWaitsForWhatHangsNoLongerThanItSays) {
  struct Shared {
    std::atomic<bool> release{false};
  };

  const auto shared = std::make_shared<Shared>();
  BlockingPool pool("test", 1, 1, BlockingPool::Ending::kLeave);
  EXPECT_EQ(pool.run_within(60s, [] { return 7; }).value(), 7);
  const auto hang = [shared] {
    shared->release.wait(false);
    return 8;
  };
  EXPECT_EQ(pool.run_within(1ms, hang).error().code, ErrorCode::kDeadlineExceeded);
  while (pool.queued() > 0) std::this_thread::yield();
  EXPECT_EQ(pool.run_within(1ms, hang).error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(pool.run_within(1ms, hang).error().code, ErrorCode::kResourceExhausted);
  shared->release = true;
  shared->release.notify_all();
  while (pool.queued() > 0) std::this_thread::yield();
  EXPECT_EQ(pool.run_within(60s, [] { return 9; }).value(), 9);
}

TEST(BudgetTest, WaitersAreServedWhenBytesComeBack) {
  Budget budget(100);
  auto scenario = [](Budget& b) -> Task<bool> {
    auto first = co_await b.reserve(80, deadline_in(60s));
    auto late = co_await b.reserve(50, deadline_in(5ms));
    const bool refused = !late && late.error().code == ErrorCode::kResourceExhausted;
    first->release();
    auto third = co_await b.reserve(100, deadline_in(60s));
    co_return refused&& third.has_value() && b.in_use() == 100;
  };
  EXPECT_TRUE(block_on(scenario(budget)));
  EXPECT_EQ(budget.in_use(), 0u);
}

TEST(TaskGroupTest, KnowsWhenWorkIsOver) {
  auto scenario = []() -> Task<int> {
    TaskGroup group(*EventLoop::current());
    int done = 0;
    auto work = [](int& counter) -> Task<void> {
      co_await sleep_for(2ms);
      ++counter;
    };
    for (int i = 0; i < 10; ++i) group.spawn(work(done));
    co_await group.wait_idle();
    co_return done;
  };
  EXPECT_EQ(block_on(scenario()), 10);
}

TEST(EventLoop, AStopBeforeRunIsNotLost) {
  EventLoop loop;
  loop.stop();
  loop.run();
  bool ran = false;
  loop.post([&] {
    ran = true;
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(ran);
}

class Timers : public ::testing::Test {
 protected:
  void call_at(SteadyTime when, Function function) {
    timers_.push_back(loop_.call_at(when, std::move(function)));
  }

  // Until a timer behind all of them rings.
  void run_for(Duration duration) {
    const auto end = loop_.call_at(deadline_in(duration), [this] { loop_.stop(); });
    loop_.run();
  }

  EventLoop loop_;
  std::vector<std::unique_ptr<Timer>> timers_;
  std::vector<int> rung_;
};

TEST_F(Timers, RingInTheOrderOfTheirTimes) {
  const SteadyTime now = std::chrono::steady_clock::now();
  for (const int n : {5, 1, 4, 2, 3}) call_at(now + n * 3ms, [this, n] { rung_.push_back(n); });
  call_at(now + 6ms, [this] { rung_.push_back(22); });
  run_for(50ms);
  EXPECT_EQ(rung_, (std::vector<int>{1, 2, 22, 3, 4, 5}));
}

TEST_F(Timers, ADestroyedOneIsNeverHeardAlsoWhenItWasDueAtOnceWithItsDestroyer) {
  const SteadyTime past = std::chrono::steady_clock::now() - 1ms;
  call_at(past, [this] {
    rung_.push_back(1);
    timers_[1].reset();
    timers_[0].reset();  // Itself.
  });
  call_at(past, [this] { rung_.push_back(2); });
  call_at(past, [this] { rung_.push_back(3); });
  call_at(past + 10ms, [this] { rung_.push_back(4); });
  timers_[3].reset();
  run_for(30ms);
  EXPECT_EQ(rung_, (std::vector<int>{1, 3}));
}

TEST_F(Timers, AnEarlierOneThatComesLaterIsInTime) {
  call_at(deadline_in(1h), [this] { rung_.push_back(1); });
  call_at(deadline_in(5ms), [this] {
    rung_.push_back(2);
    call_at(deadline_in(5ms), [this] {
      rung_.push_back(3);
      loop_.stop();
    });
  });
  loop_.run();
  EXPECT_EQ(rung_, (std::vector<int>{2, 3}));
}

TEST_F(Timers, OnesThatAreAlwaysDueLetOthersRun) {
  Function again = [&] { call_at(std::chrono::steady_clock::now() - 1ms, [&] { again(); }); };
  again();
  bool posted = false;
  call_at(deadline_in(5ms), [&] {
    loop_.post([&] {
      posted = true;
      loop_.stop();
    });
  });
  loop_.run();
  EXPECT_TRUE(posted);
}

TEST_F(Timers, MayOutliveTheirLoop) {
  std::unique_ptr<Timer> timer;
  {
    EventLoop loop;
    timer = loop.call_at(deadline_in(1h), [this] { rung_.push_back(1); });
    loop.post([kept = loop.call_at(deadline_in(1h), [] {})] {});
  }
  timer.reset();
  EXPECT_TRUE(rung_.empty());
}

TEST(Coalesce, WithoutAScopeWorkRunsAtOnce) {
  int runs = 0;
  Coalesce::once(&runs, [&] { ++runs; });
  Coalesce::once(&runs, [&] { ++runs; });
  EXPECT_EQ(runs, 2);
}

TEST(Coalesce, AScopeRunsWorkOncePerKeyAtItsEndInOrder) {
  std::vector<int> order;
  int a = 0, b = 0;
  {
    const Coalesce outer;
    Coalesce::once(&a, [&] { order.push_back(1); });
    {
      const Coalesce inner;
      Coalesce::once(&b, [&] { order.push_back(2); });
      Coalesce::once(&a, [&] { order.push_back(3); });
    }
    EXPECT_TRUE(order.empty());
  }
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(Coalesce, WorkThatAsksForMoreGetsIt) {
  int runs = 0;
  {
    const Coalesce scope;
    Coalesce::once(&runs, [&] { Coalesce::once(&runs, [&] { ++runs; }); });
  }
  EXPECT_EQ(runs, 1);
}

TEST(Coalesce, ScopesOfThreadsAreApart) {
  int runs = 0;
  const Coalesce scope;
  std::thread([&] { Coalesce::once(&runs, [&] { ++runs; }); }).join();
  EXPECT_EQ(runs, 1);
}

// One coroutine that works without end in steps of a millisecond, and what else the loop does
// meanwhile.
struct Worker {
  fakes::ManualClock clock{SystemTime(std::chrono::seconds(1))};
  std::vector<std::string> done;

  Task<void> work(std::string name, int steps) {
    Turn turn(clock);
    for (int i = 0; i < steps; ++i) {
      if (turn.over()) co_await turn.next();
      clock.advance(Turn::kLength + std::chrono::microseconds(1));
      done.push_back(name);
    }
  }
};

TEST(Turn, OthersComeBetween) {
  Worker worker;
  EventLoop loop;
  for (const char* name : {"a", "b", "c"}) spawn(loop, worker.work(name, 3));
  std::function<void()> other = [&] {
    worker.done.push_back("-");
    if (std::ranges::count(worker.done, "a") + std::ranges::count(worker.done, "b") +
            std::ranges::count(worker.done, "c") <
        9)
      loop.post([&] { other(); });
    else
      loop.stop();
  };
  loop.post([&] { other(); });
  loop.run();
  // All have had their first turn when they were spawned; from then on one comes in each round.
  std::string order;
  for (const std::string& one : worker.done) order += one;
  EXPECT_EQ(order, "abc-a-b-c-a-b-c-");
}

}  // namespace
}  // namespace rondel::async
