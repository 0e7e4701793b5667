// SegmentTable: which segments a disk has, what is in them, and which are free. Safe for concurrent use.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/fs/file_system.h"
#include "storage-node/index/index.h"
#include "storage-node/segment/format.h"

namespace rondel::engine {

struct SegmentTotals {
  uint64_t live_bytes = 0;
  uint64_t trash_bytes = 0;
  uint64_t dead_bytes = 0;     // Of sealed segments.
  uint64_t free_bytes = 0;
  uint64_t active = 0;
  uint64_t free = 0;
  uint64_t sealed = 0;
};

class SegmentTable {
 public:
  enum class State { kFree, kActive, kSealed };
  // Kept for what frees space: deletes, compaction.
  static constexpr size_t kReserved = 2;

  SegmentTable(fs::FileSystem& fs, std::string folder, model::DiskId disk, uint64_t segment_bytes, size_t segments_max);

  // Reads every segment's header. Those with one are sealed; blank ones are free. A damaged header keeps its segment until
  // settle(): if add() finds blobs in it, its header follows from them.
  Result<void> load();
  // After everything the index knows was added: segments with a damaged header and nothing in them are free.
  void settle();
  // Some segment holds, or held, something.
  bool any_used() const;
  // Headers of log segments by first sequence; of bulk segments by generation.
  std::vector<segment::SegmentHeader> logs() const;
  std::vector<segment::SegmentHeader> bulks() const;

  // Takes a free segment (or makes one) and writes its header durably. kResourceExhausted: none is left.
  Result<segment::SegmentHeader> start(segment::SegmentKind kind, uint64_t first_sequence, bool from_reserve);
  void seal(uint32_t id);
  // Makes a sealed segment free. REQUIRES: nothing refers to it, and the index is flushed.
  void release(uint32_t id);

  // For reading and buffered writing; null when this use of the segment is over.
  std::shared_ptr<fs::File> file(uint32_t id, uint64_t generation) const;
  std::string path(uint32_t id) const;

  void add(const index::Location& at, bool trashed, int sign);

  // Sealed segments without anything in them: nothing comes into them again.
  std::vector<uint32_t> find_empty() const;
  // The sealed segment with the most garbage above `ratio`.
  std::optional<segment::SegmentHeader> find_garbage(double ratio) const;
  void pass_over(uint32_t id, SteadyTime until);
  bool is_empty(uint32_t id) const;

  SegmentTotals totals() const;
  bool full() const;
  // What the file system must keep free for the index.
  uint64_t index_reserve_bytes() const { return index_reserve_; }
  Result<fs::Space> space() const { return fs_.space(folder_); }
  // The free segment was written before: all its blocks are on the disk.
  bool was_used(uint32_t id) const;

 private:
  struct Segment {
    State state = State::kFree;
    segment::SegmentHeader header;
    std::shared_ptr<fs::File> file;
    uint64_t live_bytes = 0;
    uint64_t trash_bytes = 0;
    bool used_before = false;
    bool headless = false;
    SteadyTime passed_over_until{};
  };

  Result<uint32_t> make_locked();
  std::vector<segment::SegmentHeader> headers(segment::SegmentKind kind) const;

  fs::FileSystem& fs_;
  const std::string folder_;
  const model::DiskId disk_;
  const uint64_t segment_bytes_;
  const size_t segments_max_;
  uint64_t index_reserve_ = 0;
  mutable std::mutex mutex_;
  std::map<uint32_t, Segment> segments_;
  uint64_t last_generation_ = 0;
};

}  // namespace rondel::engine
