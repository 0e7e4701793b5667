// Index: where each blob of a disk lies, and the orders it is asked in. docs/formats/index.md.
//
// On RocksDB without log: what is applied becomes durable with the next flush(); the marks that
// every batch carries then say from which log sequence replay must start, one for the journal and
// one for the rest. Safe for concurrent use, but batches are applied by one thread at a time.
// Errors: kInternal (RocksDB's words), kCorruption (also what cannot be read): the index must be
// made again.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/fs/io_watch.h"
#include "common/hash/block_digest.h"
#include "common/model/ids.h"

namespace rondel::index {

// Bytes of a blob's record or extent on the disk.
struct Location {
  uint32_t segment = 0;
  uint64_t generation = 0;  // Of the segment when it was written.
  uint64_t offset = 0;
  uint64_t bytes = 0;  // Occupied there, padding included.
  bool large = false;  // An extent of its own, not a record of the log.

  bool operator==(const Location&) const = default;
};

struct Entry {
  model::BlobId id;
  Location at;
  uint64_t length = 0;
  hash::BlobDigest digest;
  uint64_t ring_epoch = 0;
  uint64_t created_us = 0;
  uint64_t received_us = 0;
  model::DiskId handoff_for;
  // Not 0: in the trash, and to be purged when both clocks have come so far: the wall clock, and
  // the time that the disk has been in use (Engine's elapsed clock).
  uint64_t purge_at_us = 0;
  uint64_t purge_elapsed_us = 0;
  // Of the last removal or restore, a number that the database gave; 0: there was none.
  uint64_t order = 0;
  // In the trash because this disk needs no copy any more: that says nothing about the blob.
  bool dropped = false;

  bool trashed() const { return purge_at_us != 0; }

  bool operator==(const Entry&) const = default;
};

struct JournalRecord {
  uint64_t token = 0;
  bool removed = false;
  Entry entry;              // Without location.
  uint64_t flushed_us = 0;  // By the wall clock,
  uint64_t elapsed_us = 0;  // and by the time that the disk has been in use.
};

// What is kept of a blob that was removed and is not here (any more): no copy whose order is not
// higher comes back. Kept until `marked_us` and `elapsed_us` are both past by the journal period.
struct Removal {
  model::BlobId id;
  uint64_t order = 0;       // Of the removal.
  uint64_t marked_us = 0;   // By the wall clock,
  uint64_t elapsed_us = 0;  // and by the time that the disk has been in use.

  bool operator==(const Removal&) const = default;
};

// A blob that the disk should hold and lacks, or holds damaged.
struct Wanted {
  // Stored numbers: never changed.
  enum class Why : uint8_t { kJournal = 1, kCompared = 2, kDamaged = 3 };

  model::BlobId id;
  uint64_t length = 0;
  uint64_t created_us = 0;   // By the maker's clock.
  uint64_t order = 0;        // Of the last restore, as far as it is known.
  uint64_t found_us = 0;     // When it was first seen to lack, by the node's clock.
  uint64_t next_try_us = 0;  // By the node's clock.
  uint32_t tries = 0;
  Why why = Why::kJournal;
  model::DiskId told_by;  // Who is known to have it, asked first; not stored, zero: nobody is.

  bool operator==(const Wanted&) const = default;
};

struct IndexOptions {
  std::string path;
  uint64_t memtable_bytes = 8ull << 20;
  uint64_t block_cache_bytes = 32ull << 20;
  bool lose_unflushed_at_close = false;  // Tests: closing is a crash.
  fs::IoWatch* watch = nullptr;          // Sees every call that may wait for the disk.
  // Told of every kCorruption, and of damage that RocksDB meets in the background; from any thread,
  // must not block.
  std::function<void(const std::string& what)> on_damage;
};

// A part of the trash.
struct TrashPage {
  std::vector<model::BlobId> ids;  // To be purged.
  // Where to go on; empty: from the start, for this was the end of what is due by the wall clock.
  std::string next;
};

class Index {
 public:
  static Result<std::unique_ptr<Index>> open(const IndexOptions& options);
  virtual ~Index() = default;

