#include "storage-node/segment/log_reader.h"

#include <array>
#include <limits>

#include "common/hash/hash64.h"

namespace rondel::segment {

Result<const LogBatch*> LogReader::next() {
  const uint64_t unreadable_before = unreadable_;
  TRY(bool found, read_batch(position_));
  if (!found) {
    TRY(found, skip_damage());
  }
  if (!found) {
    unreadable_at_end_ = unreadable_ - unreadable_before;
    return nullptr;
  }
  position_ = batch_.end;
  next_sequence_ = batch_.sequence + 1;
  return &batch_;
}

// False: these bytes are not there, or the medium does not give them.
Result<bool> LogReader::read(uint64_t position, std::span<std::byte> out) {
  const auto got = file_.read_at(position, out);
  if (!got && got.error().code != ErrorCode::kInternal) return std::unexpected(got.error());
  if (!got) ++unreadable_;
  return got && *got == out.size();
}

Result<bool> LogReader::read_batch(uint64_t position) {
  if (position + kBlock > segment_bytes_) return false;
  std::array<std::byte, kBatchHeaderBytes> head;
  TRY(const bool got, read(position, head));
  const auto header = got ? decode_batch_header(head, salt_) : std::nullopt;
  if (!header || header->generation != header_.generation || header->sequence < next_sequence_) {
    return false;
  }
  // Nothing could follow.
  if (header->sequence == std::numeric_limits<uint64_t>::max()) return false;
  if (header->bytes < kBatchHeaderBytes || header->bytes > segment_bytes_ - position) return false;
  buffer_.resize(header->bytes);
  TRY(const bool whole, read(position, buffer_));
  const ByteView bytes(buffer_);
  if (!whole || hash::hash64(bytes.subspan(kBatchHeaderBytes), salt_) != header->body_hash) {
    return false;
  }
  batch_.sequence = header->sequence;
  batch_.end = position + round_up(header->bytes, kBlock);
  batch_.records.clear();
  uint64_t at = kBatchHeaderBytes;
  for (uint32_t i = 0; i < header->records; ++i) {
    const auto record =
        at < bytes.size() ? decode_record_header(bytes.subspan(at), salt_) : std::nullopt;
    if (!record || record->bytes > bytes.size() - at) return false;
    batch_.records.push_back({*record, position + at, bytes.subspan(at, record->bytes)});
    at += round_up(record->bytes, kRecordAlignment);
  }
  return true;
}

Result<bool> LogReader::skip_damage() {
  for (uint64_t at = position_ + kBlock; at + kBlock <= segment_bytes_; at += kBlock) {
    std::array<std::byte, kBatchHeaderBytes> head;
    TRY(const bool got, read(at, head));
    const auto header = got ? decode_batch_header(head, salt_) : std::nullopt;
    if (!header || header->generation != header_.generation || header->sequence <= next_sequence_) {
      continue;
    }
    TRY(const bool whole, read_batch(at));
    if (!whole) continue;
    damaged_ += header->sequence - next_sequence_;
    last_damaged_ = header->sequence - 1;
    return true;
  }
  return false;
}

}  // namespace rondel::segment
