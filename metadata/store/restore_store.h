// RestoreStore: taking out of the trash of every disk what rows refer to, as it was ordered and as
// far as it has got.
//
// Errors as commit_context.h says of every seam. Calls with a token do nothing when it is no longer
// the highest (lease.h).
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/model/ids.h"

namespace rondel::metadata {

// Taking out of the trash what rows refer to, disk by disk.
struct RestoreState {
  uint64_t number = 0;  // Rises with every order to restore.

  struct Disk {
    model::DiskId disk;
    model::NodeId node;
    std::string address;
    bool alive = false;  // The last heartbeat that names it is at most 10 s old.
    bool done = false;
    uint64_t blobs = 0;  // Taken out, once done.
    // A live ring counts on it, or its node was heard of within the hour. The others are not waited
    // for; should one come back, it is looked through before anything is purged on it.
    bool member = true;

    bool waits() const { return member && !done; }
  };

  // Of every known node and every live ring, those that are done too.
  std::vector<Disk> disks;

  uint64_t members() const {
    return static_cast<uint64_t>(std::ranges::count(disks, true, &Disk::member));
  }

  uint64_t waiting() const {
    return static_cast<uint64_t>(std::ranges::count(disks, true, &Disk::waits));
  }
};

class RestoreStore {
 public:
  virtual ~RestoreStore() = default;

  // An operator's: the trash of every disk, also of those that are away or unknown so far, is to be
  // looked through for what rows refer to; until that is done on a disk nothing is purged on it.
  // Answers the number that restore_state() has then.
  virtual async::Task<Result<uint64_t>> order_restore(Deadline deadline) = 0;
  virtual async::Task<Result<RestoreState>> restore_state(Deadline deadline) = 0;
  // Of the given streams (sorted), those that a version or part refers to. It goes through every
  // table of references once.
  virtual async::Task<Result<std::vector<model::StreamId>>> referenced_streams(
      std::vector<model::StreamId> streams, Deadline deadline) = 0;
  // The disk was looked through for this number; later ones stay.
  virtual async::Task<Result<void>> finish_restore(model::DiskId disk, uint64_t number,
                                                   uint64_t blobs, uint64_t coordinator_token,
                                                   Deadline deadline) = 0;
};

}  // namespace rondel::metadata
