#include "common/http/pace.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>

namespace rondel::http {
namespace {

using namespace std::chrono_literals;

const RateFloor kFloor{4096, 30s, 60s};

SteadyTime at(Duration time) { return SteadyTime(1h) + time; }

// When a peer that moves `moved(second)` bytes by then is found late, looked at each half second.
template <class Moved>
std::optional<Duration> late_at(Duration end, Moved moved, Duration total = Duration::max()) {
  Pace pace;
  pace.begin(total, &kFloor);
  pace.start_waiting(at(0s));
  for (Duration time = 0s; time <= end; time += 500ms) {
    const double seconds = std::chrono::duration<double>(time).count();
    if (pace.is_late(at(time), static_cast<uint64_t>(moved(seconds)))) return time;
  }
  return std::nullopt;
}

TEST(Pace, WhoMovesEnoughIsNeverLate) {
  for (const double rate : {4096.0, 5000.0, 1e9}) {
    EXPECT_EQ(late_at(2h, [&](double s) { return s * rate; }), std::nullopt) << rate;
  }
  // 4 KiB each second and nothing between.
  EXPECT_EQ(late_at(2h, [](double s) { return std::ceil(s) * 4096; }), std::nullopt);
}

TEST(Pace, TooLittleIsLateOneWindowAfterTheGrace) {
  for (const double rate : {0.0, 1.0, 2048.0, 4000.0}) {
    const auto late = late_at(2h, [&](double s) { return s * rate; });
    ASSERT_TRUE(late) << rate;
    EXPECT_GE(*late, 90s) << rate;
    EXPECT_LE(*late, 98s) << rate;
  }
}

TEST(Pace, WhatCameBeforeDoesNotCount) {
  // A gigabyte in the grace, and nothing after it.
  const auto early = late_at(2h, [](double) { return 1e9; });
  ASSERT_TRUE(early);
  EXPECT_LE(*early, 98s);
  // A gigabyte within an hour of a good rate, then nothing.
  const auto stops = late_at(2h, [](double s) { return std::min(s, 3600.0) * 300'000; });
  ASSERT_TRUE(stops);
  EXPECT_GE(*stops, 1h + 60s - 1s);
  EXPECT_LE(*stops, 1h + 68s);
}

TEST(Pace, ABurstEachMinuteIsEnoughWhenItHoldsEnough) {
  const auto bursts = [](double bytes) {
    return late_at(2h, [bytes](double s) { return std::floor(s / 30) * bytes; });
  };
  EXPECT_EQ(bursts(30 * 4096 * 2.0), std::nullopt);
  EXPECT_NE(bursts(30 * 4096 * 0.9), std::nullopt);
}

TEST(Pace, TheWholeHasABoundOfItsOwn) {
  EXPECT_EQ(late_at(2h, [](double s) { return s * 1e9; }, 1h), Duration(1h));
  Pace document;
  document.begin(60s);
  document.start_waiting(at(0s));
  EXPECT_FALSE(document.is_late(at(59s), 0));
  EXPECT_TRUE(document.is_late(at(60s), 1 << 20));
}

TEST(Pace, OnlyTimeOfThePeerCounts) {
  Pace pace;
  pace.begin(60s, &kFloor);
  for (int round = 0; round < 100; ++round) {
    pace.start_waiting(at(round * 1h));
    EXPECT_FALSE(pace.is_late(at(round * 1h + 500ms), 0)) << round;
    pace.stop_waiting(at(round * 1h + 500ms));
    EXPECT_FALSE(pace.is_late(at(round * 1h + 30min), 0)) << round;
  }
  EXPECT_EQ(pace.waited(at(200h)), Duration(50s));
  pace.start_waiting(at(200h));
  EXPECT_TRUE(pace.is_late(at(200h + 10s), 0));
  // Begun anew it forgets.
  pace.begin(60s, &kFloor);
  pace.start_waiting(at(201h));
  EXPECT_FALSE(pace.is_late(at(201h + 59s), 0));
}

}  // namespace
}  // namespace rondel::http
