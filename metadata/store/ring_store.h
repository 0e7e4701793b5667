// RingStore: which cluster this database is of, and the ring epochs that its bytes are placed by.
// Not on the request path; errors as commit_context.h says of every seam. kPrecondition = the token
// given is no longer the highest (lease.h).
#pragma once

#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/model/ids.h"

namespace rondel::metadata {

struct RingEpoch {
  uint64_t epoch = 0;
  std::string table;  // ring::Ring::serialize(). Not read when it is known.
  std::string hash;   // Of the table, by the store: another table has another one.
};

struct RingState {
  std::vector<RingEpoch> live;  // Newest first.
  uint64_t min_epoch = 0;
  SystemTime now = SystemTime::max();  // By the database's clock; max: it has none.
};

class RingStore {
 public:
  virtual ~RingStore() = default;

  // The same for the life of the database. kInternal: it has no schema yet.
  virtual async::Task<Result<model::ClusterId>> cluster_id(Deadline deadline) = 0;
  // Tables whose hashes are `known` are left empty: they may be megabytes.
  virtual async::Task<Result<RingState>> ring_state(std::vector<std::string> known,
                                                    Deadline deadline) = 0;

  async::Task<Result<RingState>> ring_state(Deadline deadline) { return ring_state({}, deadline); }

  // Adds an epoch; it must be the newest + 1 (kPrecondition otherwise). retire_before: older epochs
  // stop being live. min_epoch: what was decided under an older one is refused from now on; it
  // never falls.
  virtual async::Task<Result<void>> publish_ring(RingEpoch epoch, uint64_t retire_before,
                                                 uint64_t min_epoch, uint64_t coordinator_token,
                                                 Deadline deadline) = 0;
};

}  // namespace rondel::metadata
