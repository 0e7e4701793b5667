// How long a peer may take to move bytes: a bound on the whole, and a floor under the rate.
//
// Time counts while we wait for the peer alone. What a handler takes to store or to find bytes is
// no fault of who sends or takes them, and a peer gains nothing by it. Pure; time comes from
// outside. One coroutine.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"

namespace rondel::http {

// At least `bytes_per_second` over any `window` that begins after the first `grace`.
struct RateFloor {
  uint64_t bytes_per_second = 4 * 1024;
  Duration grace = std::chrono::seconds(30);
  Duration window = std::chrono::seconds(60);
};

class Pace {
 public:
  // Begins anew. `total_max` bounds the time spent waiting from now on; without a floor any rate is
  // taken until then.
  void begin(Duration total_max, const RateFloor* floor = nullptr);

  // The peer is waited for from here, and until there.
  void start_waiting(SteadyTime now) { waits_since_ = now; }

  void stop_waiting(SteadyTime now);

  // Time spent waiting since begin().
  Duration waited(SteadyTime now) const;

  // True: the peer is too slow. `moved`: bytes so far, from wherever the caller counts. Called from
  // time to time; between two calls a window is at most an eighth longer than it should be.
  bool is_late(SteadyTime now, uint64_t moved);

 private:
  struct Sample {
    Duration at{};
    uint64_t moved = 0;
  };

  static constexpr size_t kSlices = 8;

  void add_sample(Duration at, uint64_t moved);

  Duration total_max_ = Duration::max();
  const RateFloor* floor_ = nullptr;
  Duration waited_{};
  SteadyTime waits_since_ = SteadyTime::max();  // max: nobody is waited for.
  std::array<Sample, kSlices + 2> samples_{};   // The oldest first, each a slice after the last.
  size_t count_ = 0;
};

}  // namespace rondel::http
