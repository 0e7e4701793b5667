// GcControl: whether garbage collection runs, by which ages it goes, and what is kept for a while
// only.
//
// Errors as commit_context.h says of every seam. Calls with a token do nothing when it is no longer
// the highest (lease.h).
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/model/ids.h"

namespace rondel::metadata {

// The settings gc.grace, gc.trash and gc.orphan_age. Whoever leads goes by the cluster's, which are
// the greatest of all gateways'.
struct GarbageAges {
  std::chrono::seconds grace{0};
  std::chrono::seconds trash{0};
  std::chrono::seconds orphan_age{0};
  bool operator==(const GarbageAges&) const = default;
};

// The cluster's age, which an operator may lower below what gateways were started with; before any
// gateway has said its own, the asker's.
inline std::chrono::seconds age_that_counts(std::chrono::seconds cluster,
                                            std::chrono::seconds own) {
  return cluster > std::chrono::seconds(0) ? cluster : own;
}

// Garbage collection as an operator sees it.
struct GarbageState {
  std::string halted;  // Why; empty: it goes on.
  SystemTime halted_at;
  // Orphaned blobs that the next pass may release when that is more than usual.
  uint64_t allowance = 0;
  SystemTime now = SystemTime::max();  // By the database's clock; max: it has none.
  GarbageAges ages = {};               // The cluster's.
  // A node that remembers another database, or this one further than it is; empty: none does.
  std::string stranger = {};
};

class GcControl {
 public:
  virtual ~GcControl() = default;

  virtual async::Task<Result<GarbageState>> garbage_state(Deadline deadline) = 0;
  // Halts until resume_garbage(). The first reason stays.
  virtual async::Task<Result<void>> halt_garbage(std::string reason, uint64_t coordinator_token,
                                                 Deadline deadline) = 0;
  // An operator confirms that the database holds what it should, and lets one pass release so many
  // orphaned blobs. Orders a restore: whoever confirms too early, or while a node is away, loses
  // nothing by it.
  virtual async::Task<Result<void>> resume_garbage(uint64_t allowance, Deadline deadline) = 0;
  // An operator says that the clocks of gateways and database are right: ages go by them at once,
  // whatever they said before (HeardClocks::accepted).
  virtual async::Task<Result<void>> confirm_clocks(Deadline deadline) = 0;
  // A gateway's settings: raises the cluster's where they are less, and answers them.
  virtual async::Task<Result<GarbageAges>> raise_garbage_ages(GarbageAges ages,
                                                              Deadline deadline) = 0;
  // An operator's; nullopt of a field of the three = it stays. Lowering is for when no gateway has
  // more any longer.
  virtual async::Task<Result<void>> set_garbage_ages(std::optional<std::chrono::seconds> grace,
                                                     std::optional<std::chrono::seconds> trash,
                                                     std::optional<std::chrono::seconds> orphan_age,
                                                     Deadline deadline) = 0;
  // Releases some of what is left of buckets that are gone, in one transaction of bounded size.
  // Whether there may be more. Needs no fence: nothing refers to it any more.
  virtual async::Task<Result<bool>> release_deleted_buckets(Deadline deadline) = 0;
  // Forgets some completed uploads older than `before`, the oldest first, and answers how many: 0
  // when none is left. Who completes one again after that is told kNoSuchUpload.
  virtual async::Task<Result<uint64_t>> forget_completed_uploads(SystemTime before,
                                                                 Deadline deadline) = 0;
};

}  // namespace rondel::metadata
