#include "common/hash/checksum.h"

#include <gtest/gtest.h>

#include <random>

#include "common/hash/crc64nvme.h"

namespace rondel::hash {
namespace {

// The plain definition, one bit at a time.
template <class T>
T bitwise(T polynomial, ByteView bytes) {
  T state = static_cast<T>(~T{0});
  for (const std::byte byte : bytes) {
    state ^= std::to_integer<T>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      state = static_cast<T>((state >> 1) ^ ((state & 1) ? polynomial : 0));
    }
  }
  return static_cast<T>(~state);
}

constexpr uint32_t kCrc32 = 0xedb88320;
constexpr uint32_t kCrc32c = 0x82f63b78;

class Checksums : public testing::Test {
 protected:
  void SetUp() override {
    const auto seed = std::random_device{}();
    RecordProperty("seed", std::to_string(seed));
    std::printf("seed %u\n", seed);
    random_.seed(seed);
    bytes_.resize(8192);
    for (std::byte& byte : bytes_) byte = static_cast<std::byte>(random_());
  }

  std::mt19937_64 random_;
  std::vector<std::byte> bytes_;
};

TEST_F(Checksums, CheckValues) {
  const ByteView digits = as_bytes("123456789");
  EXPECT_EQ(crc32(0, digits), 0xcbf43926U);
  EXPECT_EQ(crc32c(0, digits), 0xe3069283U);
  EXPECT_EQ(crc64nvme(0, digits), 0xae8b14860a799888ULL);
  EXPECT_EQ(crc32(0, {}), 0U);
  EXPECT_EQ(crc32c(0, {}), 0U);
  EXPECT_EQ(crc64nvme(0, {}), 0U);
}

TEST_F(Checksums, EqualTheBitwiseDefinitionForEveryLengthAndAlignment) {
  for (size_t length = 0; length < 600; ++length) {
    const ByteView run = ByteView(bytes_).subspan(random_() % 64, length);
    ASSERT_EQ(crc32(0, run), bitwise(kCrc32, run)) << length;
    ASSERT_EQ(crc32c(0, run), bitwise(kCrc32c, run)) << length;
    ASSERT_EQ(crc64nvme(0, run), bitwise(kCrc64NvmePolynomial, run)) << length;
    ASSERT_EQ(~crc64nvme_by_table(~0ULL, run), bitwise(kCrc64NvmePolynomial, run)) << length;
  }
  for (const size_t length : {1024U, 4096U, 5000U, 8000U}) {
    for (size_t offset = 0; offset < 17; ++offset) {
      const ByteView run = ByteView(bytes_).subspan(offset, length);
      ASSERT_EQ(crc64nvme(0, run), bitwise(kCrc64NvmePolynomial, run))
          << length << " at " << offset;
    }
  }
}

TEST_F(Checksums, FoldingEqualsTheTableFromAnyState) {
  if (!crc64nvme_folding_available()) GTEST_SKIP() << "no carry-less multiplication here";
  for (int i = 0; i < 300; ++i) {
    const ByteView run =
        ByteView(bytes_).subspan(random_() % 100, kCrc64FoldingBytesMin + random_() % 4000);
    const uint64_t state = random_();
    ASSERT_EQ(crc64nvme_by_folding(state, run), crc64nvme_by_table(state, run)) << run.size();
  }
}

TEST_F(Checksums, ContinueAndCombineOverAnySplit) {
  const ByteView whole = bytes_;
  for (int i = 0; i < 200; ++i) {
    const size_t cut = random_() % (whole.size() + 1);
    const ByteView a = whole.first(cut);
    const ByteView b = whole.subspan(cut);
    ASSERT_EQ(crc32(crc32(0, a), b), crc32(0, whole)) << cut;
    ASSERT_EQ(crc32c(crc32c(0, a), b), crc32c(0, whole)) << cut;
    ASSERT_EQ(crc64nvme(crc64nvme(0, a), b), crc64nvme(0, whole)) << cut;
    ASSERT_EQ(crc32_combine(crc32(0, a), crc32(0, b), b.size()), crc32(0, whole)) << cut;
    ASSERT_EQ(crc32c_combine(crc32c(0, a), crc32c(0, b), b.size()), crc32c(0, whole)) << cut;
    ASSERT_EQ(crc64nvme_combine(crc64nvme(0, a), crc64nvme(0, b), b.size()), crc64nvme(0, whole))
        << cut;
  }
}

TEST_F(Checksums, CombineBeyondFourGigabytes) {
  // zeros: combining in two ways must agree, without hashing 5 GiB.
  const std::vector<std::byte> zeros(1 << 16);
  uint64_t run = crc64nvme(0, zeros);
  uint64_t size = zeros.size();
  while (size < (uint64_t{5} << 30)) {
    run = crc64nvme_combine(run, run, size);
    size *= 2;
  }
  const uint64_t head = crc64nvme(0, bytes_);
  const uint64_t at_once = crc64nvme_combine(head, run, size);
  // One half, then the other.
  uint64_t half = crc64nvme(0, zeros);
  for (uint64_t n = zeros.size(); n < size / 2; n *= 2) half = crc64nvme_combine(half, half, n);
  EXPECT_EQ(crc64nvme_combine(crc64nvme_combine(head, half, size / 2), half, size / 2), at_once);
}

}  // namespace
}  // namespace rondel::hash
