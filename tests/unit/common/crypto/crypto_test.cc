#include <gtest/gtest.h>

#include <random>
#include <set>

#include "common/base/encoding.h"
#include "common/crypto/aead.h"
#include "common/crypto/digest.h"

namespace rondel::crypto {
namespace {

std::string hex(const std::string& raw) { return to_hex(as_bytes(raw)); }

TEST(Digest, KnownValues) {
  EXPECT_EQ(hex(md5("")), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(hex(md5("abc")), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Digest sha1(DigestAlgorithm::kSha1);
  sha1.update("abc");
  EXPECT_EQ(hex(sha1.finish()), "a9993e364706816aba3e25717850c26c9cd0d89d");
  Digest sha512(DigestAlgorithm::kSha512);
  sha512.update("abc");
  EXPECT_EQ(hex(sha512.finish()).substr(0, 32), "ddaf35a193617abacc417349ae204131");
}

TEST(Digest, AnySplitGivesTheSameAndItStartsAfresh) {
  std::string text(1000, 'x');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7);
  Digest digest(DigestAlgorithm::kSha256);
  for (size_t cut = 0; cut <= text.size(); cut += 13) {
    digest.update(std::string_view(text).substr(0, cut));
    digest.update(std::string_view(text).substr(cut));
    EXPECT_EQ(digest.finish(), sha256(text)) << cut;
  }
}

TEST(Digest, CanBeMoved) {
  Digest first(DigestAlgorithm::kMd5);
  first.update("ab");
  Digest second(std::move(first));
  second.update("c");
  EXPECT_EQ(second.finish(), md5("abc"));
}

// RFC 4231 cases 1, 2, 6; RFC 2202 for SHA-1.
TEST(Hmac, PublishedValues) {
  EXPECT_EQ(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(hex(hmac_sha1(std::string(20, '\x0b'), "Hi There")), "b617318655057264e28bc0b6fb378c8ef146be00");
  EXPECT_EQ(hex(hmac_sha1("Jefe", "what do ya want for nothing?")), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  EXPECT_EQ(hex(hmac_sha1(std::string(80, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112");
  EXPECT_EQ(hex(hmac_sha256("", "")), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(ConstantTimeEqual, ComparesLikeEquality) {
  EXPECT_TRUE(constant_time_equal("", ""));
  EXPECT_TRUE(constant_time_equal("abc", "abc"));
  EXPECT_FALSE(constant_time_equal("abc", "abd"));
  EXPECT_FALSE(constant_time_equal("abc", "ab"));
}

TEST(RandomBytes, HasTheLengthAndDoesNotRepeat) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(seen.insert(random_bytes(16)).second);
  EXPECT_EQ(random_bytes(0), "");
  EXPECT_EQ(random_bytes(33).size(), 33U);
}

TEST(Aead, RoundTripsAndNeverTwiceTheSame) {
  const std::string key = random_bytes(32);
  for (const std::string& text : {std::string(), std::string("secret"), std::string(5000, 'z')}) {
    const Result<std::string> sealed = seal(key, text, "row 7");
    ASSERT_TRUE(sealed);
    EXPECT_EQ(sealed->size(), text.size() + 28);
    EXPECT_NE(*sealed, *seal(key, text, "row 7"));
    EXPECT_EQ(open(key, *sealed, "row 7").value(), text);
  }
}

TEST(Aead, RefusesEveryDamageAndForeignContextOrKey) {
  const std::string key = random_bytes(32);
  const std::string sealed = *seal(key, "secret", "row 7");
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string damaged = sealed;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_EQ(open(key, damaged, "row 7").error().code, ErrorCode::kCorruption) << i;
    EXPECT_EQ(open(key, sealed.substr(0, i), "row 7").error().code, ErrorCode::kCorruption) << i;
  }
  EXPECT_EQ(open(key, sealed, "row 8").error().code, ErrorCode::kCorruption);
  EXPECT_EQ(open(random_bytes(32), sealed, "row 7").error().code, ErrorCode::kCorruption);
  EXPECT_EQ(open("short", sealed, "row 7").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(seal("short", "secret", "").error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace rondel::crypto
