#include "kms/frames.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "common/crypto/digest.h"

namespace rondel::kms {
namespace {

const crypto::Secret kKey(std::string(32, 'k'));
const model::StreamId kStream = model::StreamId::from_hex("000102030405060708090a0b").value();

std::string pattern(size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

// Sealed in pieces of `step` bytes.
std::string seal_all(const crypto::Secret& key, const model::StreamId& stream,
                     std::string_view plaintext, size_t step, bool size_known = true) {
  FrameSealer sealer(key, stream,
                     size_known ? std::optional<uint64_t>(plaintext.size()) : std::nullopt);
  std::string out;
  for (size_t at = 0; at < plaintext.size(); at += step) {
    ByteView in = as_bytes(plaintext.substr(at, step));
    while (!in.empty()) out += as_text(sealer.seal(in).value());
  }
  EXPECT_EQ(sealer.plaintext(), plaintext.size());
  out += as_text(sealer.finish().value());
  return out;
}

// The range, out of a stored stream fed in pieces of `step` bytes.
Result<std::string> open_range(const crypto::Secret& key, const model::StreamId& stream,
                               std::string_view stored, uint64_t offset, uint64_t length,
                               size_t step) {
  TRY(const StoredRange range, stored_range(stored.size(), offset, length));
  FrameOpener opener(key, stream, stored.size(), offset, length);
  std::string out;
  for (uint64_t at = range.offset; at < range.offset + range.length; at += step) {
    ByteView in =
        as_bytes(stored.substr(at, std::min<uint64_t>(step, range.offset + range.length - at)));
    for (;;) {
      TRY(const ByteSlice slice, opener.open(in));
      EXPECT_LE(slice.size(), model::kPieceBytes);
      if (slice.empty()) break;
      out += as_text(slice.view());
    }
    EXPECT_TRUE(in.empty());
  }
  EXPECT_EQ(opener.stored_left(), 0U);
  return out;
}

TEST(FrameSizes, FollowTheFormat) {
  EXPECT_EQ(stored_size(0), 0U);
  EXPECT_EQ(stored_size(1), 17U);
  EXPECT_EQ(stored_size(65'536), 65'552U);
  EXPECT_EQ(stored_size(65'537), 65'552U + 17);
  for (const uint64_t plaintext : {uint64_t{0}, uint64_t{1}, kFrameBytes - 1, kFrameBytes,
                                   kFrameBytes + 1, 5 * kFrameBytes, uint64_t{5} << 30}) {
    EXPECT_EQ(plaintext_size(stored_size(plaintext)).value(), plaintext);
  }
  for (const uint64_t impossible :
       {uint64_t{1}, uint64_t{16}, kStoredFrameBytes + 1, kStoredFrameBytes + 16}) {
    EXPECT_EQ(plaintext_size(impossible).error().code, ErrorCode::kCorruption) << impossible;
  }
  EXPECT_EQ(stored_range(stored_size(100), 100, 1).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(stored_range(stored_size(100), 1, UINT64_MAX).error().code, ErrorCode::kCorruption);
}

// The format as it is written down: a change of it fails here.
TEST(Frames, KnownAnswer) {
  const std::string stored = seal_all(kKey, kStream, pattern(70'000, 1), 4096);
  EXPECT_EQ(crypto::sha256_hex(stored),
            "1bf090932142483711b2fb2dbc6f850e4702b8f6c8075528f89be4d475f1d12c");
}

TEST(Frames, RangesMatchTheReference) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto below = [&](uint64_t bound) {
    return std::uniform_int_distribution<uint64_t>(0, bound - 1)(random);
  };
  for (const size_t size : {size_t{1}, size_t{17}, size_t{65'535}, size_t{65'536}, size_t{65'537},
                            size_t{262'144}, size_t{700'001}}) {
    const std::string plaintext = pattern(size, seed);
    const std::string stored = seal_all(kKey, kStream, plaintext, 1 + below(300'000));
    ASSERT_EQ(stored.size(), stored_size(size));
    ASSERT_TRUE(seal_all(kKey, kStream, plaintext, 1 + below(300'000), false) == stored);
    for (int i = 0; i < 40; ++i) {
      const uint64_t offset = below(size);
      const uint64_t length = 1 + below(size - offset);
      const auto opened = open_range(kKey, kStream, stored, offset, length, 1 + below(300'000));
      ASSERT_TRUE(opened) << opened.error().message;
      ASSERT_TRUE(*opened == plaintext.substr(offset, length))
          << offset << "+" << length << " of " << size;
    }
    EXPECT_TRUE(open_range(kKey, kStream, stored, 0, size, model::kPieceBytes).value() ==
                plaintext);
  }
}

TEST(Frames, EveryFlippedByteIsRefused) {
  const std::string plaintext = pattern(200, 3);
  const std::string stored = seal_all(kKey, kStream, plaintext, 200);
  for (size_t i = 0; i < stored.size(); ++i) {
    for (const int bit : {0, 7}) {
      std::string damaged = stored;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_EQ(open_range(kKey, kStream, damaged, 0, 200, 64).error().code, ErrorCode::kCorruption)
          << i;
    }
  }
}

TEST(Frames, NothingOfADamagedFrameComesOut) {
  std::string stored = seal_all(kKey, kStream, pattern(8 * kFrameBytes, 4), 1 << 20);
  stored[5 * kStoredFrameBytes + 10] ^= 1;
  FrameOpener opener(kKey, kStream, stored.size(), 0, 8 * kFrameBytes);
  uint64_t delivered = 0;
  bool refused = false;
  for (size_t at = 0; at < stored.size() && !refused; at += 1000) {
    ByteView in = as_bytes(std::string_view(stored).substr(at, 1000));
    for (;;) {
      const auto slice = opener.open(in);
      refused = !slice.has_value();
      if (refused || slice->empty()) break;
      delivered += slice->size();
    }
  }
  EXPECT_TRUE(refused);
  EXPECT_EQ(delivered, model::kPieceBytes);
}

TEST(Frames, BuffersAreUsedAgainOnceNobodyLooksAtThem) {
  const std::string plaintext = pattern(64 * kFrameBytes, 6);
  const std::string stored = seal_all(kKey, kStream, plaintext, 1 << 20);
  for (const bool keep : {false, true}) {
    FrameOpener opener(kKey, kStream, stored.size(), 0, plaintext.size());
    ByteView in = as_bytes(stored);
    std::set<const std::byte*> places;
    std::vector<ByteSlice> kept;
    std::string opened;
    ByteSlice last;
    while (opened.size() < plaintext.size()) {
      last = opener.open(in).value();
      places.insert(last.view().data());
      opened += as_text(last.view());
      if (keep) kept.push_back(last);
    }
    EXPECT_EQ(opened, plaintext);
    EXPECT_EQ(places.size(), keep ? plaintext.size() / model::kPieceBytes : 2U);
    std::string again;
    for (const ByteSlice& slice : kept) again += as_text(slice.view());
    EXPECT_EQ(again, keep ? plaintext : "");
  }
}

TEST(Frames, MovedFramesAreRefused) {
  const std::string stored = seal_all(kKey, kStream, pattern(3 * kFrameBytes, 5), 1 << 20);
  const auto frame = [&](size_t number) {
    return stored.substr(number * kStoredFrameBytes, kStoredFrameBytes);
  };
  const auto refused = [&](const std::string& text, uint64_t length) {
    return open_range(kKey, kStream, text, 0, length, 1 << 20).error().code ==
           ErrorCode::kCorruption;
  };
  EXPECT_TRUE(refused(frame(1) + frame(0) + frame(2), 3 * kFrameBytes));  // Swapped.
  EXPECT_TRUE(refused(frame(0) + frame(0) + frame(2), 3 * kFrameBytes));  // Repeated.
  EXPECT_TRUE(refused(frame(0) + frame(1), 2 * kFrameBytes));             // Cut at a frame.
  EXPECT_TRUE(refused(frame(0), kFrameBytes));
  // Cut inside the last.
  EXPECT_TRUE(refused(stored.substr(0, stored.size() - 1), 3 * kFrameBytes - 1));
  EXPECT_TRUE(refused(stored + frame(2), 4 * kFrameBytes));  // Continued.
  // A range that touches no moved frame is fine, one that does is not.
  const std::string swapped_tail = frame(0) + frame(2) + frame(1);
  EXPECT_TRUE(open_range(kKey, kStream, swapped_tail, 0, 100, 1 << 20).has_value());
  EXPECT_FALSE(open_range(kKey, kStream, swapped_tail, kFrameBytes, 1, 1 << 20).has_value());
}

TEST(Frames, ForeignStreamsAndKeysAreRefused) {
  const std::string plaintext = pattern(1000, 6);
  const std::string stored = seal_all(kKey, kStream, plaintext, 1000);
  const auto other = model::StreamId::from_hex("ff0102030405060708090a0b").value();
  EXPECT_EQ(open_range(kKey, other, stored, 0, 1000, 1000).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(
      open_range(crypto::Secret(std::string(32, 'j')), kStream, stored, 0, 1000, 1000).error().code,
      ErrorCode::kCorruption);
  EXPECT_NE(seal_all(kKey, other, plaintext, 1000).substr(0, 1000), stored.substr(0, 1000));
}

TEST(FrameSealer, RefusesMoreAndLessThanAnnounced) {
  FrameSealer sealer(kKey, kStream, 3);
  EXPECT_EQ(sealer.finish().error().code, ErrorCode::kInvalidArgument);
  ByteView in = as_bytes("abcd");
  EXPECT_EQ(sealer.seal(in)->size(), 19U);
  EXPECT_EQ(sealer.seal(in).error().code, ErrorCode::kInvalidArgument);
}

TEST(Frames, SizesAndRangesDoNotWrap) {
  EXPECT_EQ(stored_size(0), 0u);
  EXPECT_EQ(stored_size(1), 17u);
  EXPECT_EQ(stored_size(kFrameBytes), kStoredFrameBytes);
  EXPECT_EQ(stored_size(kFrameBytes + 1), kStoredFrameBytes + 17);
  const uint64_t kSizes[] = {uint64_t{INT64_MAX}, uint64_t{1} << 63, UINT64_MAX - kFrameBytes,
                             UINT64_MAX - 1, UINT64_MAX};
  for (const uint64_t size : kSizes) {
    EXPECT_GE(stored_size(size), size) << size;
    EXPECT_FALSE(stored_range(stored_size(1000), size, 1)) << size;
    EXPECT_FALSE(stored_range(stored_size(1000), 1, size)) << size;
    EXPECT_FALSE(stored_range(stored_size(1000), size, size)) << size;
  }
}

}  // namespace
}  // namespace rondel::kms
