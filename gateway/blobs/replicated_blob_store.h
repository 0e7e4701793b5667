// ReplicatedBlobStore: the BlobStore over a ring of disks, R copies of each chunk. How it writes
// and reads: README.md.
#pragma once

#include <chrono>
#include <string>

#include "common/base/clock.h"
#include "common/ring/ring.h"
#include "gateway/admission/pool.h"
#include "gateway/blobs/blob_store.h"
#include "transfer/blob_transport.h"

namespace rondel::blobs {

struct ReplicatedBlobStoreOptions {
  // All body bytes held here at once. 5/8 for chunks on their way in, 2/8 for readers, 1/16 for
  // blobs of at most one piece on their way in and as much for those on their way out.
  uint64_t buffer_bytes = 512ull << 20;
  // Chunks of one stream that are buffered at once: one filling, the others being sent.
  size_t chunks_in_flight = 3;
  // A chunk must have its quorum this long after its last byte has come, whatever the stream's
  // deadline.
  std::chrono::milliseconds write_deadline{15'000};
  // A replica is replaced (or another copy read) when one step takes longer than max(stall_min, 8 x
  // its average), at most stall_max.
  std::chrono::milliseconds stall_min{500};
  std::chrono::milliseconds stall_max{2'000};
  // A copy that lacks this long after the quorum is given up: its buffer is wanted, catch-up
  // supplies it.
  std::chrono::milliseconds late_copy_patience{5'000};
  // A disk that failed is left alone this long, doubled up to the maximum, then probed in the
  // background.
  std::chrono::milliseconds breaker_min{1'000};
  std::chrono::milliseconds breaker_max{5'000};
  // Hand-off disks per arc: writes use no others, so that reads find every copy.
  size_t handoffs = 4;
  // Bytes of a writer that came to a halt, of a reader that nobody asks for more, so long give way
  // to what others bring.
  std::chrono::milliseconds writer_patience{2'000};
  std::chrono::milliseconds reader_patience{3'000};
  // Copies waiting to be rewritten after a read found them damaged or missing; more are left to
  // scrub and catch-up. Their bytes are held out of half of what readers have: an eighth of
  // `buffer_bytes`, so that a chunk is repaired only where that is 64 MiB or more.
  size_t repairs_max = 64;
  // A copy that an owner lacks may still be on its way while the blob is younger.
  std::chrono::milliseconds repair_settle{15'000};
  // What blobs are stamped by; outlives the store.
  const Clock* clock = &real_clock();
  // Reads prefer disks of this zone. Empty = no preference.
  std::string zone;
};

// One disk as this gateway sees it.
struct DiskHealth {
  model::DiskId disk;
  double small_latency_seconds = 0;  // Moving average of requests of at most one piece.
  double bulk_latency_seconds = 0;   // The same of one step of a large transfer.
  uint32_t consecutive_failures = 0;
  bool avoided = false;  // Its circuit breaker is open.
};

// Totals since the start, but for the last block. For metrics.
struct BlobHealth {
  uint64_t chunks_written = 0;
  uint64_t bytes_written = 0;
  uint64_t copies_flushed = 0;
  uint64_t handoff_copies = 0;  // Of them on hand-off disks.
  uint64_t copies_failed = 0;   // Attempts that ended with an error.
  uint64_t copies_stalled = 0;  // Attempts replaced because a step took too long.
  // Copies beyond the quorum that were given up: catch-up supplies them.
  uint64_t copies_dropped = 0;
  // Chunks that did not reach two failure domains: those that lacked nothing but space, and others.
  uint64_t full_failures = 0;
  uint64_t quorum_failures = 0;
  uint64_t bytes_read = 0;
  uint64_t read_failovers = 0;  // Reads that went on to another copy.
  // Copies whose bytes did not match, found here or reported by the node.
  uint64_t corrupt_copies = 0;
  uint64_t missing_copies = 0;  // Owners that lacked a blob which another disk had.
  uint64_t repairs_done = 0;
  uint64_t repairs_failed = 0;
  uint64_t repairs_skipped = 0;         // Too many were under way, or the store was draining.
  uint64_t repairs_joined = 0;          // Reads that met a flaw which was being repaired already.
  uint64_t repairs_without_buffer = 0;  // None began: the read budget was in use.
  uint64_t probes = 0;

  uint64_t buffer_bytes_in_use = 0;
  uint64_t buffer_bytes_max = 0;
  std::vector<admission::PoolStatus> budgets;
  uint64_t background_tasks = 0;  // Late copies, orphaned attempts, repairs, probes.
  std::vector<DiskHealth> disks;
};

class ReplicatedBlobStore final : public BlobStore {
 public:
  // `transport` and `topology` outlive the store and its background work (see drain()).
  ReplicatedBlobStore(transfer::BlobTransport& transport, const ring::TopologySource& topology,
                      ReplicatedBlobStoreOptions options);
  ~ReplicatedBlobStore() override;

  std::unique_ptr<StreamWriter> open_writer(std::optional<uint64_t> size_hint, Deadline deadline,
                                            admission::PartyRef payer = {}) override;
  std::unique_ptr<StreamReader> open_reader(std::vector<StreamRange> ranges, Deadline deadline,
                                            admission::PartyRef payer = {}) override;

  // Two reachable failure domains in the current ring (one when the replication factor is 1), as
  // seen by the breakers. Full disks are reachable.
  bool quorum_possible() const;

  BlobHealth health() const;

  // Starts no further repairs or probes and waits until no background work runs. False when the
  // deadline came first.
  async::Task<bool> drain(Deadline deadline);

  struct Core;

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace rondel::blobs
