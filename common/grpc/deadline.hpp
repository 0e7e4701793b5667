// Deadlines as gRPC takes them (.cc files alone).
#pragma once

#include <grpc/support/time.h>

#include <algorithm>
#include <chrono>

#include "common/base/clock.h"

namespace rondel::rpc {

// A span from now on, which gRPC adds to its steady clock at once. A point of the wall clock would
// end at once, or in a day, when that clock is set between two instructions. 0 when the deadline is
// over.
inline gpr_timespec grpc_deadline(Deadline deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
      deadline - std::chrono::steady_clock::now());
  return gpr_time_from_nanos(std::max<int64_t>(0, left.count()), GPR_TIMESPAN);
}

}  // namespace rondel::rpc
