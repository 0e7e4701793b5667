// Condition keys: what a condition or a policy variable may ask of a request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rondel::policy {

enum class ConditionKey : uint8_t {
#define RONDEL_CONDITION_KEY(constant, name, kind) k##constant,
#include "identity/policy/condition_key_list.h"
#undef RONDEL_CONDITION_KEY
};

enum class ValueKind : uint8_t { kString, kNumeric, kDate, kBool, kIp, kArn };

// A key, with the tag's key behind the slash where it has one.
struct KeyName {
  ConditionKey key = ConditionKey::kPrefix;
  std::string tag;
  bool operator==(const KeyName&) const = default;
};

ValueKind kind_of(ConditionKey key);
std::string_view name_of(ConditionKey key);
// ASCII letters alike; the tag's key as it is. nullopt: S3 knows no such key.
std::optional<KeyName> parse_key(std::string_view name);

// What a request says, by key. Empty = the key is absent.
class ConditionSource {
 public:
  virtual ~ConditionSource() = default;
  virtual std::vector<std::string> values(const KeyName& key) const = 0;
};

}  // namespace rondel::policy
