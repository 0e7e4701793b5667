// Identifiers that cross modules and processes. Byte order of every text and stored form:
// big-endian, so that bytes sort like numbers.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"

namespace rondel::model {

// A fixed run of opaque bytes.
template <class Tag, size_t kSize>
struct OpaqueId {
  static constexpr size_t kBytes = kSize;
  std::array<std::byte, kSize> bytes{};

  auto operator<=>(const OpaqueId&) const = default;

  ByteView view() const { return bytes; }

  bool is_zero() const { return *this == OpaqueId{}; }

  std::string to_hex() const;
  static std::optional<OpaqueId> from_hex(std::string_view text);
  static std::optional<OpaqueId> from_bytes(ByteView view);
  static OpaqueId random();
};

// One run of uploaded bytes, never reused. docs/formats/ids.md.
using StreamId = OpaqueId<struct StreamTag, 12>;
// Identifies one storage node, one disk of it (a ring member), one cluster.
using NodeId = OpaqueId<struct NodeTag, 16>;
using DiskId = OpaqueId<struct DiskTag, 16>;
using ClusterId = OpaqueId<struct ClusterTag, 16>;
// 128 bits: hybrid logical clock (48 bits of milliseconds, 16 bits of counter), 16 bits of site, 48
// bits random. Greater is newer. Text form: 32 hexadecimal digits.
using VersionId = OpaqueId<struct VersionTag, 16>;
// A multipart upload.
using UploadId = OpaqueId<struct UploadTag, 16>;

// A stream is cut in chunks of this size, the last one shorter.
inline constexpr uint64_t kChunkBytes = 8ull << 20;
// Unit of verification inside a chunk.
inline constexpr uint64_t kBlockBytes = 64ull << 10;
// Size of one piece in transport.
inline constexpr uint64_t kPieceBytes = 256ull << 10;

inline constexpr uint64_t chunk_count(uint64_t stream_bytes) {
  return (stream_bytes + kChunkBytes - 1) / kChunkBytes;
}

// One chunk of a stream: what storage nodes keep. 16 bytes: stream id, then the chunk number
// big-endian.
struct BlobId {
  StreamId stream;
  uint32_t chunk = 0;

  auto operator<=>(const BlobId&) const = default;
  std::array<std::byte, 16> bytes() const;
  static BlobId from_bytes(const std::byte* sixteen);
  std::string to_hex() const;
  // XXH3-64 of bytes(): the position on the ring and the prefix of the node index.
  uint64_t ring_hash() const;
};

}  // namespace rondel::model

template <class Tag, size_t kSize>
struct std::hash<rondel::model::OpaqueId<Tag, kSize>> {
  size_t operator()(const rondel::model::OpaqueId<Tag, kSize>& id) const noexcept {
    return std::hash<std::string_view>{}(rondel::as_text(id.view()));
  }
};

template <>
struct std::hash<rondel::model::BlobId> {
  size_t operator()(const rondel::model::BlobId& id) const noexcept {
    return static_cast<size_t>(id.ring_hash());
  }
};
