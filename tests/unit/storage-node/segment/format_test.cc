// docs/formats/segment.md.
#include "storage-node/segment/format.h"
#include "common/hash/hash64.h"

#include "common/fs/simulated_file_system.h"
#include "storage-node/engine/superblock.h"
#include "tests/unit/format_vectors.h"

namespace rondel::segment {
namespace {

using namespace vectors;

constexpr uint64_t kGeneration = 5;

hash::BlobDigest digest_of_the_blob() {
  const hash::BlockDigest block = hash::block_digest(kBlob, 0, as_bytes(kBytes));
  return hash::blob_digest({&block, 1});
}

RecordHeader record() {
  RecordHeader header;
  header.kind = RecordKind::kLarge;
  header.moved = true;
  header.bytes = 136;
  header.blocks = 1;
  header.id = kBlob;
  header.length = kBytes.size();
  header.ring_epoch = 4;
  header.created_us = 1'000'001;
  header.received_us = 2'000'002;
  header.digest = digest_of_the_blob();
  header.handoff_for = kOwner;
  header.extent_segment = 6;
  header.extent_generation = 8;
  header.extent_offset = 8192;
  return header;
}

// Every bit counts.
template <class Decode>
void expect_damage_is_seen(const std::string& whole, size_t checked, Decode decode) {
  for (size_t bit = 0; bit < checked * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(decode(as_bytes(damaged))) << "bit " << bit;
  }
  EXPECT_FALSE(decode(as_bytes(whole).first(checked - 1)));
}

TEST(SegmentFormatTest, SegmentHeaderHasItsGoldenBytes) {
  const std::string bytes = golden("segment-header");
  const std::string block = encode(SegmentHeader{3, SegmentKind::kLog, kGeneration, 9, kDisk});
  EXPECT_EQ(block.size(), kBlock);
  EXPECT_EQ(block, bytes + std::string(kBlock - bytes.size(), '\0'));
  const auto back = decode_segment_header(as_bytes(block));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->segment, 3u);
  EXPECT_EQ(back->kind, SegmentKind::kLog);
  EXPECT_EQ(back->generation, kGeneration);
  EXPECT_EQ(back->first_sequence, 9u);
  EXPECT_EQ(back->disk, kDisk);
  expect_damage_is_seen(bytes, 56, [](ByteView view) { return decode_segment_header(view); });
}

TEST(SegmentFormatTest, HeadersOfFreedSegmentsDifferInTheirKindAlone) {
  for (const auto [kind, number] :
       {std::pair{SegmentKind::kFreedLog, 3}, {SegmentKind::kFreedBulk, 4}}) {
    std::string expected = golden("segment-header");
    expected[12] = static_cast<char>(number);
    const std::string block = encode(SegmentHeader{3, kind, kGeneration, 9, kDisk});
    EXPECT_EQ(block.substr(0, 48), expected.substr(0, 48));
    EXPECT_EQ(decode_segment_header(as_bytes(block))->kind, kind);
    EXPECT_TRUE(is_freed(kind));
  }
}

TEST(SegmentFormatTest, BatchHeaderHasItsGoldenBytes) {
  const std::string bytes = golden("batch-header");
  std::vector<std::byte> out(kBatchHeaderBytes, std::byte{0xff});
  encode(BatchHeader{kGeneration, 9, 2, 4160, 0x1122334455667788}, 0, out);
  EXPECT_EQ(as_text(out), bytes);
  const auto back = decode_batch_header(as_bytes(bytes), 0);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->records, 2u);
  EXPECT_EQ(back->bytes, 4160u);
  expect_damage_is_seen(bytes, 48, [](ByteView view) {
    return view.size() < 48 ? std::nullopt : decode_batch_header(view, 0);
  });
  EXPECT_FALSE(decode_batch_header(as_bytes(bytes), 1)) << "of another use";
}

