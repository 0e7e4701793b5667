// Streams of bytes over replicated disks: how the gateway writes and reads what objects consist of.
//
// Laws kept here: bytes are written once under a fresh id (1), a chunk is acknowledged when two
// replicas in two failure domains have flushed it (3), every byte read is verified again (4),
// everything is bounded by budgets and deadlines (6). Nothing is known here of objects, buckets or
// PostgreSQL: a stream that no row names is garbage and is reclaimed later.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "common/async/task.h"
#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/model/ids.h"
#include "gateway/admission/party.h"

namespace rondel::blobs {

// A stream whose every chunk has its quorum of flushed copies.
struct WrittenStream {
  model::StreamId id;
  uint64_t size = 0;
  // The oldest ring epoch that a chunk was placed under: the metadata commit carries it and is
  // refused when it is fenced.
  uint64_t ring_epoch = 0;
  // When its first blob was made, by the clock that blobs are stamped by: none of them is older.
  // The commit carries it and is refused when the scan for what was left behind may soon come by.
  SystemTime first_time = {};
};

// One stream on its way in. Used by one coroutine of the loop where it was opened, one call at a
// time. Destroying it between calls aborts: what was sent already becomes garbage, buffers are
// given back. Never destroy it while a call is awaited.
class StreamWriter {
 public:
  virtual ~StreamWriter() = default;

  // Takes a copy of `bytes`. Waits while the stream's chunks in flight or the buffer budget are
  // used up. An error is final: kUnavailable (fewer than two failure domains reachable),
  // kStorageFull (all were reached, and fewer than two had space), kResourceExhausted (no buffer
  // before the deadline), kInvalidArgument (more bytes than the size hint). kResourceExhausted too
  // where the bytes came so slowly that they gave way to what others bring.
  virtual async::Task<Result<void>> write(ByteView bytes) = 0;

  // Returns once every chunk has its quorum. At most once. kInvalidArgument: fewer bytes than the
  // size hint. A stream of size 0 has no chunks and writes nothing.
  virtual async::Task<Result<WrittenStream>> finish() = 0;

  // What may lie on disks of a stream that no row will name: its id and at least its size. Size 0:
  // nothing.
  virtual WrittenStream leftovers() const = 0;
};

// A part of a stream. REQUIRES: offset + length <= stream_size; stream_size is the size of the
// whole stream.
struct StreamRange {
  model::StreamId stream;
  uint64_t stream_size = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
};

// Ranges on their way out, as one run of bytes. Used like a StreamWriter.
class StreamReader {
 public:
  virtual ~StreamReader() = default;

  // The next bytes, at most one piece (model::kPieceBytes), verified; an empty slice after the
  // last. They count as held until the next call or the reader's end; who is slow to ask for more
  // may have to give way to others. An error is final: kNotFound (owners of every live epoch and
  // the hand-offs all say so), kCorruption (no undamaged copy), kUnavailable, kResourceExhausted,
  // kDeadlineExceeded.
  virtual async::Task<Result<ByteSlice>> next() = 0;

  // `told` is called on the reader's loop when it had to give way while its consumer held bytes of
  // it, at most once.
  virtual void on_give_way(std::function<void()> told) { (void)told; }
};

// Safe for concurrent use from several loops; a writer or reader stays on the loop that opened it.
class BlobStore {
 public:
  virtual ~BlobStore() = default;

  // `size_hint`: the exact number of bytes that will be written, when known. `deadline` bounds
  // everything the writer does. What it holds in memory counts to `payer` (admission/pool.h); null:
  // to the gateway itself.
  virtual std::unique_ptr<StreamWriter> open_writer(std::optional<uint64_t> size_hint,
                                                    Deadline deadline,
                                                    admission::PartyRef payer = {}) = 0;

  // Reads the ranges one after the other, each exactly `length` bytes.
  virtual std::unique_ptr<StreamReader> open_reader(std::vector<StreamRange> ranges,
                                                    Deadline deadline,
                                                    admission::PartyRef payer = {}) = 0;
};

}  // namespace rondel::blobs
