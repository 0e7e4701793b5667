// The two ways to compute CRC-64/NVME. Callers use crc64nvme() of checksum.h; tests compare the
// two. State is the register itself: inverted on the way in and out by the caller. Source: NVM
// Express NVM command set specification, "64b CRC"; V. Gopal et al., "Fast CRC computation for
// generic polynomials using PCLMULQDQ instruction", Intel 2009.
#pragma once

#include <cstdint>

#include "common/base/bytes.h"

namespace rondel::hash {

inline constexpr uint64_t kCrc64NvmePolynomial = 0x9a6c9329ac4bc9b5;  // Bit-reversed.
inline constexpr size_t kCrc64FoldingBytesMin = 128;

uint64_t crc64nvme_by_table(uint64_t state, ByteView bytes);

// The processor has carry-less multiplication.
bool crc64nvme_folding_available();
// REQUIRES: crc64nvme_folding_available() and bytes.size() >= kCrc64FoldingBytesMin.
uint64_t crc64nvme_by_folding(uint64_t state, ByteView bytes);

}  // namespace rondel::hash
