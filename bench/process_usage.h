// What processes have used, read from /proc.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace rondel::bench {

struct ProcessUsage {
  double cpu_s = 0;                 // User and system time, of ended children too.
  uint64_t resident_bytes = 0;      // Shared pages count once per process.
  uint64_t proportional_bytes = 0;  // Shared pages are divided among those that share them.
  uint64_t peak_bytes = 0;          // Highest resident size of each, added up.
};

// Of `pids` and all their descendants. Processes that are gone count nothing.
ProcessUsage usage_of(std::span<const int> pids);

// User and system time of this process.
double own_cpu_s();

}  // namespace rondel::bench
