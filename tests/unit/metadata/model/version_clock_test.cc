// docs/formats/ids.md, version id.
#include "metadata/model/version_clock.h"

#include "tests/unit/format_vectors.h"

namespace rondel::metadata {
namespace {

struct StandingClock final : Clock {
  SystemTime now() const override { return time; }
  SteadyTime steady_now() const override { return {}; }
  SystemTime time{std::chrono::milliseconds(1'700'000'000'123)};
};

std::string clock_and_site(const model::VersionId& id) { return std::string(as_text(id.view()).substr(0, 10)); }

TEST(VersionClockTest, TheFirstIdHasItsGoldenBytes) {
  const StandingClock clock;
  VersionClock versions(clock, 1);
  const model::VersionId id = versions.next();
  EXPECT_EQ(clock_and_site(id), vectors::golden("version-clock"));
  EXPECT_EQ(time_of(id), clock.time);
}

TEST(VersionClockTest, IdsRiseWhileTimeStandsAndWhenItGoesBack) {
  StandingClock clock;
  VersionClock versions(clock, 1);
  model::VersionId last = versions.next();
  for (int i = 0; i < 70'000; ++i) {
    if (i == 1000) clock.time -= std::chrono::seconds(50);
    const model::VersionId next = versions.next();
    ASSERT_GT(next, last);
    last = next;
  }
}

// A clock that was a week ahead does not stamp the future for a week.
TEST(VersionClockTest, AClockThatWasAheadIsFollowedBack) {
  StandingClock clock;
  VersionClock versions(clock, 1);
  for (const auto by : {std::chrono::hours(24), std::chrono::hours(24 * 7)}) {
    clock.time += by;
    EXPECT_EQ(time_of(versions.next()), clock.time);
    clock.time -= by;
    const model::VersionId back = versions.next();
    EXPECT_EQ(time_of(back), clock.time);
    EXPECT_GT(versions.next(), back);
  }
}

}  // namespace
}  // namespace rondel::metadata
