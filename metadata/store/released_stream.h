// ReleasedStream: a stream that nobody refers to any more, as a row of the queue.
#pragma once

#include <cstdint>

#include "common/base/clock.h"
#include "common/model/ids.h"

namespace rondel::metadata {

struct ReleasedStream {
  int64_t id = 0;                    // Of the queue row.
  model::StreamId stream;
  uint64_t size = 0;
  SystemTime released_at;
};

}  // namespace rondel::metadata
