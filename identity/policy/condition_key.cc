#include "identity/policy/condition_key.h"

#include "common/http/message.h"

namespace rondel::policy {
namespace {

struct Row {
  ConditionKey key;
  std::string_view name;
  ValueKind kind;
};

constexpr Row kRows[] = {
#define RONDEL_CONDITION_KEY(constant, name, kind) \
  {ConditionKey::k##constant, name, ValueKind::kind},
#include "identity/policy/condition_key_list.h"
#undef RONDEL_CONDITION_KEY
};

}  // namespace

ValueKind kind_of(ConditionKey key) { return kRows[static_cast<size_t>(key)].kind; }

std::string_view name_of(ConditionKey key) { return kRows[static_cast<size_t>(key)].name; }

std::optional<KeyName> parse_key(std::string_view name) {
  for (const Row& candidate : kRows) {
    if (!candidate.name.ends_with('/')) {
      if (http::iequals(candidate.name, name)) return KeyName{candidate.key, {}};
      continue;
    }
    if (name.size() > candidate.name.size() &&
        http::iequals(candidate.name, name.substr(0, candidate.name.size()))) {
      return KeyName{candidate.key, std::string(name.substr(candidate.name.size()))};
    }
  }
  return std::nullopt;
}

}  // namespace rondel::policy
