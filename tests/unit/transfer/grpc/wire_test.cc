// docs/formats/wire.md.
#include "transfer/grpc/wire.h"

#include <random>

#include "tests/unit/format_vectors.h"

namespace rondel::transfer {
namespace {

using namespace vectors;

ByteSlice slice(std::string_view bytes) { return ByteSlice::copy_of(as_bytes(bytes)); }

PutMeta put_meta() { return {kDisk, kBlob, kBytes.size(), 4, 1'000'001, kOwner, 7}; }

Frame put_frame() {
  Frame frame;
  frame.type = FrameType::kPut;
  frame.request = 42;
  const hash::BlockDigest digest = hash::block_digest(kBlob, 0, as_bytes(kBytes));
  frame.meta = encode(put_meta()) + encode(std::span(&digest, 1));
  frame.body = slice(kBytes);
  return frame;
}

TEST(WireTest, PutMetaHasItsGoldenBytes) {
  const std::string bytes = golden("put-meta");
  EXPECT_EQ(encode(put_meta()), bytes);
  const auto back = decode_put_meta(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->disk, kDisk);
  EXPECT_EQ(back->blob, kBlob);
  EXPECT_EQ(back->length, kBytes.size());
  EXPECT_EQ(back->ring_epoch, 4u);
  EXPECT_EQ(back->created_us, 1'000'001u);
  EXPECT_EQ(back->handoff_for, kOwner);
  EXPECT_EQ(back->order, 7u);
  EXPECT_FALSE(decode_put_meta(bytes.substr(1)));
}

TEST(WireTest, StatMetaHasItsGoldenBytes) {
  const std::string bytes = golden("stat-meta");
  EXPECT_EQ(encode(StatMeta{kBytes.size(), {1, 2}, kOwner, 1'000'001, 7, true}), bytes);
  const auto back = decode_stat_meta(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->length, kBytes.size());
  EXPECT_EQ(back->handoff_for, kOwner);
  EXPECT_EQ(back->created_us, 1'000'001u);
  EXPECT_EQ(back->order, 7u);
  EXPECT_TRUE(back->removed);
  EXPECT_FALSE(decode_stat_meta(bytes + "x"));
  EXPECT_FALSE(decode_stat_meta(bytes.substr(1)));
}

TEST(WireTest, GetMetaHasItsGoldenBytes) {
  const std::string bytes = golden("get-meta");
  EXPECT_EQ(encode(GetMeta{kDisk, kBlob, 65'536, 100}), bytes);
  const auto back = decode_get_meta(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->offset, 65'536u);
  EXPECT_EQ(back->length, 100u);
  EXPECT_FALSE(decode_get_meta(bytes + "x"));
}

TEST(WireTest, AFrameHasItsGoldenBytes) {
  const Frame frame = put_frame();
  std::string bytes;
  encode_head(frame, bytes);
  bytes += as_text(frame.body.view());
  EXPECT_EQ(bytes, golden("frame-put"));
}

TEST(WireTest, FramesOfOneMessageComeBack) {
  const std::string one = golden("frame-put");
  const auto frames = decode_frames(slice(one + one));
  ASSERT_TRUE(frames);
  ASSERT_EQ(frames->size(), 2u);
  for (const Frame& frame : *frames) {
    EXPECT_EQ(frame.type, FrameType::kPut);
    EXPECT_EQ(frame.request, 42u);
    EXPECT_EQ(frame.meta, put_frame().meta);
    EXPECT_EQ(as_text(frame.body.view()), kBytes);
  }
}

TEST(WireTest, WhatIsNoWholeFrameIsRefused) {
  const std::string whole = golden("frame-put");
  for (size_t length = 1; length < whole.size(); ++length) {
    EXPECT_FALSE(decode_frames(slice(whole.substr(0, length)))) << length;
  }
  for (const int type : {0, 9, 15, 19, 255}) {
    std::string other = whole;
    other[0] = static_cast<char>(type);
    EXPECT_FALSE(decode_frames(slice(other))) << type;
  }
  for (const size_t field : {4, 8}) {
    std::string long_one = whole;
    for (size_t i = 0; i < 4; ++i) long_one[field + i] = '\xff';
    EXPECT_FALSE(decode_frames(slice(long_one))) << field;
  }
}

TEST(WireTest, RandomBytesNeverReachBeyondTheMessage) {
  const uint64_t seed = testing::UnitTest::GetInstance()->random_seed() + 1;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string whole = golden("frame-put");
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = whole;
    for (int changes = 0; changes < 3; ++changes) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    bytes.resize(random() % (bytes.size() + 1));
    const auto frames = decode_frames(slice(bytes));
    if (!frames) continue;
    size_t total = 0;
    for (const Frame& frame : *frames) {
      total += kFrameHeadBytes + frame.meta.size() + frame.body.size();
    }
    EXPECT_EQ(total, bytes.size());
  }
}

TEST(WireTest, AnErrorFrameCarriesCodeAndABoundedMessage) {
  const Frame frame =
      error_frame(FrameType::kDone, 7, {ErrorCode::kCorruption, std::string(5000, 'x')});
  EXPECT_EQ(frame.flags & kLast, kLast);
  EXPECT_EQ(frame.code, 12u);
  EXPECT_EQ(frame.meta.size(), 1024u);
  ASSERT_TRUE(error_of(frame));
  EXPECT_EQ(error_of(frame)->code, ErrorCode::kCorruption);
  const Frame full = error_frame(FrameType::kDone, 7, {ErrorCode::kStorageFull, "no space"});
  EXPECT_EQ(full.code, 16u);
  EXPECT_EQ(error_of(full)->code, ErrorCode::kStorageFull);
  Frame unknown = frame;
  unknown.code = 999;
  EXPECT_EQ(error_of(unknown)->code, ErrorCode::kInternal);
}

}  // namespace
}  // namespace rondel::transfer
