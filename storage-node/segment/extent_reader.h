// ExtentReader: the extents of a bulk segment in order, as recovery and compaction read them.
#pragma once

#include <optional>

#include "common/base/result.h"
#include "common/fs/file_system.h"
#include "storage-node/segment/format.h"

namespace rondel::segment {

struct FoundExtent {
  uint64_t offset = 0;  // In the segment.
  RecordHeader header;  // Of the trailer where it is complete.
  // It has a trailer that fits, with digests that do. Its bytes are not looked at.
  bool complete = false;
};

class ExtentReader {
 public:
  ExtentReader(fs::File& file, const SegmentHeader& header, uint64_t segment_bytes)
      : file_(file),
        header_(header),
        salt_(salt_of(header.disk, header.generation)),
        segment_bytes_(segment_bytes) {}

  // The next extent; nullopt at the end. What is damaged or cannot be read is passed over block by
  // block; an extent whose header is gone is found by its trailer. Errors: others than of a sector.
  Result<std::optional<FoundExtent>> next();

  // Reads that the medium refused.
  uint64_t unreadable() const { return unreadable_; }

 private:
  Result<bool> read(uint64_t at, std::span<std::byte> out);
  // A record at `at` that belongs to an extent of this use of the segment.
  Result<std::optional<RecordHeader>> record_at(uint64_t at);
  Result<std::optional<RecordHeader>> trailer_of(const RecordHeader& extent);

  fs::File& file_;
  const SegmentHeader header_;
  const uint64_t salt_;
  const uint64_t segment_bytes_;
  uint64_t position_ = kBlock;
  uint64_t unreadable_ = 0;
};

}  // namespace rondel::segment
