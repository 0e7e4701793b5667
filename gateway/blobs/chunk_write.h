// ChunkWrite: one chunk on its way to R disks.
#pragma once

#include "gateway/blobs/core.h"

namespace rondel::blobs {

// Returns once min(2, R) copies in different failure domains are flushed; the other copies go on in
// the background with the buffer. A copy that fails or stalls is replaced by a hand-off copy on
// another disk. kUnavailable: no quorum in time. The blob was made at `created_at`. `buffer` is
// held until every copy has ended.
async::Task<Result<void>> write_chunk(std::shared_ptr<Core> core,
                                      std::shared_ptr<const ring::Ring> ring, model::BlobId blob,
                                      SystemTime created_at, std::vector<transfer::Piece> pieces,
                                      admission::Pool::Hold buffer, Deadline deadline);

}  // namespace rondel::blobs
