// BlobRemover: tells one disk to move released blobs to its trash.
#pragma once

#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/rpc/blob_transport.h"

namespace rondel::cluster {

// Safe for concurrent use.
class BlobRemover {
 public:
  virtual ~BlobRemover() = default;
  // Returns once the removal is durable on the disk; blobs that are not there count as removed. kPrecondition: the disk
  // has seen a higher coordinator token. kUnavailable, kDeadlineExceeded: not known, repeat.
  virtual async::Task<Result<void>> remove(rpc::DiskAddress at, std::vector<model::BlobId> ids, uint64_t coordinator_token,
                                           std::chrono::seconds trash, Deadline deadline) = 0;
};

}  // namespace rondel::cluster
