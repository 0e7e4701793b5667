// ReleasedStream: a stream that nobody refers to any more, as a row of the queue.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/clock.h"
#include "common/model/ids.h"

namespace rondel::metadata {

struct ReleasedStream {
  int64_t id = 0;  // Of the queue row.
  model::StreamId stream;
  uint64_t size = 0;
  SystemTime released_at;
  // The chunks of which too few disks have said that they are removed; empty: all of them.
  std::vector<uint32_t> chunks;
};

// A row whose removal is to be tried again.
struct DeferredStream {
  int64_t id = 0;
  std::vector<uint32_t> chunks;  // As ReleasedStream's.
};

}  // namespace rondel::metadata
