// BlobRemover: tells one disk to move released blobs to its trash.
#pragma once

#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/model/metadata_generation.h"
#include "common/rpc/blob_transport.h"

namespace rondel::cluster {

struct RemovalOrder {
  uint64_t coordinator_token = 0;
  model::MetadataGeneration generation;   // Of the database that the removal was decided on.
  std::chrono::seconds trash{0};
};

// Safe for concurrent use.
class BlobRemover {
 public:
  virtual ~BlobRemover() = default;
  // Returns once the removal is durable on the disk; blobs that are not there count as removed; no ids ask whether the
  // node would take the order. kPrecondition: the disk
  // has seen a higher coordinator token. kOutOfRange: its node has seen the database further, or another one. kUnavailable, kDeadlineExceeded: not known, repeat.
  virtual async::Task<Result<void>> remove(rpc::DiskAddress at, std::vector<model::BlobId> ids, RemovalOrder order, Deadline deadline) = 0;
};

}  // namespace rondel::cluster
