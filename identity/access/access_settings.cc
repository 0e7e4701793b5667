#include "identity/access/access_settings.h"

#include <array>

namespace rondel::access {
namespace {

constexpr std::array<std::string_view, 3> kNames{"ObjectWriter", "BucketOwnerPreferred",
                                                 "BucketOwnerEnforced"};

}  // namespace

std::string_view ownership_name(Ownership ownership) {
  return kNames[static_cast<size_t>(ownership)];
}

std::optional<Ownership> find_ownership(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Ownership>(i);
  }
  return std::nullopt;
}

uint8_t PublicAccessBlock::bits() const {
  return static_cast<uint8_t>(block_public_acls | ignore_public_acls << 1 |
                              block_public_policy << 2 | restrict_public_buckets << 3);
}

PublicAccessBlock PublicAccessBlock::of(uint8_t bits) {
  return {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0};
}

std::string encode_block(const PublicAccessBlock& block) {
  return std::string(1, static_cast<char>('0' + block.bits()));
}

// What cannot be read blocks everything.
PublicAccessBlock decode_block(std::string_view encoded) {
  if (encoded.size() == 1 && encoded[0] >= '0' && encoded[0] < '0' + 16) {
    return PublicAccessBlock::of(static_cast<uint8_t>(encoded[0] - '0'));
  }
  return PublicAccessBlock::of(15);
}

}  // namespace rondel::access
