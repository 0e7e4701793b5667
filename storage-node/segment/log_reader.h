// LogReader: the batches of a log segment in order, as recovery and compaction read them.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/fs/file_system.h"
#include "storage-node/segment/format.h"

namespace rondel::segment {

struct LogRecord {
  RecordHeader header;
  uint64_t offset = 0;  // In the segment.
  ByteView bytes;       // The whole record; valid until the next call.
};

struct LogBatch {
  uint64_t sequence = 0;
  uint64_t end = 0;  // Offset of the next batch.
  std::vector<LogRecord> records;
};

class LogReader {
 public:
  LogReader(fs::File& file, SegmentHeader header, uint64_t segment_bytes)
      : file_(file),
        header_(header),
        salt_(salt_of(header.disk, header.generation)),
        segment_bytes_(segment_bytes),
        next_sequence_(header.first_sequence) {}

  // The next batch; nullptr at the end. A sector that cannot be read is as good as a damaged one. A
  // batch that does not read is passed over when a later one of this use follows: it was flushed
  // before that one was written, so what it held was acknowledged and is damaged, not torn.
  // Otherwise it is the torn tail and the log ends before it; where its sectors cannot be read it
  // may be either (unreadable_at_end()).
  Result<const LogBatch*> next();

  uint64_t position() const { return position_; }  // Behind the last batch returned.

  uint64_t damaged() const { return damaged_; }  // Batches passed over.

  bool damaged_above(uint64_t sequence) const { return last_damaged_ > sequence; }

  // Reads that the medium refused; those behind the last batch, where there may have been another
  // one.
  uint64_t unreadable() const { return unreadable_; }

  uint64_t unreadable_at_end() const { return unreadable_at_end_; }

 private:
  Result<bool> read(uint64_t position, std::span<std::byte> out);
  Result<bool> read_batch(uint64_t position);
  Result<bool> skip_damage();

  fs::File& file_;
  const SegmentHeader header_;
  const uint64_t salt_;
  const uint64_t segment_bytes_;
  uint64_t position_ = kBlock;
  uint64_t next_sequence_;
  uint64_t damaged_ = 0;
  uint64_t last_damaged_ = 0;
  uint64_t unreadable_ = 0;
  uint64_t unreadable_at_end_ = 0;
  std::vector<std::byte> buffer_;
  LogBatch batch_;
};

}  // namespace rondel::segment
