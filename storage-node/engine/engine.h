// Engine: the blobs of one disk. Append-only recycled segments plus a RocksDB index
// (docs/formats/segment.md).
//
// Durability: a put's callback runs after its record is flushed; nothing acknowledged is lost by a
// crash at any point. Verification: every read checks block digests; damaged bytes are never
// returned. Space: deleted blobs stay restorable for a trash period that the remover chooses, then
// compaction returns their segments. Safe for concurrent use. Calls named *_async never block and
// run their callback on an engine thread, which must not block either; the others block and belong
// on a disk thread.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/fs/file_system.h"
#include "common/hash/block_digest.h"
#include "common/model/ids.h"
#include "storage-node/index/index.h"

namespace rondel::engine {

using index::Wanted;

struct EngineOptions {
  std::string path;          // The disk's folder.
  model::ClusterId cluster;  // Zero accepts any on the first start.
  // Zero: made on the first start; otherwise a different disk or none is refused.
  model::DiskId disk;
  bool may_make = true;         // False: a folder that holds no disk is refused.
  uint64_t capacity_bytes = 0;  // 0 = what the file system has.
  // Of a new disk; smaller when fewer than 16 would fit. Kept for the disk's life.
  uint64_t segment_bytes = 1ull << 30;
  uint64_t memtable_bytes = 8ull << 20;
  uint64_t block_cache_bytes = 32ull << 20;
  uint32_t batch_records_max = 256;
  uint64_t batch_bytes_max = 4ull << 20;
  // Puts waiting above this are refused with kResourceExhausted.
  uint64_t queue_bytes_max = 64ull << 20;
  Duration journal_period = std::chrono::hours(24 * 7);
  // Of repair, see pace_background(); 0 = as fast as it goes.
  uint64_t background_bytes_per_second = 0;
  double compaction_garbage_ratio = 0.3;
  // Purging, compaction, trimming; 0 = only when asked (tests).
  Duration maintenance_period = std::chrono::seconds(1);
  const Clock* clock = &real_clock();
  // A call to the disk that takes longer: kFailed meanwhile.
  Duration stalled_after = std::chrono::seconds(10);
  // Between gateways and this node, for `fresh` to be believed.
  Duration clock_skew_max = std::chrono::seconds(5);
  // Told of every durable write or flush; must not block.
  std::function<void(double seconds)> on_flush;
  // May what has left the trash of this disk be purged now? Asked by maintenance with the id that
  // was found on the disk; must not block. Empty: always.
  std::function<bool(const model::DiskId& disk)> may_purge;
  // Whether the database has given a removal or restore this number. What has a higher one is
  // refused (kUnavailable), also when a peer tells of it: numbers would be used up. Empty: any is.
  std::function<bool(uint64_t order)> heard_of;
  std::string index_path;  // Empty = path + "/index". RocksDB's files: not on the file-system seam.
  bool lose_unflushed_index = false;  // Tests: destruction is a crash.
};

struct PutRequest {
  model::BlobId id;
  uint64_t ring_epoch = 0;
  SystemTime created_at;      // By the writer's clock.
  model::DiskId handoff_for;  // Non-zero: a hand-off copy.
  bool background = false;    // Repair: still taken by a disk that is too full for new blobs.
  // From the blob's maker, to this disk for the first time: the index is not asked when it cannot
  // know the blob.
  bool fresh = false;
  // Copies made by repair: the order of the last restore, as far as whoever copies knows.
  uint64_t order = 0;
};

struct RemoveOptions {
  // The number that the database gave this removal. A lower one than the blob's last order changes
  // nothing; the same one again is fine.
  uint64_t order = 0;
  Duration trash{0};  // Restorable for so long.
  // Remembers the removal of blobs that are not here too, so that no late copy brings them back.
  bool mark_absent = false;
  // Not a removal of the blob: this disk alone needs its copy no longer. The order is of no matter,
  // peers are not told, and a put brings the copy back.
  bool copy_only = false;
};

using PutCallback = std::move_only_function<void(Result<void>)>;

// A large blob being streamed into its own extent. One thread at a time. Destroying it unfinished
// gives the extent back.
class LargePut {
 public:
  virtual ~LargePut() = default;
  // The next kPieceBytes (the last may be shorter). Verifies `digests`; queues the write;
  // kResourceExhausted when the engine's queue is full (nothing taken: try again later),
  // kStorageFull when the disk is and kCorruption when bytes and digests differ (both final).
  virtual Result<void> append(ByteSlice piece, std::vector<hash::BlockDigest> digests) = 0;
  // After the last piece: verifies length and digest, writes the trailer, flushes, indexes, then
  // calls back.
  virtual void finish_async(hash::BlobDigest digest, PutCallback done) = 0;
};

struct BlobEntry {
  model::BlobId id;
  uint64_t length = 0;
  hash::BlobDigest digest;
  uint64_t ring_epoch = 0;
  SystemTime created_at;
  SystemTime received_at;
  model::DiskId handoff_for;
  bool trashed = false;
  SystemTime purge_at;   // Of a trashed one.
  uint64_t order = 0;    // Of the last removal or restore; 0: there was none.
  bool dropped = false;  // Trashed by RemoveOptions::copy_only.
};

struct ReadResult {
  ByteSlice bytes;      // Whole blocks that cover the range.
  uint64_t offset = 0;  // Of bytes in the blob.
  std::vector<hash::BlockDigest> digests;
  uint64_t blob_length = 0;
};

// A place in the disk's journal of puts and deletes. Ordered, and kept across restarts; what it is
// made of is the engine's alone.
using JournalToken = uint64_t;

// Whether more than 1,024 batches lie between `token` and the later `other`: whoever wrote `token`
// down does well to write `other` now.
bool is_far_behind(JournalToken token, JournalToken other);

struct JournalEntry {
  enum class Operation : uint8_t { kPut = 1, kDelete = 2 };
  Operation operation = Operation::kPut;
  JournalToken token = 0;  // Resume after this one.
  BlobEntry blob;
  SystemTime flushed_at;
};

struct JournalPage {
  std::vector<JournalEntry> entries;
  JournalToken next = 0;
  bool caught_up = false;
  bool truncated = false;  // The token asked for is older than what is kept.
};

// kFailed: the disk has not answered for 10 s.
// kReadOnly also while a damaged index is made again.
enum class DiskState : uint8_t { kOnline = 1, kReadOnly = 2, kFull = 3, kFailed = 4 };

struct EngineStatus {
  DiskState state = DiskState::kOnline;
  uint64_t capacity_bytes = 0;
  uint64_t live_bytes = 0;
  uint64_t dead_bytes = 0;  // Of segments not yet compacted; reclaimable.
  uint64_t trash_bytes = 0;
  uint64_t free_bytes = 0;
  uint64_t blobs = 0;
  uint64_t handoff_blobs = 0;
  uint64_t handoff_bytes = 0;
  uint64_t corrupt_reads = 0;
  uint64_t damaged_blobs = 0;  // Found damaged and not replaced yet.
  uint64_t segments_active = 0;
  uint64_t segments_free = 0;
  uint64_t segments_sealed = 0;
  uint64_t compactions = 0;
  uint64_t compacted_bytes = 0;
  uint64_t queue_bytes = 0;
  uint64_t large_puts = 0;  // Begun and neither finished nor given up.
};

// Blobs: put, read, listed.
class BlobStorage {
 public:
  virtual ~BlobStorage() = default;

