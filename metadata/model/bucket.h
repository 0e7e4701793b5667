// A bucket and its settings.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/base/clock.h"

namespace rondel::metadata {

// Values are stored: never renumber.
enum class Versioning : uint8_t { kNever = 0, kEnabled = 1, kSuspended = 2 };

// Documents of sub-resources (policy, CORS, lifecycle, ...) by kind. Values are stored: never renumber.
enum class SettingKind : uint8_t {
  kAcl = 1, kPolicy = 2, kCors = 3, kLifecycle = 4, kEncryption = 5, kTagging = 6, kOwnership = 7,
  kPublicAccessBlock = 8, kObjectLock = 9, kRequestPayment = 10,
};

struct Bucket {
  int64_t id = 0;
  std::string name;
  std::string owner_account;       // Account id.
  std::string owner_canonical_id;
  std::string owner_display_name;
  uint8_t owner_public_access_block = 0;   // Of the owner's account.
  std::string region;
  SystemTime created_at;
  Versioning versioning = Versioning::kNever;
  bool object_lock = false;
  // Rises with every change of settings; commits carry the version they were decided under.
  int64_t settings_version = 1;
  std::map<SettingKind, std::string> settings;
};

}  // namespace rondel::metadata
