// The checksum algorithms of S3, incremental, and combination of CRCs of adjoining runs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/bytes.h"

namespace rondel::hash {

uint32_t crc32(uint32_t crc, ByteView bytes);      // zlib's polynomial; start with 0.
uint32_t crc32c(uint32_t crc, ByteView bytes);     // Castagnoli; start with 0.
uint64_t crc64nvme(uint64_t crc, ByteView bytes);  // NVMe base specification; start with 0.

// The CRC of a followed by b, from theirs and b's length.
uint32_t crc32_combine(uint32_t a, uint32_t b, uint64_t b_length);
uint32_t crc32c_combine(uint32_t a, uint32_t b, uint64_t b_length);
uint64_t crc64nvme_combine(uint64_t a, uint64_t b, uint64_t b_length);

}  // namespace rondel::hash
