// BlobRemover: tells one disk to move released blobs to its trash, or to take blobs out of it
// again.
#pragma once

#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/model/metadata_generation.h"
#include "transfer/blob_transport.h"

namespace rondel::node_client {

struct RemovalOrder {
  uint64_t coordinator_token = 0;
  model::MetadataGeneration generation;  // The database that the removal was decided on.
  // The node's last mark, found in that database; zero: not known.
  model::MetadataMark verified;
  std::chrono::seconds trash{0};
  uint64_t number = 0;  // Of two orders about a blob the higher one holds.
};

// The numbers are those of storage.v1.Refusal.
enum class Refusal : uint8_t {
  kNone = 0,
  // `verified` is not the node's last mark, or the database is not the one it has seen.
  kDatabase = 1,
  kCoordinator = 2,  // It has heard of a higher token.
  // No gateway that the node asks has told it of what the order shows, for seconds.
  kUnheard = 4,
};

struct RemovalReply {
  Refusal refusal = Refusal::kNone;  // kNone: all is in the trash, durably.
  model::MetadataGeneration seen;    // What the node remembers of the database.
  uint64_t highest_order = 0;        // That any disk of the node has seen, this one included.
};

struct RestoreReply {
  uint64_t restored = 0;
  uint64_t highest_order = 0;
  Refusal refusal = Refusal::kNone;  // Always, where a remover answers.
};

// Safe for concurrent use. Errors: kUnavailable, kDeadlineExceeded: not known, repeat.
class BlobRemover {
 public:
  virtual ~BlobRemover() = default;
  // Returns once the removal is durable on the disk, or was refused; blobs that are not there count
  // as removed; no ids ask whether the node would take the order.
  virtual async::Task<Result<RemovalReply>> remove(transfer::DiskAddress at,
                                                   std::vector<model::BlobId> ids,
                                                   RemovalOrder order, Deadline deadline) = 0;
  // Takes out of the trash what is in it, durably; the rest is passed over. A number that is lower
  // than that of a blob's removal changes nothing. No ids ask for the highest order.
  virtual async::Task<Result<RestoreReply>> restore(transfer::DiskAddress at,
                                                    std::vector<model::BlobId> ids, uint64_t number,
                                                    Deadline deadline) = 0;
};

}  // namespace rondel::node_client
