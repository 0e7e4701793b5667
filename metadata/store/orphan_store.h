// OrphanStore: what the scan for orphans asks of the database, and how much it released of late.
//
// Statements that go through whole tables: minutes, on large ones. Errors as commit_context.h says
// of every seam. Calls with a token do nothing when it is no longer the highest (lease.h).
#pragma once

#include <chrono>
#include <map>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/model/ids.h"
#include "metadata/store/released_stream.h"

namespace rondel::metadata {

// Blobs, by disk.
using OrphanCounts = std::map<model::DiskId, uint64_t>;

class OrphanStore {
 public:
  virtual ~OrphanStore() = default;

  // Of the given streams (sorted), those that no version, part or queue row refers to.
  virtual async::Task<Result<std::vector<model::StreamId>>> unreferenced_streams(
      std::vector<model::StreamId> streams, Deadline deadline) = 0;
  // Records streams found unreferenced (after interlocks) as released; those that something refers
  // to by now are left out. `counts`: for recent_orphans().
  virtual async::Task<Result<void>> release_orphans(std::vector<ReleasedStream> orphans,
                                                    OrphanCounts counts, uint64_t coordinator_token,
                                                    Deadline deadline) = 0;
  // What was released within that time; nothing that was before the last
  // GcControl::resume_garbage().
  virtual async::Task<Result<OrphanCounts>> recent_orphans(std::chrono::seconds within,
                                                           Deadline deadline) = 0;
  // The pass is over: its allowance is used up.
  virtual async::Task<Result<void>> end_garbage_pass(uint64_t coordinator_token,
                                                     Deadline deadline) = 0;
};

}  // namespace rondel::metadata
