// A bucket and its settings.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/clock.h"

namespace rondel::metadata {

// Values are stored: never renumber.
enum class Versioning : uint8_t { kNever = 0, kEnabled = 1, kSuspended = 2 };

// Documents of sub-resources (policy, CORS, lifecycle, ...) by kind. Values are stored: never
// renumber.
enum class SettingKind : uint8_t {
  kAcl = 1,
  kPolicy = 2,
  kCors = 3,
  kLifecycle = 4,
  kEncryption = 5,
  kTagging = 6,
  kOwnership = 7,
  kPublicAccessBlock = 8,
  kObjectLock = 9,
  kRequestPayment = 10,
};

struct Bucket {
  int64_t id = 0;
  std::string name;
  std::string owner_account;  // Account id.
  std::string owner_canonical_id;
  std::string owner_display_name;
  uint8_t owner_public_access_block = 0;  // Of the owner's account.
  std::string region;
  SystemTime created_at;
  Versioning versioning = Versioning::kNever;
  bool object_lock = false;
  // Rises with every change of settings; commits carry the version they were decided under.
  int64_t settings_version = 1;
  // All but the lifecycle rules, which may be megabytes and are read where they are asked for
  // (BucketStore::find_setting).
  std::map<SettingKind, std::string> settings;
  bool has_lifecycle = false;
};

// Whether a bucket may be called so, as far as every name is: 3 to 63 of a-z, 0-9, '-' and '.'.
inline bool can_be_bucket_name(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
         });
}

// About what it holds, in bytes.
inline size_t memory_bytes(const Bucket& bucket) {
  constexpr size_t kNodeBytes = 96;
  size_t bytes = sizeof(Bucket) + bucket.name.size() + bucket.owner_account.size() +
                 bucket.owner_canonical_id.size() + bucket.owner_display_name.size() +
                 bucket.region.size();
  for (const auto& [kind, document] : bucket.settings) bytes += kNodeBytes + document.size();
  return bytes;
}

}  // namespace rondel::metadata
