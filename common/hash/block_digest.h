// Digests of stored bytes: XXH3-64 per 64 KiB block, seeded with the blob id and block number, so
// that a misdirected or stale block fails; XXH3-128 over the block digests is the blob's digest.
// docs/formats/segment.md.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/model/ids.h"

namespace rondel::hash {

using BlockDigest = uint64_t;

struct BlobDigest {
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const BlobDigest&) const = default;
};

// REQUIRES: block.size() <= model::kBlockBytes.
BlockDigest block_digest(const model::BlobId& id, uint32_t block_number, ByteView block);

// Digests of consecutive blocks of `bytes`, the first being `first_block`.
std::vector<BlockDigest> block_digests(const model::BlobId& id, uint32_t first_block,
                                       ByteView bytes);

BlobDigest blob_digest(std::span<const BlockDigest> blocks);

}  // namespace rondel::hash
