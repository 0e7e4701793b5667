#include "gateway/payload/object_checksum.h"

#include <gtest/gtest.h>

#include "common/base/encoding.h"

namespace rondel::payload {
namespace {

using model::ChecksumAlgorithm;

TEST(ObjectChecksum, KnownValues) {
  const std::pair<ChecksumAlgorithm, const char*> kOfNine[] = {
      {ChecksumAlgorithm::kCrc32, "cbf43926"},
      {ChecksumAlgorithm::kCrc32c, "e3069283"},
      {ChecksumAlgorithm::kCrc64Nvme, "ae8b14860a799888"},
      {ChecksumAlgorithm::kMd5, "25f9e794323b453885f5181f1b624d0b"},
      {ChecksumAlgorithm::kSha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"},
      {ChecksumAlgorithm::kSha256,
       "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"},
      {ChecksumAlgorithm::kXxhash64, "8cb841db40e6ae83"},
  };
  for (const auto& [algorithm, hex] : kOfNine) {
    EXPECT_EQ(to_hex(as_bytes(object_checksum(algorithm, as_bytes("123456789")))), hex)
        << model::to_string(algorithm);
  }
}

TEST(ObjectChecksum, EveryAlgorithmHasItsLengthAndStartsAfresh) {
  EXPECT_EQ(model::all_checksum_algorithms().size(), 10u);
  for (const ChecksumAlgorithm algorithm : model::all_checksum_algorithms()) {
    ObjectChecksum checksum(algorithm);
    checksum.update(as_bytes("one"));
    const std::string first = checksum.finish();
    EXPECT_EQ(first.size(), model::raw_size(algorithm));
    checksum.update(as_bytes("one"));
    EXPECT_EQ(checksum.finish(), first);
    EXPECT_EQ(model::parse_checksum_algorithm(model::to_string(algorithm)), algorithm);
    EXPECT_EQ(parse_checksum(algorithm, to_base64(as_bytes(first))), first);
    EXPECT_EQ(parse_checksum(algorithm, to_base64(as_bytes(first + "x"))), std::nullopt);
    EXPECT_TRUE(model::has_full_object_form(algorithm) || model::has_composite_form(algorithm));
  }
}

TEST(ObjectChecksum, PartsGiveTheWholeForCrcsAlone) {
  const std::string a(70'000, 'a'), b = "bc";
  for (const ChecksumAlgorithm algorithm : model::all_checksum_algorithms()) {
    const PartChecksum parts[] = {{object_checksum(algorithm, as_bytes(a)), a.size()},
                                  {object_checksum(algorithm, as_bytes(b)), b.size()}};
    const auto whole = full_object_checksum(algorithm, parts);
    EXPECT_EQ(whole.has_value(), model::has_full_object_form(algorithm));
    if (whole) EXPECT_EQ(*whole, object_checksum(algorithm, as_bytes(a + b)));
    const std::string values[] = {parts[0].value, parts[1].value};
    EXPECT_EQ(composite_checksum(algorithm, values),
              object_checksum(algorithm, as_bytes(values[0] + values[1])));
  }
}

}  // namespace
}  // namespace rondel::payload
