#include "kms/envelope.h"

#include <gtest/gtest.h>

#include <random>

namespace rondel::kms {
namespace {

const crypto::Secret kWrapping(std::string(32, 'w'));
const crypto::Secret kData(std::string(32, 'd'));
constexpr Binding kBinding{7, "a/key"};

Envelope sample() {
  Envelope envelope;
  envelope.mode = Mode::kSseKms;
  envelope.bucket_key = true;
  envelope.key_id = "alias/one";
  envelope.context = R"({"team":"a"})";
  envelope.wrapped_key = "vault:v1:abc";
  envelope.sealed_data_key = seal_data_key(kWrapping, kData, envelope, kBinding);
  return envelope;
}

TEST(Envelope, EncodesAsWrittenDown) {
  Envelope envelope;
  envelope.mode = Mode::kSseKms;
  envelope.bucket_key = true;
  envelope.key_id = "k";
  envelope.wrapped_key = "wx";
  const std::string expected("\x01\x02\x01\x00\x01k\x00\x00\x00\x02wx\x00\x00", 14);
  EXPECT_EQ(encode(envelope), expected);
  EXPECT_EQ(decode(expected).value(), envelope);
}

TEST(Envelope, RoundTripsAndRefusesEveryCut) {
  const std::string encoded = encode(sample());
  const Envelope envelope = sample();
  EXPECT_EQ(decode(encode(envelope)).value(), envelope);
  for (size_t length = 0; length < encoded.size(); ++length) {
    EXPECT_EQ(decode(encoded.substr(0, length)).error().code, ErrorCode::kCorruption) << length;
  }
  EXPECT_EQ(decode(encoded + "x").error().code, ErrorCode::kCorruption);
  for (const auto& [at, value] : {std::pair{0, 2}, {1, 0}, {1, 4}, {2, 2}}) {
    std::string other = encoded;
    other[static_cast<size_t>(at)] = static_cast<char>(value);
    EXPECT_EQ(decode(other).error().code, ErrorCode::kCorruption);
  }
}

TEST(Envelope, RandomBytesNeverBreakTheDecoder) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 40, '\0');
    for (char& c : text) c = static_cast<char>(random() % 4);
    if (const auto decoded = decode(text)) EXPECT_EQ(encode(*decoded), text);
  }
}

TEST(DataKey, OpensOnlyForWhatItWasSealedFor) {
  const Envelope envelope = sample();
  EXPECT_EQ(open_data_key(kWrapping, envelope, kBinding)->view(), kData.view());
  const auto refused = [](const crypto::Secret& key, const Envelope& changed,
                          const Binding& binding) {
    const auto opened = open_data_key(key, changed, binding);
    return !opened && opened.error().code == ErrorCode::kPermissionDenied;
  };
  EXPECT_TRUE(refused(crypto::Secret(std::string(32, 'x')), envelope, kBinding));
  EXPECT_TRUE(refused(kWrapping, envelope, {8, "a/key"}));
  EXPECT_TRUE(refused(kWrapping, envelope, {7, "a/kez"}));
  const auto with = [&](auto change) {
    Envelope changed = envelope;
    change(changed);
    return changed;
  };
  EXPECT_TRUE(refused(kWrapping, with([](Envelope& e) { e.mode = Mode::kSseS3; }), kBinding));
  EXPECT_TRUE(refused(kWrapping, with([](Envelope& e) { e.bucket_key = false; }), kBinding));
  EXPECT_TRUE(refused(kWrapping, with([](Envelope& e) { e.key_id = "alias/two"; }), kBinding));
  EXPECT_TRUE(refused(kWrapping, with([](Envelope& e) { e.context.clear(); }), kBinding));
  for (size_t i = 0; i < envelope.sealed_data_key.size(); ++i) {
    EXPECT_TRUE(refused(kWrapping, with([i](Envelope& e) {
                          e.sealed_data_key[i] = static_cast<char>(e.sealed_data_key[i] ^ 1);
                        }),
                        kBinding))
        << i;
  }
  // Under a newer version of the same key the data key's seal stays.
  EXPECT_TRUE(open_data_key(kWrapping, with([](Envelope& e) { e.wrapped_key = "vault:v2:def"; }),
                            kBinding));
}

TEST(Envelope, HoldsNoKeyInTheClear) {
  const std::string encoded = encode(sample());
  EXPECT_EQ(encoded.find(kData.view()), std::string::npos);
  EXPECT_EQ(encoded.find(kWrapping.view()), std::string::npos);
}

}  // namespace
}  // namespace rondel::kms
