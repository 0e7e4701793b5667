// ReleasedStream: a stream that nobody refers to any more, as a row of the queue.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/clock.h"
#include "common/model/ids.h"

namespace rondel::metadata {

// Which row of the queue is meant. A database that was set back gives numbers of rows again, for
// other streams; a stream is never another.
struct ReleaseRow {
  int64_t id = 0;
  model::StreamId stream;
  bool operator==(const ReleaseRow&) const = default;
};

struct ReleasedStream {
  ReleaseRow row() const { return {id, stream}; }

  int64_t id = 0;  // Of the queue row.
  model::StreamId stream;
  uint64_t size = 0;
  SystemTime released_at;
  // The chunks of which too few disks have said that they are removed; empty: all of them.
  std::vector<uint32_t> chunks;
};

// A row whose removal is to be tried again.
struct DeferredStream {
  ReleaseRow row;
  std::vector<uint32_t> chunks;  // As ReleasedStream's.
};

}  // namespace rondel::metadata
