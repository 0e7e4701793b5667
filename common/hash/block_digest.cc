#include "common/hash/block_digest.h"

#include <xxhash.h>

#include <algorithm>

namespace rondel::hash {

BlockDigest block_digest(const model::BlobId& id, uint32_t block_number, ByteView block) {
  // The multiplier is odd, so block numbers of one blob never share a seed.
  const uint64_t seed = id.ring_hash() + 0x9e3779b97f4a7c15ull * (block_number + 1ull);
  return XXH3_64bits_withSeed(block.data(), block.size(), seed);
}

std::vector<BlockDigest> block_digests(const model::BlobId& id, uint32_t first_block,
                                       ByteView bytes) {
  std::vector<BlockDigest> out;
  out.reserve((bytes.size() + model::kBlockBytes - 1) / model::kBlockBytes);
  for (size_t offset = 0; offset < bytes.size(); offset += model::kBlockBytes) {
    const ByteView block =
        bytes.subspan(offset, std::min<size_t>(model::kBlockBytes, bytes.size() - offset));
    out.push_back(
        block_digest(id, first_block + static_cast<uint32_t>(offset / model::kBlockBytes), block));
  }
  return out;
}

BlobDigest blob_digest(std::span<const BlockDigest> blocks) {
  const XXH128_hash_t digest = XXH3_128bits(blocks.data(), blocks.size_bytes());
  return {digest.low64, digest.high64};
}

}  // namespace rondel::hash
