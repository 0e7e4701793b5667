#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <vector>

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
  EXPECT_EQ(hex(hmac_sha256(std::string(131, '\xaa'),
                            "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(hex(hmac_sha1(std::string(20, '\x0b'), "Hi There")),
            "b617318655057264e28bc0b6fb378c8ef146be00");
  EXPECT_EQ(hex(hmac_sha1("Jefe", "what do ya want for nothing?")),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  EXPECT_EQ(hex(hmac_sha1(std::string(80, '\xaa'),
                          "Test Using Larger Than Block-Size Key - Hash Key First")),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112");
  EXPECT_EQ(hex(hmac_sha256("", "")),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
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

ByteView raw(const std::string& text) { return as_bytes(text); }

std::byte* out(std::string& text, size_t at = 0) {
  return reinterpret_cast<std::byte*>(text.data()) + at;
}

struct Message {
  std::string key, nonce, additional, plaintext;
};

// Cuts in [1, `piece`] at random; all at once when 0.
template <class Random>
void run(Aead& aead, const std::string& from, std::string& to, size_t piece, Random& random) {
  for (size_t at = 0; at < from.size();) {
    const size_t most =
        piece == 0 ? from.size() : std::uniform_int_distribution<size_t>(1, piece)(random);
    const size_t count = std::min(most, from.size() - at);
    aead.update(raw(from).subspan(at, count), out(to, at));
    at += count;
  }
}

template <class Random>
std::string seal_message(const Message& message, Aead::Engine engine, size_t piece,
                         Random& random) {
  Aead aead(message.key, Aead::Direction::kSeal, engine);
  aead.begin(raw(message.nonce), raw(message.additional));
  std::string sealed(message.plaintext.size() + kAeadTagBytes, '\0');
  run(aead, message.plaintext, sealed, piece, random);
  aead.finish_seal(out(sealed, message.plaintext.size()));
  return sealed;
}

template <class Random>
std::optional<std::string> open_message(const Message& message, const std::string& sealed,
                                        Aead::Engine engine, size_t piece, Random& random) {
  Aead aead(message.key, Aead::Direction::kOpen, engine);
  aead.begin(raw(message.nonce), raw(message.additional));
  const std::string body = sealed.substr(0, sealed.size() - kAeadTagBytes);
  std::string text(body.size(), '\0');
  run(aead, body, text, piece, random);
  if (!aead.finish_open(raw(sealed).last(kAeadTagBytes))) return std::nullopt;
  return text;
}

constexpr Aead::Engine kEngines[] = {Aead::Engine::kFastest, Aead::Engine::kOpenssl};

// The GCM specification's test cases 13, 14 and 16.
TEST(AeadEngines, KnownValues) {
  std::mt19937 random(1);
  const std::string zeros(32, '\0');
  const Message nothing{zeros, std::string(12, '\0'), "", ""};
  const Message block{zeros, std::string(12, '\0'), "", std::string(16, '\0')};
  const Message long_one{
      *from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"),
      *from_hex("cafebabefacedbaddecaf888"), *from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
      *from_hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532f"
                "cf0e2449a6b525b16aedf5aa0de657ba637b39")};
  for (const Aead::Engine engine : kEngines) {
    EXPECT_EQ(hex(seal_message(nothing, engine, 0, random)), "530f8afbc74536b9a963b4f1c4cb738b");
    EXPECT_EQ(hex(seal_message(block, engine, 0, random)),
              "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    EXPECT_EQ(hex(seal_message(long_one, engine, 0, random)),
              "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b0"
              "8b1056828838c5f61e6393ba7a0abcc9f662"
              "76fc6ece0f4e1768cddf8853bb2d551b");
  }
}

Message random_message(std::mt19937& random, size_t size) {
  return {random_bytes(kAeadKeyBytes), random_bytes(kAeadNonceBytes),
          random_bytes(std::uniform_int_distribution<size_t>(0, 100)(random)), random_bytes(size)};
}

TEST(AeadEngines, SealTheSameWhateverThePieces) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::vector<size_t> sizes{0, 1, 15, 16, 17, 255, 256, 257, 767, 768, 769, 4096, 65'535, 65'536};
  for (int i = 0; i < 60; ++i) {
    sizes.push_back(std::uniform_int_distribution<size_t>(0, 3000)(random));
  }
  for (const size_t size : sizes) {
    const Message message = random_message(random, size);
    const std::string sealed = seal_message(message, Aead::Engine::kOpenssl, 0, random);
    for (const Aead::Engine engine : kEngines) {
      for (const size_t piece : {0, 33, 1000}) {
        EXPECT_TRUE(seal_message(message, engine, piece, random) == sealed)
            << size << " in " << piece;
        EXPECT_TRUE(open_message(message, sealed, engine, piece, random) == message.plaintext)
            << size << " in " << piece;
      }
    }
  }
}

TEST(AeadEngines, RefuseEveryDamage) {
  std::mt19937 random(7);
  const Message message = random_message(random, 1037);
  const std::string sealed = seal_message(message, Aead::Engine::kOpenssl, 0, random);
  for (const Aead::Engine engine : kEngines) {
    for (size_t i = 0; i < sealed.size(); ++i) {
      std::string damaged = sealed;
      damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
      EXPECT_FALSE(open_message(message, damaged, engine, 0, random)) << i;
    }
    EXPECT_FALSE(open_message(message, sealed.substr(1), engine, 0, random));
    for (std::string Message::* part : {&Message::key, &Message::nonce, &Message::additional}) {
      Message other = message;
      (other.*part)[0] = static_cast<char>((other.*part)[0] ^ 1);
      if (!(message.*part).empty()) EXPECT_FALSE(open_message(other, sealed, engine, 0, random));
    }
  }
}

TEST(AeadEngines, WorkInPlaceAndForgetWhatWasGivenUp) {
  std::mt19937 random(11);
  const Message message = random_message(random, 70'000);
  const std::string sealed = seal_message(message, Aead::Engine::kOpenssl, 0, random);
  for (const Aead::Engine engine : kEngines) {
    Aead aead(message.key, Aead::Direction::kOpen, engine);
    aead.begin(raw(random_bytes(kAeadNonceBytes)), {});
    std::string scratch(100, 'x');
    aead.update(raw(scratch), out(scratch));
    std::string text = sealed.substr(0, message.plaintext.size());
    aead.begin(raw(message.nonce), raw(message.additional));
    aead.update(raw(text).first(50'001), out(text));
    aead.update(raw(text).subspan(50'001), out(text, 50'001));
    EXPECT_TRUE(aead.finish_open(raw(sealed).last(kAeadTagBytes)));
    EXPECT_TRUE(text == message.plaintext);
  }
}

}  // namespace
}  // namespace rondel::crypto
