#include <gtest/gtest.h>

#include "common/base/encoding.h"
#include "common/model/ids.h"

namespace rondel {
namespace {

TEST(EncodingTest, Base64RoundTripsAndIsStrict) {
  for (std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    EXPECT_EQ(from_base64(to_base64(as_bytes(text))), text);
    EXPECT_EQ(from_base64url(to_base64url(as_bytes(text))), text);
  }
  EXPECT_EQ(to_base64(as_bytes("foob")), "Zm9vYg==");
  EXPECT_FALSE(from_base64("Zm9vYg"));
  EXPECT_FALSE(from_base64("Zm9vYh=="));
  EXPECT_FALSE(from_base64("Zm 9"));
}

TEST(EncodingTest, PercentCodingKeepsUnreserved) {
  EXPECT_EQ(percent_encode("a b/~é", true), "a%20b/~%C3%A9");
  EXPECT_EQ(percent_encode("a/b", false), "a%2Fb");
  EXPECT_EQ(percent_decode("a%20b+c", true), "a b c");
  EXPECT_EQ(percent_decode("%41"), "A");
  EXPECT_FALSE(percent_decode("%4"));
  EXPECT_FALSE(percent_decode("%zz"));
}

TEST(EncodingTest, Utf8) {
  EXPECT_TRUE(is_valid_utf8("h\xc3\xa9llo \xf0\x9f\x98\x80"));
  EXPECT_FALSE(is_valid_utf8("\xc0\xaf"));
  EXPECT_FALSE(is_valid_utf8("\xed\xa0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xe2\x82"));
}

TEST(IdsTest, BlobIdBytesSortByStreamThenChunk) {
  model::BlobId a{model::StreamId::random(), 1};
  model::BlobId b{a.stream, 256};
  EXPECT_LT(a.bytes(), b.bytes());
  EXPECT_EQ(model::BlobId::from_bytes(b.bytes().data()), b);
  EXPECT_EQ(model::StreamId::from_hex(a.stream.to_hex()), a.stream);
}

}  // namespace
}  // namespace rondel
