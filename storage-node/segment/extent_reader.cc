#include "storage-node/segment/extent_reader.h"

#include <array>
#include <vector>

namespace rondel::segment {
namespace {

uint64_t trailer_offset(const RecordHeader& extent) {
  return extent.extent_offset + kBlock + round_up(extent.length, kBlock);
}

}  // namespace

Result<std::optional<FoundExtent>> ExtentReader::next() {
  while (position_ + kBlock <= segment_bytes_) {
    const uint64_t at = position_;
    TRY(const auto record, record_at(at));
    if (!record) {
      position_ += kBlock;
      continue;
    }
    // The header is gone, or the walk came here block by block: a trailer tells of what lies before
    // it.
    const bool is_trailer = record->extent_offset != at;
    position_ = is_trailer ? at + trailer_bytes(record->length) : at + extent_bytes(record->length);
    TRY(const auto trailer, trailer_of(*record));
    if (is_trailer && !trailer) continue;
    return FoundExtent{record->extent_offset, trailer ? *trailer : *record, trailer.has_value()};
  }
  return std::nullopt;
}

Result<bool> ExtentReader::read(uint64_t at, std::span<std::byte> out) {
  const auto got = file_.read_at(at, out);
  if (!got && got.error().code != ErrorCode::kInternal) return std::unexpected(got.error());
  if (!got) ++unreadable_;
  return got && *got == out.size();
}

Result<std::optional<RecordHeader>> ExtentReader::record_at(uint64_t at) {
  std::array<std::byte, kRecordHeaderBytes> bytes;
  TRY(const bool got, read(at, bytes));
  const auto record = got ? decode_record_header(bytes, salt_) : std::nullopt;
  if (!record || record->kind != RecordKind::kLarge) return std::nullopt;
  const bool here =
      record->extent_segment == header_.segment && record->extent_generation == header_.generation;
  if (!here || record->length == 0 || record->length > model::kChunkBytes) return std::nullopt;
  const bool fits = record->extent_offset >= kBlock && record->extent_offset % kBlock == 0 &&
                    record->extent_offset < segment_bytes_ &&
                    extent_bytes(record->length) <= segment_bytes_ - record->extent_offset;
  if (!fits || (record->extent_offset != at && trailer_offset(*record) != at)) return std::nullopt;
  return record;
}

Result<std::optional<RecordHeader>> ExtentReader::trailer_of(const RecordHeader& extent) {
  const uint32_t blocks = block_count(extent.length);
  std::vector<std::byte> bytes(kRecordHeaderBytes + 8ull * blocks);
  TRY(const bool got, read(trailer_offset(extent), bytes));
  const auto trailer = got ? decode_record_header(bytes, salt_) : std::nullopt;
  if (!trailer || trailer->id != extent.id || trailer->length != extent.length ||
      trailer->blocks != blocks) {
    return std::nullopt;
  }
  if (trailer->extent_offset != extent.extent_offset) return std::nullopt;
  const auto digests = decode_digests(ByteView(bytes).subspan(kRecordHeaderBytes));
  if (hash::blob_digest(digests) != trailer->digest) return std::nullopt;
  return trailer;
}

}  // namespace rondel::segment
