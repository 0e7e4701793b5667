// XXH3-64 of a run of bytes: the check value of headers, footers and other small structures on
// disk.
#pragma once

#include <cstdint>

#include "common/base/bytes.h"

namespace rondel::hash {

uint64_t hash64(ByteView bytes, uint64_t seed = 0);

}  // namespace rondel::hash
