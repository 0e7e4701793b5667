// Named keys of the key ring: what SSE-KMS and SSE-S3 wrap data keys with.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"

namespace rondel::metadata {

struct KmsKeyVersion {
  uint32_t number = 0;          // From 1.
  std::string sealed_material;  // Sealed by the key ring; opaque here.

  bool operator==(const KmsKeyVersion&) const = default;
};

// What an account may be allowed to do with another one's key; bits. Values are stored.
enum class KmsOperation : uint8_t { kDecrypt = 1, kGenerateDataKey = 2, kEncrypt = 4, kAll = 7 };

// What an account may do with named keys. Safe to copy between threads; no name is looked up
// elsewhere.
struct KmsRights {
  std::map<std::string, uint8_t, std::less<>> keys;  // Bits of KmsOperation.
  bool others = false;  // All keys that have no entry: of the first account.

  bool allows(std::string_view key, KmsOperation operation) const {
    const auto known = keys.find(key);
    if (known == keys.end()) return others;
    return (known->second & static_cast<uint8_t>(operation)) != 0;
  }

  bool operator==(const KmsRights&) const = default;
};

// Whose a key is, and who else may use it. For administration.
struct KmsKeyAccess {
  std::string name;
  std::string owner_account;
  std::map<std::string, uint8_t> grants;  // Account id, bits.
};

struct KmsKey {
  std::string name;
  bool enabled = true;
  SystemTime created_at;
  std::vector<KmsKeyVersion> versions;  // By number, without gaps.
  uint64_t change = 0;                  // The number of its last change.
};

// a-z A-Z 0-9 _ - . / :, 1 to 256 of them.
inline bool is_kms_key_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:";
  return !name.empty() && name.size() <= 256 &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

}  // namespace rondel::metadata
