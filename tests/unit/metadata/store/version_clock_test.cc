// docs/formats/ids.md, version id.
#include "metadata/store/version_clock.h"

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
    if (i == 1000) clock.time -= std::chrono::hours(1);
    const model::VersionId next = versions.next();
    ASSERT_GT(next, last);
    last = next;
  }
}

}  // namespace
}  // namespace rondel::metadata
