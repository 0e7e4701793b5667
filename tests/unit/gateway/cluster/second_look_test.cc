// When the second look is taken, and what it counts.
#include "gateway/cluster/second_look.h"

#include <gtest/gtest.h>

#include "common/async/event_loop.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/memory_cluster_store.h"

namespace rondel::cluster {
namespace {

using namespace std::chrono_literals;

class SecondLookTest : public ::testing::Test {
 protected:
  model::StreamId release(int64_t row) {
    const auto stream = model::StreamId::random();
    store_.release_unchecked({row, stream, 10, clock_.now()});
    return stream;
  }
  Result<void> run_once(uint64_t token = 1) { return async::block_on(look_.run_once(token)); }

  fakes::ManualClock clock_{std::chrono::sys_days(std::chrono::year(2024) / 1 / 1)};
  fakes::MemoryClusterStore store_;
  SecondLook look_{store_, store_, {.gc_grace = 100s}, clock_};
};

TEST_F(SecondLookTest, CountsWhatIsFreeAndKeepsWhatIsNot) {
  release(1);
  store_.referenced.insert(release(2));
  clock_.advance(100s);
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 0u) << "the grace is not over";
  clock_.advance(1s);
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 1u);
  EXPECT_EQ(look_.status().referenced_total, 1u);
  EXPECT_EQ(store_.released().size(), 1u);
  EXPECT_TRUE(store_.kept().contains(2));
}

TEST_F(SecondLookTest, TheLongestGraceAndTheOlderClockCount) {
  release(1);
  store_.garbage.ages.grace = 500s;
  clock_.advance(500s);
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 0u);
  clock_.advance(500s);
  store_.garbage.now = clock_.now() - 600s;
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 0u);
  clock_.advance(1s);
  store_.garbage.now = SystemTime::max();
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 1u);
}

TEST_F(SecondLookTest, LooksAtNothingWhileHaltedOrCommandedByAnother) {
  release(1);
  clock_.advance(200s);
  store_.garbage.halted = "for a test";
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 0u);
  store_.garbage.halted.clear();
  EXPECT_EQ(run_once(0).error().code, ErrorCode::kPrecondition);
  clock_.advance(1s);
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 1u);
}

TEST_F(SecondLookTest, RestsBetweenPasses) {
  release(1);
  clock_.advance(200s);
  ASSERT_TRUE(run_once());
  release(2);
  clock_.advance(999ms);
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 1u);
  clock_.advance(200s);
  ASSERT_TRUE(run_once());
  EXPECT_EQ(look_.status().checked_total, 2u);
}

TEST(SecondLookPause, IsTwentyTimesTheWorkWithinBounds) {
  const std::pair<Duration, Duration> expected[] = {{0s, 1s},     {10ms, 1s},    {50ms, 1s},
                                                    {100ms, 2s},  {5s, 100s},    {30s, 10min},
                                                    {31s, 10min}, {20min, 10min}};
  for (const auto& [took, pause] : expected) EXPECT_EQ(SecondLook::pause_after(took), pause);
}

}  // namespace
}  // namespace rondel::cluster
