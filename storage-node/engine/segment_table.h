// SegmentTable: which segments a disk has, what is in them, and which are free.
//
// Safe for concurrent use. Its mutex is held over memory alone: only load(), settle(), start() and
// measure() wait for the disk, so that reads, heartbeats and metrics never do.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "common/base/result.h"
#include "common/fs/file_system.h"
#include "storage-node/index/index.h"
#include "storage-node/segment/format.h"

namespace rondel::engine {

struct SegmentTotals {
  uint64_t live_bytes = 0;
  uint64_t trash_bytes = 0;
  uint64_t dead_bytes = 0;  // Of sealed segments.
  uint64_t free_bytes = 0;
  uint64_t active = 0;
  uint64_t free = 0;
  uint64_t sealed = 0;
};

// While it lives its segment is not given back: held by whoever may still write there.
using SegmentHold = std::shared_ptr<const void>;

class SegmentTable {
 public:
  enum class State { kFree, kActive, kSealed };
  // Kept for what frees space: deletes, compaction.
  static constexpr size_t kReserved = 2;

  SegmentTable(fs::FileSystem& fs, std::string folder, model::DiskId disk, uint64_t segment_bytes,
               size_t segments_max);

  // Reads every segment's header. Those with one are sealed. A header that is blank, damaged or
  // cannot be read follows from what lies behind it; where nothing does, add() may still find blobs
  // there, until settle().
  Result<void> load();
  // After everything the index knows was added: segments without a header and with nothing in them
  // are free. Headers that followed from what lies behind them are written anew.
  void settle();

  // Headers that load() found damaged or unreadable, and segments that it could not open.
  uint64_t damaged_headers() const { return damaged_headers_; }

  // The index is counted anew: nothing is in any segment.
  void forget_counts();
  // Some segment holds, or held, something.
  bool any_used() const;
  // Headers of log segments by first sequence; of bulk segments by generation.
  std::vector<segment::SegmentHeader> logs() const;
  // As logs(), with logs that were freed and not used again since (kFreedLog): what is stored there
  // is gone, but orders may stand there alone.
  std::vector<segment::SegmentHeader> logs_and_freed() const;
  std::vector<segment::SegmentHeader> bulks() const;

  // Takes a free segment (or makes one) and writes its header durably; waits for the disk.
  // kStorageFull: none is left, or the file system is full; nothing has changed.
  Result<segment::SegmentHeader> start(segment::SegmentKind kind, uint64_t first_sequence,
                                       bool from_reserve);
  // Would start() find a segment? By what is known of the file system.
  bool can_start(bool from_reserve) const;
  // Nothing more is written into it, nothing lies behind `end`.
  void seal(uint32_t id, uint64_t end);
  SegmentHold hold(uint32_t id) const;
  // Makes a sealed segment free, durably: an index that is made again finds no blob there. Waits
  // for the disk; after an error the segment is as it was. REQUIRES: nothing refers to it, and the
  // index is flushed.
  Result<void> release(uint32_t id);

  // For reading and buffered writing; null when this use of the segment is over.
  std::shared_ptr<fs::File> file(uint32_t id, uint64_t generation) const;
  // For reading, also of a log that was freed and not used again.
  std::shared_ptr<fs::File> log_file(const segment::SegmentHeader& header) const;
  std::string path(uint32_t id) const;
  // The place lies in the use of its segment that is there now, be it readable or not.
  bool is_current(const index::Location& at) const;

  void add(const index::Location& at, bool trashed, int sign);

  // Sealed segments without anything in them that nobody holds: nothing comes into them again.
  std::vector<segment::SegmentHeader> find_empty(SteadyTime now) const;
  // Not among those of find_empty() until then.
  void keep_empty(uint32_t id, SteadyTime until);
  // The sealed segment with the most garbage above `ratio` that has something to move and is not
  // held.
  std::optional<segment::SegmentHeader> find_garbage(double ratio, SteadyTime now) const;
  // Not a candidate for find_garbage() until then.
  void pass_over(uint32_t id, SteadyTime until);
  bool is_empty(uint32_t id) const;

  // By the space that the file system had at the last measure().
  SegmentTotals totals() const;
  bool full() const;

  // What the file system must keep free for the index.
  uint64_t index_reserve_bytes() const { return index_reserve_; }

  // Asks the file system what it has; waits for the disk.
  Result<fs::Space> measure();
  // The free segment was written before: all its blocks are on the disk.
  bool was_used(uint32_t id) const;

 private:
  struct Segment {
    State state = State::kFree;
    segment::SegmentHeader header;  // Generation 0: this use is over, or not begun.
    // Of the use before, while the segment is free. Generation 0: not known.
    segment::SegmentHeader freed;
    std::shared_ptr<fs::File> file;  // Null: not made yet, or it cannot be opened.
    std::shared_ptr<const int> held = std::make_shared<const int>(0);  // By one: nobody else.
    uint64_t live_bytes = 0;
    uint64_t trash_bytes = 0;
    // Of its end, since it was sealed by this process: no garbage, as no extent fitted there.
    uint64_t unused_bytes = 0;
    bool allocated = false;  // Writing it cannot run out of space.
    bool used_before = false;
    bool headless = false;     // Its header is not known yet.
    bool mend_header = false;  // It is known and must be written anew.
    bool broken = false;       // Cannot be opened: what is in it is damaged, nothing comes into it.
    SteadyTime passed_over_until{};
    SteadyTime kept_empty_until{};

    uint64_t kept_bytes() const { return live_bytes + trash_bytes; }

    uint64_t kept_or_unused_bytes() const { return kept_bytes() + unused_bytes; }

    bool is_held() const { return held.use_count() > 1; }
  };

  Segment load_one(uint32_t id);
  std::optional<segment::SegmentHeader> identify(fs::File& file, uint32_t id) const;
  Result<segment::SegmentHeader> take(segment::SegmentKind kind, uint64_t first_sequence,
                                      bool from_reserve);
  Result<std::shared_ptr<fs::File>> begin(const segment::SegmentHeader& header,
                                          std::shared_ptr<fs::File> file, bool allocated);
  size_t available_locked() const REQUIRES(mutex_);
  uint64_t unmade_locked() const REQUIRES(mutex_);
  std::vector<segment::SegmentHeader> headers(segment::SegmentKind kind) const;

  fs::FileSystem& fs_;
  const std::string folder_;
  const model::DiskId disk_;
  const uint64_t segment_bytes_;
  const size_t segments_max_;
  uint64_t index_reserve_ = 0;
  uint64_t damaged_headers_ = 0;
  std::atomic<uint64_t> file_system_free_{0};
  mutable Mutex mutex_;
  std::map<uint32_t, Segment> segments_ GUARDED_BY(mutex_);
  uint64_t last_generation_ GUARDED_BY(mutex_) = 0;
};

}  // namespace rondel::engine
