#include "common/hash/checksum.h"

#include <isa-l/crc.h>

#include <algorithm>
#include <bit>
#include <concepts>

#include "common/hash/crc64nvme.h"

namespace rondel::hash {
namespace {

// Polynomials with the bits reversed: the coefficient of x^0 is the top bit.
constexpr uint32_t kCrc32Polynomial = 0xedb88320;
constexpr uint32_t kCrc32cPolynomial = 0x82f63b78;

constexpr size_t kIsalRun = size_t{1} << 30;  // crc32_iscsi takes its length as int.

// a * b modulo the polynomial, all bit-reversed.
template <std::unsigned_integral T>
constexpr T multiply(T a, T b, T polynomial) {
  T product = 0;
  for (T bit = T{1} << (sizeof(T) * 8 - 1); bit != 0; bit >>= 1) {
    if (a & bit) product ^= b;
    b = static_cast<T>((b >> 1) ^ ((b & 1) ? polynomial : 0));
  }
  return product;
}

// x^(8 * bytes) modulo the polynomial.
template <std::unsigned_integral T>
T shift_factor(uint64_t bytes, T polynomial) {
  constexpr T kOne = T{1} << (sizeof(T) * 8 - 1);
  T power = kOne >> 8;  // x^8
  T factor = kOne;
  for (; bytes != 0; bytes >>= 1) {
    if (bytes & 1) factor = multiply(factor, power, polynomial);
    power = multiply(power, power, polynomial);
  }
  return factor;
}

// Initial value and final inversion are both all ones in each of the three, so they cancel out in
// the sum.
template <std::unsigned_integral T>
T combine(T a, T b, uint64_t b_length, T polynomial) {
  return multiply(shift_factor(b_length, polynomial), a, polynomial) ^ b;
}

unsigned char* isal_bytes(ByteView bytes) {
  return const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
}

}  // namespace

uint32_t crc32(uint32_t crc, ByteView bytes) {
  return crc32_gzip_refl(crc, isal_bytes(bytes), bytes.size());
}

uint32_t crc32c(uint32_t crc, ByteView bytes) {
  uint32_t state = ~crc;  // crc32_iscsi leaves both inversions to its caller.
  while (!bytes.empty()) {
    const size_t run = std::min(bytes.size(), kIsalRun);
    state = crc32_iscsi(isal_bytes(bytes), static_cast<int>(run), state);
    bytes = bytes.subspan(run);
  }
  return ~state;
}

uint64_t crc64nvme(uint64_t crc, ByteView bytes) {
  static const bool folding = crc64nvme_folding_available();
  return folding && bytes.size() >= kCrc64FoldingBytesMin ? ~crc64nvme_by_folding(~crc, bytes)
                                                          : ~crc64nvme_by_table(~crc, bytes);
}

uint32_t crc32_combine(uint32_t a, uint32_t b, uint64_t b_length) {
  return combine(a, b, b_length, kCrc32Polynomial);
}

uint32_t crc32c_combine(uint32_t a, uint32_t b, uint64_t b_length) {
  return combine(a, b, b_length, kCrc32cPolynomial);
}

uint64_t crc64nvme_combine(uint64_t a, uint64_t b, uint64_t b_length) {
  return combine(a, b, b_length, kCrc64NvmePolynomial);
}

}  // namespace rondel::hash
