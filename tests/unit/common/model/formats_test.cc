// docs/formats/ids.md and the digests of docs/formats/segment.md.
#include "common/hash/block_digest.h"
#include "tests/unit/format_vectors.h"

namespace rondel::model {
namespace {

using namespace vectors;

TEST(FormatsTest, RingHashOfABlob) {
  std::byte raw[8];
  store_be(raw, kBlob.ring_hash());
  EXPECT_EQ(as_text(raw), golden("ring-hash"));
}

TEST(FormatsTest, BlobIdIsStreamThenChunkBigEndian) {
  EXPECT_EQ(kBlob.to_hex(), "0102030405060708090a0b0c00000007");
  EXPECT_EQ(BlobId::from_bytes(kBlob.bytes().data()), kBlob);
}

TEST(FormatsTest, BlockDigestsAreSeededByBlobAndNumber) {
  std::byte raw[16];
  store_le(raw, hash::block_digest(kBlob, 0, as_bytes(kBytes)));
  store_le(raw + 8, hash::block_digest(kBlob, 2, as_bytes(kBytes)));
  EXPECT_EQ(as_text(raw), golden("block-digests"));
}

TEST(FormatsTest, DigestOfABlob) {
  const hash::BlockDigest block = hash::block_digest(kBlob, 0, as_bytes(kBytes));
  const hash::BlobDigest digest = hash::blob_digest({&block, 1});
  std::byte raw[16];
  store_le(raw, digest.low);
  store_le(raw + 8, digest.high);
  EXPECT_EQ(as_text(raw), golden("blob-digest"));
}

TEST(FormatsTest, ChunkCountFollowsFromTheSize) {
  EXPECT_EQ(chunk_count(0), 0u);
  EXPECT_EQ(chunk_count(1), 1u);
  EXPECT_EQ(chunk_count(kChunkBytes), 1u);
  EXPECT_EQ(chunk_count(kChunkBytes + 1), 2u);
}

}  // namespace
}  // namespace rondel::model
