// docs/formats/ids.md, version id.
#include "metadata/model/version_clock.h"

#include "tests/fakes/manual_clock.h"
#include "tests/unit/format_vectors.h"

namespace rondel::metadata {
namespace {

constexpr SystemTime kStart{std::chrono::milliseconds(1'700'000'000'123)};

std::string clock_and_site(const model::VersionId& id) {
  return std::string(as_text(id.view()).substr(0, 10));
}

TEST(VersionClockTest, TheFirstIdHasItsGoldenBytes) {
  const fakes::ManualClock clock(kStart);
  VersionClock versions(clock, 1);
  const model::VersionId id = versions.next();
  EXPECT_EQ(clock_and_site(id), vectors::golden("version-clock"));
  EXPECT_EQ(time_of(id), clock.now());
}

TEST(VersionClockTest, IdsRiseWhileTimeStandsAndWhenItGoesBack) {
  fakes::ManualClock clock(kStart);
  VersionClock versions(clock, 1);
  model::VersionId last = versions.next();
  for (int i = 0; i < 70'000; ++i) {
    if (i == 1000) clock.set(kStart - std::chrono::seconds(50));
    const model::VersionId next = versions.next();
    ASSERT_GT(next, last);
    last = next;
  }
}

// A clock that was a week ahead does not stamp the future for a week.
TEST(VersionClockTest, AClockThatWasAheadIsFollowedBack) {
  fakes::ManualClock clock(kStart);
  VersionClock versions(clock, 1);
  for (const auto by : {std::chrono::hours(24), std::chrono::hours(24 * 7)}) {
    clock.set(clock.now() + by);
    EXPECT_EQ(time_of(versions.next()), clock.now());
    clock.set(clock.now() - by);
    const model::VersionId back = versions.next();
    EXPECT_EQ(time_of(back), clock.now());
    EXPECT_GT(versions.next(), back);
  }
}

}  // namespace
}  // namespace rondel::metadata