TEST(SegmentFormatTest, EveryUseOfEveryDiskHasItsSalt) {
  EXPECT_EQ(salt_of(kDisk, kGeneration), hash::hash64(kDisk.view(), kGeneration));
  EXPECT_NE(salt_of(kDisk, kGeneration), salt_of(kDisk, kGeneration + 1));
  EXPECT_NE(salt_of(kDisk, kGeneration), salt_of(kOwner, kGeneration));
}

TEST(SegmentFormatTest, RecordHeaderHasItsGoldenBytes) {
  const std::string bytes = golden("record-header");
  std::vector<std::byte> out(kRecordHeaderBytes, std::byte{0xff});
  encode(record(), kGeneration, out);
  EXPECT_EQ(as_text(out), bytes);
  const auto back = decode_record_header(as_bytes(bytes), kGeneration);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->kind, RecordKind::kLarge);
  EXPECT_TRUE(back->moved);
  EXPECT_EQ(back->id, kBlob);
  EXPECT_EQ(back->digest, digest_of_the_blob());
  EXPECT_EQ(back->handoff_for, kOwner);
  EXPECT_EQ(back->extent_segment, 6u);
  EXPECT_EQ(back->extent_generation, 8u);
  EXPECT_EQ(back->extent_offset, 8192u);
  expect_damage_is_seen(bytes, kRecordHeaderBytes,
                        [](ByteView view) { return decode_record_header(view, kGeneration); });
}

TEST(SegmentFormatTest, ARecordOfAnEarlierUseDoesNotDecode) {
  EXPECT_FALSE(decode_record_header(as_bytes(golden("record-header")), kGeneration - 1));
}

TEST(SegmentFormatTest, ARecordSmallerThanItsPartsDoesNotDecode) {
  std::vector<std::byte> out(kRecordHeaderBytes);
  RecordHeader header = record();
  header.bytes = static_cast<uint32_t>(kRecordHeaderBytes + 8 * header.blocks - 1);
  encode(header, kGeneration, out);
  EXPECT_FALSE(decode_record_header(out, kGeneration));
  header.bytes = 0;
  header.blocks = 0;
  encode(header, kGeneration, out);
  EXPECT_FALSE(decode_record_header(out, kGeneration));
  header = record();
  header.kind = static_cast<RecordKind>(6);
  encode(header, kGeneration, out);
  EXPECT_FALSE(decode_record_header(out, kGeneration));
}

TEST(SegmentFormatTest, SizesOfRecordsAndExtents) {
  EXPECT_EQ(record_bytes(1), 128u + 8 + 1);
  EXPECT_EQ(record_bytes(65'537), 128u + 16 + 65'537);
  EXPECT_EQ(extent_bytes(262'145), 4096u + 266'240 + 4096);
  EXPECT_EQ(extent_bytes(model::kChunkBytes), 4096u + (8u << 20) + 4096);
}

TEST(SegmentFormatTest, SuperblockHasItsGoldenBytes) {
  fs::SimulatedFileSystem files(1);
  ASSERT_TRUE(files.make_directory("/disk"));
  const engine::Superblock superblock{id_from<model::ClusterId>(0x40), kDisk, 256u << 20};
  ASSERT_TRUE(engine::write_superblock(files, "/disk", superblock));
  const std::string bytes = golden("superblock");
  EXPECT_EQ(fs::read_file(files, "/disk/superblock"), bytes);
  const auto back = engine::read_superblock(files, "/disk");
  ASSERT_TRUE(back);
  EXPECT_EQ(back->cluster, superblock.cluster);
  EXPECT_EQ(back->disk, kDisk);
  EXPECT_EQ(back->segment_bytes, 256u << 20);
  std::string damaged = bytes;
  damaged[40] ^= 1;
  ASSERT_TRUE(fs::write_file_atomically(files, "/disk/superblock", as_bytes(damaged)));
  EXPECT_EQ(engine::read_superblock(files, "/disk")->disk, kDisk) << "one of the two is enough";
  ASSERT_TRUE(fs::write_file_atomically(files, "/disk/superblock.copy", as_bytes(damaged)));
  EXPECT_EQ(engine::read_superblock(files, "/disk").error().code, ErrorCode::kCorruption);
}

}  // namespace
}  // namespace rondel::segment
