#include "storage-node/segment/format.h"

#include <algorithm>

#include "common/hash/hash64.h"

namespace rondel::segment {
namespace {

constexpr uint64_t kSegmentMagic = 0x3147455345444e52;  // "RNDESEG1"
constexpr uint32_t kBatchMagic = 0x31544142;            // "BAT1"
constexpr uint32_t kRecordMagic = 0x31434552;           // "REC1"
constexpr int kMoved = 1, kDropped = 2;                 // Flags of a record.

template <class Id>
void store_id(std::byte* out, const Id& id) {
  std::ranges::copy(id.bytes, out);
}

bool is_order(RecordKind kind) {
  return kind == RecordKind::kRemove || kind == RecordKind::kRestore;
}

model::DiskId load_disk(const std::byte* from) {
  return model::DiskId::from_bytes({from, model::DiskId::kBytes}).value();
}

}  // namespace

std::string encode(const SegmentHeader& header) {
  std::string block(kBlock, '\0');
  auto* out = reinterpret_cast<std::byte*>(block.data());
  store_le(out, kSegmentMagic);
  store_le(out + 8, header.segment);
  store_le(out + 12, static_cast<uint32_t>(header.kind));
  store_le(out + 16, header.generation);
  store_le(out + 24, header.first_sequence);
  store_id(out + 32, header.disk);
  store_le(out + 48, hash::hash64({out, 48}));
  return block;
}

std::optional<SegmentHeader> decode_segment_header(ByteView block) {
  if (block.size() < 56 || load_le<uint64_t>(block.data()) != kSegmentMagic) return std::nullopt;
  if (load_le<uint64_t>(block.data() + 48) != hash::hash64(block.first(48))) return std::nullopt;
  SegmentHeader header;
  header.segment = load_le<uint32_t>(block.data() + 8);
  header.kind = static_cast<SegmentKind>(load_le<uint32_t>(block.data() + 12));
  header.generation = load_le<uint64_t>(block.data() + 16);
  header.first_sequence = load_le<uint64_t>(block.data() + 24);
  header.disk = load_disk(block.data() + 32);
  return header;
}

uint64_t salt_of(const model::DiskId& disk, uint64_t generation) {
  return hash::hash64(disk.view(), generation);
}

void encode(const BatchHeader& header, uint64_t salt, std::span<std::byte> out) {
  std::fill_n(out.begin(), kBatchHeaderBytes, std::byte{0});
  store_le(out.data(), kBatchMagic);
  store_le(out.data() + 4, header.records);
  store_le(out.data() + 8, header.generation);
  store_le(out.data() + 16, header.sequence);
  store_le(out.data() + 24, header.bytes);
  store_le(out.data() + 32, header.body_hash);
  store_le(out.data() + 40, hash::hash64(ByteView(out.data(), 40), salt));
}

std::optional<BatchHeader> decode_batch_header(ByteView bytes, uint64_t salt) {
  if (bytes.size() < kBatchHeaderBytes || load_le<uint32_t>(bytes.data()) != kBatchMagic) {
    return std::nullopt;
  }
  if (load_le<uint64_t>(bytes.data() + 40) != hash::hash64(bytes.first(40), salt)) {
    return std::nullopt;
  }
  BatchHeader header;
  header.records = load_le<uint32_t>(bytes.data() + 4);
  header.generation = load_le<uint64_t>(bytes.data() + 8);
  header.sequence = load_le<uint64_t>(bytes.data() + 16);
  header.bytes = load_le<uint64_t>(bytes.data() + 24);
  header.body_hash = load_le<uint64_t>(bytes.data() + 32);
  if (header.bytes < kBatchHeaderBytes) return std::nullopt;
  return header;
}

void encode(const RecordHeader& header, uint64_t salt, std::span<std::byte> out) {
  std::byte* at = out.data();
  std::fill_n(at, kRecordHeaderBytes, std::byte{0});
  store_le(at, kRecordMagic);
  at[4] = static_cast<std::byte>(header.kind);
  at[5] = static_cast<std::byte>((header.moved ? kMoved : 0) | (header.dropped ? kDropped : 0));
  store_le(at + 8, header.bytes);
  store_le(at + 12, header.blocks);
  std::ranges::copy(header.id.bytes(), at + 16);
  store_le(at + 32, header.length);
  store_le(at + 40, is_order(header.kind) ? header.purge_elapsed_us : header.ring_epoch);
  store_le(at + 48, header.created_us);
  store_le(at + 56, header.received_us);
  store_le(at + 64, header.digest.low);
  store_le(at + 72, header.digest.high);
  store_id(at + 80, header.handoff_for);
  store_le(at + 96, header.extent_segment);
  store_le(at + 104, is_order(header.kind) ? header.order : header.extent_generation);
  store_le(at + 112, is_order(header.kind) ? header.purge_at_us : header.extent_offset);
  store_le(at + 120, hash::hash64(ByteView(at, 120), salt));
}

std::optional<RecordHeader> decode_record_header(ByteView bytes, uint64_t salt) {
  if (bytes.size() < kRecordHeaderBytes || load_le<uint32_t>(bytes.data()) != kRecordMagic) {
    return std::nullopt;
  }
  if (load_le<uint64_t>(bytes.data() + 120) != hash::hash64(bytes.first(120), salt)) {
    return std::nullopt;
  }
  const std::byte* at = bytes.data();
  RecordHeader header;
  header.kind = static_cast<RecordKind>(at[4]);
  header.moved = (std::to_integer<int>(at[5]) & kMoved) != 0;
  header.dropped = (std::to_integer<int>(at[5]) & kDropped) != 0;
  header.bytes = load_le<uint32_t>(at + 8);
  header.blocks = load_le<uint32_t>(at + 12);
  header.id = model::BlobId::from_bytes(at + 16);
  header.length = load_le<uint64_t>(at + 32);
  const bool order = is_order(header.kind);
  (order ? header.purge_elapsed_us : header.ring_epoch) = load_le<uint64_t>(at + 40);
  header.created_us = load_le<uint64_t>(at + 48);
  header.received_us = load_le<uint64_t>(at + 56);
  header.digest = {load_le<uint64_t>(at + 64), load_le<uint64_t>(at + 72)};
  header.handoff_for = load_disk(at + 80);
  header.extent_segment = load_le<uint32_t>(at + 96);
  (order ? header.order : header.extent_generation) = load_le<uint64_t>(at + 104);
  (order ? header.purge_at_us : header.extent_offset) = load_le<uint64_t>(at + 112);
  const bool known = header.kind >= RecordKind::kPut && header.kind <= RecordKind::kHandoff;
  if (!known || header.bytes < kRecordHeaderBytes + 8ull * header.blocks) return std::nullopt;
  return header;
}

// Both structures name the generation that their check value is salted with.
std::optional<SegmentHeader> identify(ByteView block, const model::DiskId& disk, uint32_t segment) {
  if (block.size() < kRecordHeaderBytes) return std::nullopt;
  const auto batch_generation = load_le<uint64_t>(block.data() + 8);
  if (const auto batch = decode_batch_header(block, salt_of(disk, batch_generation))) {
    return SegmentHeader{segment, SegmentKind::kLog, batch->generation, batch->sequence, disk};
  }
  const auto extent_generation = load_le<uint64_t>(block.data() + 104);
  const auto record = decode_record_header(block, salt_of(disk, extent_generation));
  if (!record || record->kind != RecordKind::kLarge || record->extent_segment != segment) {
    return std::nullopt;
  }
  return SegmentHeader{segment, SegmentKind::kBulk, record->extent_generation, 0, disk};
}

void encode_digests(std::span<const hash::BlockDigest> digests, std::byte* out) {
  for (const hash::BlockDigest digest : digests) {
    store_le(out, digest);
    out += sizeof digest;
  }
}

std::vector<hash::BlockDigest> decode_digests(ByteView bytes) {
  std::vector<hash::BlockDigest> digests(bytes.size() / 8);
  for (size_t i = 0; i < digests.size(); ++i) digests[i] = load_le<uint64_t>(bytes.data() + 8 * i);
  return digests;
}

}  // namespace rondel::segment
