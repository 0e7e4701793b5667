// BlobTransport: the one seam through which object bytes go to and from disks of storage nodes.
//
// Implementations: gRPC streams (grpc_blob_transport.h) and an in-memory cluster for tests
// (tests/fakes). Every implementation passes tests/contract/blob_transport. Safe for concurrent
// use; coroutines resume on the loop that awaits. Small traffic (blobs up to model::kPieceBytes)
// and bulk traffic never wait for each other.
//
// Errors everywhere: kUnavailable = no connection or the disk does not serve; kDeadlineExceeded =
// outcome unknown; kResourceExhausted = the node's queue is full; kStorageFull = the disk is, and
// stays so until something is removed; kCorruption = bytes and digests differ; kPrecondition = the
// write's epoch is below the node's fenced minimum, or the node has lost ring contact; kNotFound
// (of a put) = the blob was removed, and the copy's order is not above that of the removal.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "common/async/cancellation.h"
#include "common/async/task.h"
#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/hash/block_digest.h"
#include "common/model/ids.h"

namespace rondel::transfer {

// Where a blob is read or written: a disk and the node it is in.
struct DiskAddress {
  model::NodeId node;
  model::DiskId disk;
  bool operator==(const DiskAddress&) const = default;
};

struct PutOptions {
  uint64_t ring_epoch = 0;
  // Non-zero on a hand-off copy: the disk that should hold the blob and gets it later.
  model::DiskId handoff_for;
  SystemTime created_at;  // By the database's clock as the maker heard it.
  // Repair and catch-up traffic: served after clients' requests, no faster than the node gives it
  // (repair.rate), and taken by a disk that is too full for theirs.
  bool background = false;
  Deadline deadline;
  // Null, or ends the put with kCancelled; its outcome is not known then.
  std::shared_ptr<async::Cancellation> cancel = nullptr;
  // The caller makes the blob, at `created_at`, and sends it to this disk for the first time. Saves
  // the disk a look; never set by whoever copies or repairs.
  bool fresh = false;
  // Of a copy: the order of the last restore of the blob, as far as it is known (see BlobStat).
  uint64_t order = 0;
};

struct GetOptions {
  bool background = false;  // As PutOptions'; paced by the node.
  Deadline deadline;
};

struct Piece {
  ByteSlice bytes;      // Whole blocks; the blob's last block may be short.
  uint64_t offset = 0;  // Of bytes in the blob, a multiple of model::kBlockBytes.
  std::vector<hash::BlockDigest> digests;  // One per block, as stored by the node.
};

struct BlobStat {
  uint64_t length = 0;  // 0: only its removal is known.
  hash::BlobDigest digest;
  model::DiskId handoff_for;  // See PutOptions; zero: none.
  SystemTime created_at;      // As the maker gave it.
  uint64_t order = 0;         // Of the last removal or restore; 0: there was none.
  bool removed = false;  // That was a removal: its bytes, if they are there, are on their way out.
};

// A blob on its way to one disk. Destroying it unfinished cancels: nothing becomes visible.
class BlobUpload {
 public:
  virtual ~BlobUpload() = default;
  // The next piece, kPieceBytes long but for the last. Waits for the node's credit. An error is
  // final.
  virtual async::Task<Result<void>> send(Piece piece) = 0;
  // Returns once the node has the blob flushed and verified against `digest`.
  virtual async::Task<Result<void>> finish(uint64_t length, hash::BlobDigest digest) = 0;
};

// A range of a blob on its way from one disk. Destroying it cancels.
class BlobDownload {
 public:
  virtual ~BlobDownload() = default;
  // The next piece, in order, verified against its digests; an empty one after the last. kNotFound:
  // the disk answers that it has no such blob. kCorruption: the stored bytes are damaged. Waits
  // until `step` at most (and never beyond the download's own deadline).
  virtual async::Task<Result<Piece>> next(Deadline step) = 0;
};

class BlobTransport {
 public:
  virtual ~BlobTransport() = default;

  // A blob of at most model::kPieceBytes in one message. Returns once it is flushed.
  virtual async::Task<Result<void>> put(DiskAddress to, model::BlobId id, PutOptions options,
                                        Piece whole) = 0;

  // `length` is the blob's exact size, known before the first piece is sent (space is reserved for
  // it).
  virtual std::unique_ptr<BlobUpload> start_put(DiskAddress to, model::BlobId id, uint64_t length,
                                                PutOptions options) = 0;

  // The blocks that cover [offset, offset + length); the range lies inside the blob.
  virtual std::unique_ptr<BlobDownload> start_get(DiskAddress from, model::BlobId id,
                                                  uint64_t offset, uint64_t length,
                                                  GetOptions options) = 0;

  // kNotFound when absent and no removal is known.
  virtual async::Task<Result<BlobStat>> stat(DiskAddress at, model::BlobId id,
                                             Deadline deadline) = 0;
};

}  // namespace rondel::transfer