  // Changes that become visible together.
  class Batch {
   public:
    virtual ~Batch() = default;
    // Stores `now`; `before` is what the index holds for the blob, if anything: readers disagree
    // for a while where that is not true. A live entry whose order is higher than that of `before`
    // ends a removal of lower order that was kept of the blob, or is kept with this batch.
    virtual void store(const Entry& now, const std::optional<Entry>& before) = 0;
    virtual void erase(const Entry& before) = 0;
    virtual void append_journal(const JournalRecord& record) = 0;
    // Replaces what was kept of the same blob.
    virtual void keep_removal(const Removal& removal) = 0;
    // highest_order() is at least this from now on.
    virtual void raise_order(uint64_t order) = 0;
    // Everything up to this log sequence is applied with this batch.
    virtual void mark(uint64_t sequence) = 0;
    // Of a batch that tells the journal again what the rest has already: the journal alone is
    // complete up to here.
    virtual void mark_journal(uint64_t sequence) = 0;
  };

  virtual std::unique_ptr<Batch> new_batch() = 0;
  // kStorageFull: the file system is full and nothing was applied or flushed; the same works
  // some seconds after it has space again.
  virtual Result<void> apply(Batch& batch) = 0;
  virtual Result<void> flush() = 0;

  virtual Result<std::optional<Entry>> find(const model::BlobId& id) = 0;
  // kUnavailable when it would wait for the disk.
  virtual Result<std::optional<Entry>> find_cached(const model::BlobId& id) = 0;
  // The journal is flushed by itself, also when nobody asks: after a crash it may hold less or more
  // than the rest. mark() is for all but the journal. flush() makes both durable.
  virtual Result<uint64_t> mark() = 0;
  virtual Result<uint64_t> journal_mark() = 0;

  // In (ring hash, id) order, from `from_hash` or behind `after` if it is not zero; stops when
  // `visit` returns false.
  virtual Result<void> visit(uint64_t from_hash, const model::BlobId& after,
                             const std::function<bool(const Entry&)>& visit) = 0;
  // Oldest first, behind the one received then with that id (0 and zero: from the start).
  virtual Result<std::vector<model::BlobId>> handoffs(uint64_t after_us, const model::BlobId& after,
                                                      size_t max) = 0;
  // What is in the trash and due by both clocks, from where an earlier page ended. Looks at 16,384
  // entries at most: those that are due by one clock alone hold up nothing and cost no more.
  virtual Result<TrashPage> purgeable(uint64_t now_us, uint64_t elapsed_us, const std::string& from,
                                      size_t max) = 0;

  virtual Result<std::vector<JournalRecord>> journal_after(uint64_t token, size_t max) = 0;
  // The token of the oldest record that was ever dropped; 0 = none.
  virtual Result<uint64_t> journal_dropped() = 0;
  // The records at the old end that are older than both, by the wall clock and by the time that the
  // disk was in use.
  virtual Result<void> drop_journal(uint64_t flushed_before_us, uint64_t elapsed_before_us) = 0;
  // Drops everything up to a token, whatever is there.
  virtual Result<void> forget_journal(uint64_t token) = 0;

  virtual Result<std::optional<Removal>> find_removal(const model::BlobId& id) = 0;
  // By id, behind `after` (zero: from the start).
  virtual Result<std::vector<Removal>> list_removals(const model::BlobId& after, size_t max) = 0;
  // Looks at `max` removals behind `after` (zero: from the start) and drops those marked before
  // both times. The last one looked at; zero at the end.
  virtual Result<model::BlobId> drop_removals(const model::BlobId& after, uint64_t marked_before_us,
                                              uint64_t elapsed_before_us, size_t max) = 0;
  // Of all removals and restores that the disk ever took; 0: there was none.
  virtual Result<uint64_t> highest_order() = 0;

  // Durable with the next flush, and never later than a setting that is noted afterwards. Any
  // thread.
  virtual Result<void> note_wanted(std::span<const Wanted> wanted,
                                   std::span<const model::BlobId> no_longer) = 0;
  // By id, behind `after` (zero: from the start).
  virtual Result<std::vector<Wanted>> list_wanted(const model::BlobId& after, size_t max) = 0;

  // Durable at once: flushes. For what is small and rarely written.
  virtual Result<void> put_setting(std::string_view key, std::string_view value) = 0;
  // Durable with the next flush, whoever asks for it: for what may fall back to an older value. Any
  // thread.
  virtual Result<void> note_setting(std::string_view key, std::string_view value) = 0;
  virtual Result<std::string> get_setting(std::string_view key) = 0;
  // Takes over from another index what does not follow from segments, as far as it can be read
  // there: settings but for one, removals, what is wanted, the highest order.
  virtual Result<void> take_rest(Index& from, std::string_view but_for_setting) = 0;
};

}  // namespace rondel::index
