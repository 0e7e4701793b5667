#include "common/model/ids.h"

#include <sys/random.h>
#include <xxhash.h>

#include <array>
#include <cerrno>

#include "common/base/assert.h"
#include "common/base/encoding.h"

namespace rondel::model {

namespace {

// The kernel is asked for many ids at once: the call costs more than all else about an id.
void fill_with_random(std::byte* out, size_t size) {
  constexpr size_t kBytes = 3072;
  thread_local std::array<std::byte, kBytes> drawn;
  thread_local size_t left = 0;
  if (left < size) {
    for (size_t done = 0; done < kBytes;) {
      const ssize_t got = getrandom(drawn.data() + done, kBytes - done, 0);
      ASSERT(got > 0 || errno == EINTR);
      if (got > 0) done += static_cast<size_t>(got);
    }
    left = kBytes;
  }
  left -= size;
  std::memcpy(out, drawn.data() + left, size);
}

}  // namespace

template <class Tag, size_t kSize>
std::string OpaqueId<Tag, kSize>::to_hex() const {
  return rondel::to_hex(view());
}

template <class Tag, size_t kSize>
std::optional<OpaqueId<Tag, kSize>> OpaqueId<Tag, kSize>::from_hex(std::string_view text) {
  const auto decoded = rondel::from_hex(text);
  if (!decoded) return std::nullopt;
  return from_bytes(as_bytes(*decoded));
}

template <class Tag, size_t kSize>
std::optional<OpaqueId<Tag, kSize>> OpaqueId<Tag, kSize>::from_bytes(ByteView view) {
  if (view.size() != kSize) return std::nullopt;
  OpaqueId id;
  std::memcpy(id.bytes.data(), view.data(), kSize);
  return id;
}

template <class Tag, size_t kSize>
OpaqueId<Tag, kSize> OpaqueId<Tag, kSize>::random() {
  OpaqueId id;
  fill_with_random(id.bytes.data(), kSize);
  return id;
}

template struct OpaqueId<StreamTag, 12>;
template struct OpaqueId<NodeTag, 16>;
template struct OpaqueId<DiskTag, 16>;
template struct OpaqueId<ClusterTag, 16>;
template struct OpaqueId<VersionTag, 16>;
template struct OpaqueId<UploadTag, 16>;

std::array<std::byte, 16> BlobId::bytes() const {
  std::array<std::byte, 16> out;
  std::memcpy(out.data(), stream.bytes.data(), 12);
  store_be<uint32_t>(out.data() + 12, chunk);
  return out;
}

BlobId BlobId::from_bytes(const std::byte* sixteen) {
  BlobId id;
  std::memcpy(id.stream.bytes.data(), sixteen, 12);
  id.chunk = load_be<uint32_t>(sixteen + 12);
  return id;
}

std::string BlobId::to_hex() const { return rondel::to_hex(bytes()); }

uint64_t BlobId::ring_hash() const {
  const auto all = bytes();
  return XXH3_64bits(all.data(), all.size());
}

}  // namespace rondel::model
