// `rondel ring sim`: the figures of a simulated ring.
#pragma once

#include <cstdint>
#include <vector>

namespace rondel::cli {

struct RingSimulationOptions {
  std::vector<uint64_t> disks{10, 30, 100, 300, 1000, 3000, 10'000};
  uint64_t replicas = 3;
  uint64_t seed = 1;
  bool json = false;
};

// Prints one row per number of disks; 0, or 1 when a ring cannot be built.
int simulate_rings(const RingSimulationOptions& options);

}  // namespace rondel::cli
