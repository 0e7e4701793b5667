// Frames on an Exchange stream, byte by byte: docs/formats/wire.md. Pure functions over memory.
//
// A gRPC message carries one or more frames, each: head (32 bytes), meta, body. Integers are
// little-endian.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/hash/block_digest.h"
#include "common/model/ids.h"

namespace rondel::transfer {

inline constexpr size_t kFrameHeadBytes = 32;
inline constexpr uint32_t kMetaBytesMax = 64 << 10;
inline constexpr uint32_t kBodyBytesMax = model::kPieceBytes;
// Bytes of an upload or download that may be under way without the receiver's word.
inline constexpr uint64_t kWindowBytes = 4 * model::kPieceBytes;

enum class FrameType : uint8_t {
  kPut = 1,       // A whole small blob. Meta: PutMeta, digests.
  kPutOpen = 2,   // Begins a large one. Meta: PutMeta.
  kPiece = 3,     // argument = offset. Meta: digests.
  kPutClose = 4,  // argument = length. Meta: digest of the blob.
  kCancel = 5,
  kGet = 6,     // Meta: GetMeta.
  kCredit = 7,  // Either direction; argument = bytes that may follow.
  kStat = 8,    // Meta: disk, blob.
  kDone = 16,   // Ends a put; code 0 = flushed. Meta: message of an error.
  // argument = offset; flag kLast on the last. Meta: digests. With a code: no body, meta = message.
  kData = 17,
  kStatReply = 18,  // Meta: StatMeta. With a code: meta = message.
};

inline constexpr uint8_t kLast = 1;
inline constexpr uint8_t kFresh = 2;       // On kPut: see PutOptions.
inline constexpr uint8_t kBackground = 4;  // On kPut, kPutOpen, kGet: see PutOptions, GetOptions.

struct Frame {
  FrameType type = FrameType::kCancel;
  uint8_t flags = 0;
  uint32_t code = 0;  // ErrorCode, 0 = none.
  uint64_t request = 0;
  uint64_t argument = 0;
  std::string meta;
  ByteSlice body;
};

// Bytes of the frame in a message.
inline size_t wire_size(const Frame& frame) {
  return kFrameHeadBytes + frame.meta.size() + frame.body.size();
}

// Appends head and meta; the body follows them.
void encode_head(const Frame& frame, std::string& out);
// The bodies are slices of the message. kInvalidArgument: not a sequence of whole, known, bounded
// frames.
Result<std::vector<Frame>> decode_frames(const ByteSlice& message);

struct PutMeta {
  model::DiskId disk;
  model::BlobId blob;
  uint64_t length = 0;
  uint64_t ring_epoch = 0;
  uint64_t created_us = 0;
  model::DiskId handoff_for;
  uint64_t order = 0;
};

inline constexpr size_t kPutMetaBytes = 80;
std::string encode(const PutMeta& meta);
std::optional<PutMeta> decode_put_meta(std::string_view bytes);

struct GetMeta {
  model::DiskId disk;
  model::BlobId blob;
  uint64_t offset = 0;
  uint64_t length = 0;
};

inline constexpr size_t kGetMetaBytes = 48;
std::string encode(const GetMeta& meta);
std::optional<GetMeta> decode_get_meta(std::string_view bytes);

// What a disk knows of a blob.
struct StatMeta {
  uint64_t length = 0;
  hash::BlobDigest digest;
  model::DiskId handoff_for;
  uint64_t created_us = 0;
  uint64_t order = 0;
  bool removed = false;
};

inline constexpr size_t kStatMetaBytes = 57;
std::string encode(const StatMeta& meta);
std::optional<StatMeta> decode_stat_meta(std::string_view bytes);

std::string encode(std::span<const hash::BlockDigest> digests);
std::optional<std::vector<hash::BlockDigest>> decode_digests(std::string_view bytes);

std::string encode(const hash::BlobDigest& digest);
std::optional<hash::BlobDigest> decode_blob_digest(std::string_view bytes);

Frame error_frame(FrameType type, uint64_t request, const Error& error);
// The error a frame carries, if any.
std::optional<Error> error_of(const Frame& frame);

}  // namespace rondel::transfer
