// Ownership of objects, and the block on public access.
// Source: "Controlling ownership of objects and disabling ACLs for your bucket", "Blocking public
// access to your Amazon S3 storage".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondel::access {

enum class Ownership : uint8_t { kObjectWriter, kBucketOwnerPreferred, kBucketOwnerEnforced };

std::string_view ownership_name(Ownership ownership);
std::optional<Ownership> find_ownership(std::string_view name);

struct PublicAccessBlock {
  bool block_public_acls = false;
  bool ignore_public_acls = false;
  bool block_public_policy = false;
  bool restrict_public_buckets = false;

  // Bits 0 to 3 in the order above. Stored: never renumber.
  uint8_t bits() const;
  static PublicAccessBlock of(uint8_t bits);

  // Whatever one of the two demands.
  PublicAccessBlock operator|(const PublicAccessBlock& other) const {
    return of(bits() | other.bits());
  }

  bool operator==(const PublicAccessBlock&) const = default;
};

// As a bucket's setting: one byte '0' + bits.
std::string encode_block(const PublicAccessBlock& block);
PublicAccessBlock decode_block(std::string_view encoded);

}  // namespace rondel::access
