// ReleaseQueue: streams that no row refers to, from their release until their bytes lie in every
// trash. Commits release what they replace by themselves; this seam is for the rest, and for who
// works the queue off.
//
// Work may happen twice and is harmless twice. Errors as commit_context.h says of every seam. Calls
// with a token do and answer nothing when it is no longer the highest (lease.h).
#pragma once

#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/model/ids.h"
#include "metadata/model/object.h"
#include "metadata/store/released_stream.h"

namespace rondel::metadata {

// Counted up to 10,000, estimated from the database's statistics above: their cost does not grow
// with them.
struct QueueDepths {
  uint64_t released = 0;
  uint64_t uploads_open = 0;
  SystemTime oldest_released;
  uint64_t referenced = 0;  // Kept by check_released; never estimated, at most 10,000.
  uint64_t deferred = 0;    // Of `released`, those that wait to be tried again. So too.
};

// What a second look at released streams found.
struct CheckedReleases {
  uint64_t checked = 0;     // Nothing refers to them: they may be removed.
  uint64_t referenced = 0;  // Something does: they left the queue and are kept.
  std::string examples;     // Some of those, in hexadecimal.
};

class ReleaseQueue {
 public:
  virtual ~ReleaseQueue() = default;

  // Streams that no row came to refer to (a commit that was refused or did not happen, a body that
  // broke off): their bytes are removed after the grace. Never those of a commit that is not known.
  // Repeating it does no harm: stream ids are not reused.
  virtual async::Task<Result<void>> release_streams(std::vector<Extent> streams,
                                                    Deadline deadline) = 0;
  // The second look: of at most `max` rows that were released until `before` and that were not
  // looked at, marks those that nothing refers to; the others leave the queue, are kept for an
  // operator to see, and are never removed. Nothing when another gateway coordinates. It goes
  // through every table of references once: minutes, on large ones.
  virtual async::Task<Result<CheckedReleases>> check_released(SystemTime before, size_t max,
                                                              uint64_t coordinator_token,
                                                              Deadline deadline) = 0;
  // Rows that a second look has marked and that were released until `before`, at most `max`, in the
  // order in which they became due (by the look, or by defer_released) and of their release; they
  // stay until finish_released.
  virtual async::Task<Result<std::vector<ReleasedStream>>> take_released(SystemTime before,
                                                                         size_t max,
                                                                         uint64_t coordinator_token,
                                                                         Deadline deadline) = 0;
  // The bytes of these rows are in every trash. Rows that are gone, or are another stream's by now,
  // are passed over.
  virtual async::Task<Result<void>> finish_released(std::vector<ReleaseRow> rows,
                                                    uint64_t coordinator_token,
                                                    Deadline deadline) = 0;
  // These rows could not be finished: each becomes due again after 30 s the first time, twice as
  // long each time, an hour at most. Others are passed over as above.
  virtual async::Task<Result<void>> defer_released(std::vector<DeferredStream> rows,
                                                   uint64_t coordinator_token,
                                                   Deadline deadline) = 0;
  virtual async::Task<Result<QueueDepths>> queue_depths(Deadline deadline) = 0;

  static constexpr std::chrono::seconds kDeferMin{30};
  static constexpr std::chrono::seconds kDeferMax{3600};
};

}  // namespace rondel::metadata
