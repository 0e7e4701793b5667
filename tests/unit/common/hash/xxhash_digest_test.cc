#include "common/hash/xxhash_digest.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <random>

#include "common/base/encoding.h"

namespace rondel::hash {
namespace {

std::string hex(XxhashKind kind, std::string_view text) {
  XxhashDigest digest(kind);
  digest.update(as_bytes(text));
  return to_hex(as_bytes(digest.finish()));
}

// Values of the empty input in xxHash's own sanity tables.
TEST(XxhashDigest, EmptyInput) {
  EXPECT_EQ(hex(XxhashKind::kXxh64, ""), "ef46db3751d8e999");
  EXPECT_EQ(hex(XxhashKind::kXxh3, ""), "2d06800538d394c2");
  EXPECT_EQ(hex(XxhashKind::kXxh128, ""), "99aa06d3014798d86001c324468d497f");
}

TEST(XxhashDigest, PiecesGiveTheValueOfTheWholeAndItStartsAfresh) {
  const auto seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937_64 random(seed);
  std::string bytes(5000, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (const XxhashKind kind : {XxhashKind::kXxh64, XxhashKind::kXxh3, XxhashKind::kXxh128}) {
    const std::string whole = hex(kind, bytes);
    XxhashDigest digest(kind);
    for (int round = 0; round < 2; ++round) {
      for (std::string_view rest = bytes; !rest.empty();) {
        const size_t count = std::min<size_t>(rest.size(), random() % 700);
        digest.update(as_bytes(rest.substr(0, count)));
        rest.remove_prefix(count);
      }
      EXPECT_EQ(to_hex(as_bytes(digest.finish())), whole);
    }
  }
}

TEST(XxhashDigest, ValuesAreBigEndian) {
  const std::string text = "Rondel";
  std::byte raw[8];
  store_be(raw, static_cast<uint64_t>(XXH64(text.data(), text.size(), 0)));
  EXPECT_EQ(hex(XxhashKind::kXxh64, text), to_hex(raw));
  store_be(raw, static_cast<uint64_t>(XXH3_64bits(text.data(), text.size())));
  EXPECT_EQ(hex(XxhashKind::kXxh3, text), to_hex(raw));
}

}  // namespace
}  // namespace rondel::hash
