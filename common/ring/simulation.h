// Figures of a ring of many disks: balance, movement, cost. What `rondel ring sim` prints and the
// tests check.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/ring/ring.h"

namespace rondel::ring {

// Capacities 4, 8, 12, 16, 20 TB in turn; 5 zones up to 100 disks, 8 up to 1,000, 20 above; ten
// disks a host.
std::vector<Disk> simulated_disks(size_t count, uint64_t seed);

struct Balance {
  // Virtual nodes held over virtual nodes due by capacity: the fullest disk,
  double max_over_mean = 0;
  double min_over_mean = 0;  // and the emptiest.
};

Balance balance_of(const Ring& ring);

// Virtual nodes moved, over the fewest that any table with these counts could move (what disks
// gained). 1 is perfect; 1 too when nothing had to move.
double movement_ratio(const Ring& from, const Ring& to);

struct SimulationRow {
  size_t disks = 0;
  size_t zones = 0;
  uint8_t power = 0;
  double build_seconds = 0;
  double change_seconds = 0;  // Of adding one disk.
  double lookup_nanoseconds = 0;
  Balance balance;
  double add_one = 0;     // movement_ratio of: one disk more,
  double remove_one = 0;  // one disk less,
  double add_tenth = 0;   // a tenth more disks,
  double grow_one = 0;    // one disk of twice its capacity.
  Balance balance_after_add_tenth;
};

Result<SimulationRow> simulate(size_t disks, RingOptions options);

}  // namespace rondel::ring
