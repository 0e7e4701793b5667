// Segments on disk, byte by byte: docs/formats/segment.md. Pure functions over memory.
//
// A segment is a file of fixed size. Block 0 is its header. A log segment then holds batches of
// records, each batch on a fresh 4 KiB block; a bulk segment holds extents of one large blob each:
// header block, bytes, trailer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/hash/block_digest.h"
#include "common/model/ids.h"

namespace rondel::segment {

inline constexpr uint64_t kBlock = 4096;
inline constexpr size_t kBatchHeaderBytes = 64;
inline constexpr size_t kRecordHeaderBytes = 128;
inline constexpr size_t kRecordAlignment = 64;

constexpr uint64_t round_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

// The last two are of segments whose use is over: nothing lies there any more that the index refers
// to.
enum class SegmentKind : uint8_t { kLog = 1, kBulk = 2, kFreedLog = 3, kFreedBulk = 4 };

constexpr bool is_freed(SegmentKind kind) {
  return kind == SegmentKind::kFreedLog || kind == SegmentKind::kFreedBulk;
}

struct SegmentHeader {
  uint32_t segment = 0;
  SegmentKind kind = SegmentKind::kLog;
  uint64_t generation = 0;      // Rises with every use of any segment of the disk.
  uint64_t first_sequence = 0;  // Log: of its first batch.
  model::DiskId disk;
};

// One block.
std::string encode(const SegmentHeader& header);
// nullopt: not a header, or damaged.
std::optional<SegmentHeader> decode_segment_header(ByteView block);

// What a block behind the header tells of the use of its segment that wrote it: kind, generation,
// and of a log the sequence of the batch that begins there. nullopt: nothing, or nothing that was
// written here.
std::optional<SegmentHeader> identify(ByteView block, const model::DiskId& disk, uint32_t segment);

struct BatchHeader {
  uint64_t generation = 0;
  uint64_t sequence = 0;  // Rises by one with every batch of the disk.
  uint32_t records = 0;
  uint64_t bytes = 0;      // Of the whole batch, header included, without padding.
  uint64_t body_hash = 0;  // XXH3-64 of what follows the header, seeded with the salt.
};

// Seed of every hash in one use of a segment: what an earlier use left behind does not decode, nor
// does what a client stored to look like ours (the disk's id is not told to clients).
uint64_t salt_of(const model::DiskId& disk, uint64_t generation);

void encode(const BatchHeader& header, uint64_t salt, std::span<std::byte> out);
std::optional<BatchHeader> decode_batch_header(ByteView bytes, uint64_t salt);

enum class RecordKind : uint8_t { kPut = 1, kLarge = 2, kRemove = 3, kRestore = 4, kHandoff = 5 };

// A record of the log; also, with kind kLarge, header and trailer of an extent.
struct RecordHeader {
  RecordKind kind = RecordKind::kPut;
  bool moved = false;   // Written by compaction, or an order said once more: no news.
  uint32_t bytes = 0;   // Header, digests and (kPut) data, without padding.
  uint32_t blocks = 0;  // Digests that follow the header.
  model::BlobId id;
  uint64_t length = 0;
  uint64_t ring_epoch = 0;
  uint64_t created_us = 0;
  uint64_t received_us = 0;
  hash::BlobDigest digest;
  model::DiskId handoff_for;
  uint32_t extent_segment = 0;  // kLarge: where the extent is.
  uint64_t extent_generation = 0;
  uint64_t extent_offset = 0;
  // kRemove, kRestore: the number that the database gave the order. These lie where other kinds
  // keep the epoch and the extent's generation and offset.
  uint64_t order = 0;
  uint64_t purge_at_us = 0;  // kRemove: see index::Entry.
  bool dropped = false;
  uint64_t purge_elapsed_us = 0;
};

void encode(const RecordHeader& header, uint64_t salt, std::span<std::byte> out);
std::optional<RecordHeader> decode_record_header(ByteView bytes, uint64_t salt);

constexpr uint32_t block_count(uint64_t length) {
  return static_cast<uint32_t>((length + model::kBlockBytes - 1) / model::kBlockBytes);
}

// Of a small put in the log.
constexpr uint64_t record_bytes(uint64_t length) {
  return kRecordHeaderBytes + 8ull * block_count(length) + length;
}

// Of the extent of a large blob: header block, padded bytes, padded trailer.
constexpr uint64_t trailer_bytes(uint64_t length) {
  return round_up(kRecordHeaderBytes + 8ull * block_count(length), kBlock);
}

constexpr uint64_t extent_bytes(uint64_t length) {
  return kBlock + round_up(length, kBlock) + trailer_bytes(length);
}

void encode_digests(std::span<const hash::BlockDigest> digests, std::byte* out);
std::vector<hash::BlockDigest> decode_digests(ByteView bytes);

}  // namespace rondel::segment