  // A whole blob of at most model::kPieceBytes. An id that is already stored with the same digest
  // is acknowledged again; with another digest: kAlreadyExists. kResourceExhausted: the queue
  // is full. kStorageFull: the disk is. kUnavailable: read-only. kNotFound: the blob was removed,
  // by an order that the request's is not above (see removal_of()): a stream that was judged stays
  // removed, whoever still sends it.
  virtual void put_async(PutRequest request, ByteSlice bytes,
                         std::vector<hash::BlockDigest> digests, PutCallback done) = 0;

  virtual Result<std::unique_ptr<LargePut>> start_large_put(PutRequest request,
                                                            uint64_t length) = 0;

  // The blocks that cover [offset, offset + length), verified. kNotFound; kCorruption (counted, and
  // read again past the page cache before it is believed); kOutOfRange. Trashed blobs are still
  // read.
  virtual Result<ReadResult> read(const model::BlobId& id, uint64_t offset, uint64_t length) = 0;

  // The same when it can be answered from memory; kUnavailable when it would wait for the disk.
  virtual Result<ReadResult> read_cached(const model::BlobId& id, uint64_t offset,
                                         uint64_t length) = 0;

  virtual Result<BlobEntry> stat(const model::BlobId& id) = 0;

  // Is it here, be it in the trash, and not to go as a copy that nobody needs? Cheaper than stat()
  // for what came lately.
  virtual Result<bool> has(const model::BlobId& id) = 0;

  // Entries whose ring hash lies in [from_hash, to_hash], in (hash, id) order, after `after` if it
  // is not zero.
  virtual Result<std::vector<BlobEntry>> list(uint64_t from_hash, uint64_t to_hash,
                                              const model::BlobId& after, size_t max) = 0;

