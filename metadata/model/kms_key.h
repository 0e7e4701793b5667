// Named keys of the key ring: what SSE-KMS and SSE-S3 wrap data keys with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/clock.h"

namespace rondel::metadata {

struct KmsKeyVersion {
  uint32_t number = 0;            // From 1.
  std::string sealed_material;    // Sealed by the key ring; opaque here.

  bool operator==(const KmsKeyVersion&) const = default;
};

struct KmsKey {
  std::string name;
  bool enabled = true;
  SystemTime created_at;
  std::vector<KmsKeyVersion> versions;  // By number, without gaps.
  uint64_t change = 0;                  // The number of its last change.
};

}  // namespace rondel::metadata
