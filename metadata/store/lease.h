// Lease: which gateway coordinates, and the numbers that what it commands carries: its token, its
// marks, its orders. Each of them only rises, in the database and thus for everybody who remembers
// one.
//
// One lease belongs to one process: what it holds ends with its connection at the latest. Not on
// the request path; errors as commit_context.h says of every seam. kPrecondition = the token given
// is no longer the highest: another gateway coordinates.
#pragma once

#include <cstdint>
#include <optional>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/model/ids.h"
#include "common/model/metadata_generation.h"

namespace rondel::metadata {

struct NewMark {
  model::MetadataGeneration database;  // With the mark just written.
  bool follows = false;                // The database holds the mark it was asked for.
};

class Lease {
 public:
  virtual ~Lease() = default;

  // Tries to become (or stay) the coordinator, and answers the token; who becomes it raises the
  // token and writes a mark in the same statement. nullopt: another gateway is. The token of who
  // stays it is the same, unless the database was set back meanwhile: then it rises above the one
  // that is lost.
  virtual async::Task<Result<std::optional<uint64_t>>> claim_coordinator(Deadline deadline) = 0;
  // Gives it back soon, without waiting; nothing when it is not held.
  virtual void resign_coordinator() = 0;
  // Writes a mark, and says whether the database holds `before` (zero: it does). Forgets marks that
  // are older than any trash and journal and that no node has.
  virtual async::Task<Result<NewMark>> write_mark(model::MetadataMark before,
                                                  uint64_t coordinator_token,
                                                  Deadline deadline) = 0;
  // The number of a removal or restore: greater than every one before, than `above`, and than any
  // that a node has told of. kOutOfRange: `above` leaps (model::kLeapMax); no number is given.
  virtual async::Task<Result<uint64_t>> next_order(uint64_t above, uint64_t coordinator_token,
                                                   Deadline deadline) = 0;
};

}  // namespace rondel::metadata
