// `rondel ring sim`: the figures of a simulated ring.
#pragma once

#include <cstdint>
#include <vector>

#include "cli/answer.h"

namespace rondel::cli {

struct RingSimulationOptions {
  std::vector<uint64_t> disks{10, 30, 100, 300, 1000, 3000, 10'000};
  uint64_t replicas = 3;
  uint64_t seed = 1;
};

// One row per number of disks. An error: a ring of so many cannot be built.
Result<Answer> simulate_rings(const RingSimulationOptions& options);

}  // namespace rondel::cli
