#include "common/hash/crc64nvme.h"

#include <array>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "common/base/assert.h"

namespace rondel::hash {
namespace {

constexpr size_t kSlices = 8;
using Tables = std::array<std::array<uint64_t, 256>, kSlices>;

constexpr uint64_t times_x(uint64_t value) {
  return (value >> 1) ^ ((value & 1) ? kCrc64NvmePolynomial : 0);
}

constexpr Tables make_tables() {
  Tables tables{};
  for (uint64_t byte = 0; byte < 256; ++byte) {
    uint64_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = times_x(value);
    tables[0][byte] = value;
  }
  for (size_t slice = 1; slice < kSlices; ++slice) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint64_t before = tables[slice - 1][byte];
      tables[slice][byte] = tables[0][before & 0xff] ^ (before >> 8);
    }
  }
  return tables;
}

constinit const Tables kTables = make_tables();

}  // namespace

uint64_t crc64nvme_by_table(uint64_t state, ByteView bytes) {
  while (bytes.size() >= kSlices) {
    const uint64_t word = state ^ load_le<uint64_t>(bytes.data());
    state = 0;
    for (size_t slice = 0; slice < kSlices; ++slice) {
      state ^= kTables[7 - slice][(word >> (8 * slice)) & 0xff];
    }
    bytes = bytes.subspan(kSlices);
  }
  for (const std::byte byte : bytes) {
    state = kTables[0][(state ^ std::to_integer<uint64_t>(byte)) & 0xff] ^ (state >> 8);
  }
  return state;
}

#if defined(__x86_64__)
namespace {

// x^n modulo the polynomial, bit-reversed.
consteval int64_t power_of_x(int n) {
  uint64_t value = uint64_t{1} << 63;
  for (int i = 0; i < n; ++i) value = times_x(value);
  return static_cast<int64_t>(value);
}

// Moving a register forward by `distance` bits multiplies its low half (the higher powers) by
// x^(distance + 64) and its high half by x^distance. A carry-less product of bit-reversed values
// comes out one power of x too high: hence the - 1.
template <int distance>
[[gnu::target("pclmul,sse2")]] __m128i fold(__m128i accumulator, __m128i next) {
  const __m128i factors = _mm_set_epi64x(power_of_x(distance - 1), power_of_x(distance + 63));
  const __m128i low = _mm_clmulepi64_si128(accumulator, factors, 0x00);
  const __m128i high = _mm_clmulepi64_si128(accumulator, factors, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

[[gnu::target("sse2")]] __m128i load(const std::byte* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

}  // namespace

bool crc64nvme_folding_available() { return __builtin_cpu_supports("pclmul") != 0; }

[[gnu::target("pclmul,sse2")]] uint64_t crc64nvme_by_folding(uint64_t state, ByteView bytes) {
  ASSERT(bytes.size() >= kCrc64FoldingBytesMin);
  const std::byte* from = bytes.data();
  size_t left = bytes.size() - 64;
  __m128i a = _mm_xor_si128(load(from), _mm_cvtsi64_si128(static_cast<int64_t>(state)));
  __m128i b = load(from + 16);
  __m128i c = load(from + 32);
  __m128i d = load(from + 48);
  from += 64;
  for (; left >= 64; left -= 64, from += 64) {
    a = fold<512>(a, load(from));
    b = fold<512>(b, load(from + 16));
    c = fold<512>(c, load(from + 32));
    d = fold<512>(d, load(from + 48));
  }
  a = fold<128>(a, b);
  a = fold<128>(a, c);
  a = fold<128>(a, d);
  for (; left >= 16; left -= 16, from += 16) a = fold<128>(a, load(from));
  std::array<std::byte, 16> folded;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(folded.data()), a);
  return crc64nvme_by_table(crc64nvme_by_table(0, folded), {from, left});
}
#else
bool crc64nvme_folding_available() { return false; }

uint64_t crc64nvme_by_folding(uint64_t, ByteView) {
  ASSERT(!"no carry-less multiplication on this processor");
  return 0;
}
#endif

}  // namespace rondel::hash
