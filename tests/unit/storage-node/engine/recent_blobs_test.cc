#include "storage-node/engine/recent_blobs.h"

#include <gtest/gtest.h>

#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::engine {
namespace {

TEST(RecentBlobs, RemembersWhatWasAddedUntilItIsRemoved) {
  RecentBlobs recent(5);
  EXPECT_FALSE(recent.contains(make_id(1)));
  recent.add(make_id(1), 6);
  recent.add(make_id(1), 7);
  EXPECT_TRUE(recent.contains(make_id(1)));
  recent.remove(make_id(1));
  recent.remove(make_id(2));
  EXPECT_FALSE(recent.contains(make_id(1)));
  recent.add(make_id(1), 8);
  EXPECT_TRUE(recent.contains(make_id(1)));
}

TEST(RecentBlobs, ForgetsNothingThatCameSinceItIsComplete) {
  RecentBlobs recent(0);
  constexpr uint64_t kBlobs = 5 * RecentBlobs::kGenerationBlobs + 17;
  for (uint64_t n = 1; n <= kBlobs; ++n) recent.add(make_id(n), n);
  const uint64_t since = recent.complete_since_us();
  EXPECT_LE(since, kBlobs - RecentBlobs::kGenerationBlobs);
  EXPECT_GE(since, kBlobs - 2 * RecentBlobs::kGenerationBlobs);
  for (uint64_t n = since; n <= kBlobs; ++n) ASSERT_TRUE(recent.contains(make_id(n))) << n;
  EXPECT_FALSE(recent.contains(make_id(since - 1)));
}

TEST(RecentBlobs, RemovalHidesNoOther) {
  RecentBlobs recent(0);
  for (uint64_t n = 1; n <= RecentBlobs::kGenerationBlobs; ++n) recent.add(make_id(n), n);
  for (uint64_t n = 1; n <= RecentBlobs::kGenerationBlobs; n += 2) recent.remove(make_id(n));
  for (uint64_t n = 1; n <= RecentBlobs::kGenerationBlobs; ++n) {
    ASSERT_EQ(recent.contains(make_id(n)), n % 2 == 0) << n;
  }
}

}  // namespace
}  // namespace rondel::engine
