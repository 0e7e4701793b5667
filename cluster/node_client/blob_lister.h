// BlobLister: what a disk holds, page by page, for the reconcile scan.
#pragma once

#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "transfer/blob_transport.h"

namespace rondel::node_client {

struct ListedBlob {
  model::BlobId id;
  uint64_t length = 0;
  SystemTime created_at;   // By the database's clock as the writer heard it.
  SystemTime received_at;  // By the node's.
};

// Safe for concurrent use.
class BlobLister {
 public:
  virtual ~BlobLister() = default;
  // Some of the blobs that are not in the trash, in ring-hash order behind `after` (zero: from the
  // start); empty at the end.
  virtual async::Task<Result<std::vector<ListedBlob>>> list(transfer::DiskAddress at,
                                                            model::BlobId after,
                                                            Deadline deadline) = 0;
};

}  // namespace rondel::node_client
