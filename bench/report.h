// The outcome of a run, as JSON and as lines to read.
#pragma once

#include <string>
#include <vector>

#include "bench/options.h"
#include "bench/worker.h"

namespace rondel::bench {

struct GroupUse {
  std::string name;
  double cpu_s = 0;             // Inside the window.
  uint64_t resident_bytes = 0;  // At its end.
  uint64_t proportional_bytes = 0;
  uint64_t peak_bytes = 0;  // Since the processes started.
};

struct Outcome {
  Statistics statistics;
  double seconds = 0;       // Of the window.
  double preload_s = 0;     // 0: nothing was preloaded.
  double client_cpu_s = 0;  // Inside the window.
  std::vector<GroupUse> groups;
};

std::string to_json(const Options& options, const Outcome& outcome);
std::string to_text(const Options& options, const Outcome& outcome);

}  // namespace rondel::bench
