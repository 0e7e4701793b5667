// When the second look is taken, and what it counts.
#include "jobs/gc/second_look.h"

#include <gtest/gtest.h>

#include "common/async/event_loop.h"
#include "metadata/memory/memory_cluster.h"
#include "tests/fakes/manual_clock.h"
#include "tests/unit/jobs/gc/watched_releases.h"

namespace rondel::gc {
namespace {

using namespace std::chrono_literals;

class SecondLookTest : public ::testing::Test {
 protected:
  model::StreamId release(int64_t row) {
    const auto stream = model::StreamId::random();
    state_.released[row] = {{row, stream, 10, clock_.now()}, {}};
    return stream;
  }

  Result<void> run_once() { return run_as(state_.cluster.token); }

  Result<void> run_as(uint64_t token) {
    const jobs::Term term(token, [] { return true; });
    return async::block_on(look_.run_round(term));
  }

  void pass(std::chrono::microseconds time) {
    clock_.advance(time);
    database_clock_.advance(time);
  }

  fakes::ManualClock clock_{std::chrono::sys_days(std::chrono::year(2024) / 1 / 1)};
  fakes::ManualClock database_clock_{clock_.now()};
  metadata::MemoryState state_{database_clock_};
  metadata::MemoryCluster store_{state_};
  WatchedReleases releases_{store_.releases};
  SecondLook look_{releases_, store_.gc, {.gc_grace = 100s}, clock_};
};

TEST_F(SecondLookTest, CountsWhatIsFreeAndKeepsWhatIsNot) {
  release(1);
  state_.references[release(2)] = 1;
  pass(99s);
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 0u) << "the grace is not over";
  pass(1s);
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 1u);
  EXPECT_EQ(look_.status().referenced_total, 1u);
  EXPECT_EQ(state_.released.size(), 1u);
  EXPECT_TRUE(state_.referenced_releases.contains(2));
}

TEST_F(SecondLookTest, TheLongestGraceAndTheOlderClockCount) {
  release(1);
  state_.cluster.garbage.ages.grace = 500s;
  pass(499s);
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 0u);
  pass(500s);
  database_clock_.set(clock_.now() - 600s);
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 0u);
  pass(1s);
  database_clock_.set(clock_.now());
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 1u);
}

TEST_F(SecondLookTest, LooksAtNothingWhileHaltedOrCommandedByAnother) {
  release(1);
  pass(200s);
  state_.cluster.garbage.halted = "for a test";
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 0u);
  state_.cluster.garbage.halted.clear();
  state_.cluster.token = 7;
  ASSERT_TRUE(run_as(6));
  EXPECT_EQ(look_.status().checked_total, 0u);
  pass(1s);
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 1u);
}

// By what the pass took, and a round without one is no pass.
TEST_F(SecondLookTest, RestsAfterAPass) {
  EXPECT_EQ(look_.pause(), 1s);
  release(1);
  pass(200s);
  releases_.on_check = [this] { clock_.advance(2s); };
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.pause(), 40s);
  state_.cluster.garbage.halted = "for a test";
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.pause(), 1s);
}

TEST(SecondLookPause, IsTwentyTimesTheWorkWithinBounds) {
  const std::pair<Duration, Duration> expected[] = {{0s, 1s},     {10ms, 1s},    {50ms, 1s},
                                                    {100ms, 2s},  {5s, 100s},    {30s, 10min},
                                                    {31s, 10min}, {20min, 10min}};
  for (const auto& [took, pause] : expected) EXPECT_EQ(SecondLook::pause_after(took), pause);
}

}  // namespace
}  // namespace rondel::gc
