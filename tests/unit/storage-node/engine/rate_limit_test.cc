#include "storage-node/engine/rate_limit.h"

#include <gtest/gtest.h>

namespace rondel::engine {
namespace {

using namespace std::chrono_literals;

TEST(RateLimitTest, ManyTogetherMoveNoMoreThanTheRate) {
  RateLimit limit(1000);
  const SteadyTime start = SteadyTime(1h);
  EXPECT_EQ(limit.take(100, start), 0s);
  EXPECT_EQ(limit.take(100, start), 0s) << "a tenth of a second's bytes may go at once";
  EXPECT_EQ(limit.take(1000, start), 100ms);
  EXPECT_EQ(limit.take(1000, start), 1100ms);
  EXPECT_EQ(limit.take(1, start + 2s), 100ms);
  EXPECT_EQ(limit.take(1, start + 1h), 0s) << "a pause earns no more than that";
  EXPECT_EQ(limit.take(100, start + 1h), 0s);
  EXPECT_GT(limit.take(100, start + 1h), 0s);
}

TEST(RateLimitTest, NoneIsNone) {
  RateLimit limit(0);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(limit.take(1ull << 40, SteadyTime(1h)), 0s);
}

}  // namespace
}  // namespace rondel::engine