  // Hand-off copies held here, oldest first, behind `after` (default: from the start). Fewer than
  // `max` only at the end.
  virtual Result<std::vector<BlobEntry>> list_handoffs(size_t max, const BlobEntry& after = {}) = 0;

  // Up to `max` of the blobs found damaged and not replaced yet, in turn; survives restarts. A put
  // of the same blob replaces it, and is durable before the blob is taken from the list.
  virtual std::vector<BlobEntry> list_damaged(size_t max) = 0;
};

// What becomes of blobs by orders of the database, and for whom copies are kept.
class BlobOrders {
 public:
  virtual ~BlobOrders() = default;

  // Moves blobs to the trash durably, then calls back with how many were there. Absent ones are
  // fine.
  virtual void remove_async(std::vector<model::BlobId> ids, RemoveOptions options,
                            std::move_only_function<void(Result<uint64_t>)> done) = 0;

  // Takes blobs out of the trash again; how many were there. A lower order than that of the removal
  // changes nothing; a live blob takes the order, so that no older removal gets it later.
  virtual Result<uint64_t> restore(std::vector<model::BlobId> ids, uint64_t order) = 0;

  // The order of the removal by which the blob is in the trash or gone. kNotFound: it is live, or
  // the disk knows of no removal (they are remembered for the journal's period after the trash).
  virtual Result<uint64_t> removal_of(const model::BlobId& id) = 0;

  // The highest order of all removals and restores that the disk took. Survives restarts. Never
  // waits for the disk.
  virtual uint64_t highest_order() = 0;

  // Drops a hand-off mark after the owner has the blob, or sets one. Durable before it returns.
  virtual Result<void> set_handoff(const model::BlobId& id, model::DiskId handoff_for) = 0;
};

// What was stored and removed here, in order, for peers.
class Journal {
 public:
  virtual ~Journal() = default;

  virtual Result<JournalPage> journal_after(JournalToken token, size_t max) = 0;

  // Called (from an engine thread, must not block) whenever the journal has grown.
  virtual void on_journal_growth(std::function<void()> callback) = 0;

  // Not 0: records that were acknowledged may be missing here without trace (rot in the log, a lost
  // index). A greater number than before says it happened again. Survives restarts.
  virtual uint64_t doubts() = 0;
};

// What the disk lacks, kept for whoever fetches it.
class WantedRecords {
 public:
  virtual ~WantedRecords() = default;

  // What the disk lacks, kept for whoever fetches it: durable not later than any setting that is
  // noted afterwards. `no_longer` may name blobs that are not on the list.
  virtual Result<void> note_wanted(std::span<const Wanted> wanted,
                                   std::span<const model::BlobId> no_longer) = 0;

  // By id, behind `after` (zero: from the start).
  virtual Result<std::vector<Wanted>> list_wanted(const model::BlobId& after, size_t max) = 0;
};

// Small durable values of the node beside the blobs: peers' tokens, for example. The ring is a
// file.
class NodeSettings {
 public:
  virtual ~NodeSettings() = default;

  // Durable when it returns.
  virtual Result<void> put_setting(std::string_view key, std::string_view value) = 0;

  // For what may fall back to an older value after a crash: costs no flush.
  virtual Result<void> note_setting(std::string_view key, std::string_view value) = 0;

  virtual Result<std::string> get_setting(std::string_view key) = 0;  // kNotFound
};

// All of a disk. Who needs a part of it takes that part.
class Engine : public BlobStorage,
               public BlobOrders,
               public Journal,
               public WantedRecords,
               public NodeSettings {
 public:
  // Opens or makes the disk and recovers; an index that is gone or damaged is made again from the
  // segments, and a sector that cannot be read costs what it holds. kPrecondition: another
  // cluster's folder, another disk's, or (options.disk given) none's. kAlreadyExists: another
  // process has it open. kCorruption: the superblock is damaged.
  static Result<std::unique_ptr<Engine>> open(fs::FileSystem& fs, EngineOptions options);

  ~Engine() override = default;  // Waits for its threads; what was not acknowledged may be lost.

  virtual model::DiskId disk_id() const = 0;

  // How long background traffic waits before it moves `bytes` on the disk, read or written: those
  // bytes count from then on (EngineOptions::background_bytes_per_second). Never waits itself.
  virtual Duration pace_background(uint64_t bytes) {
    (void)bytes;
    return Duration::zero();
  }

  // Never waits for the disk.
  virtual EngineStatus status() = 0;

  // One round of purging, compaction of at most one segment, and release of empty ones; bytes given
  // back. Also runs by itself.
  virtual Result<uint64_t> compact_once() = 0;
};

}  // namespace rondel::engine
