#include "common/hash/hash64.h"

#include <xxhash.h>

namespace rondel::hash {

uint64_t hash64(ByteView bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace rondel::hash
