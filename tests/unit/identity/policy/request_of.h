// A request that says what a test wants it to say.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "identity/policy/condition_key.h"

namespace rondel::policy {

class RequestOf final : public ConditionSource {
 public:
  RequestOf() = default;

  RequestOf(std::initializer_list<std::pair<const std::string, std::vector<std::string>>> said)
      : said_(said) {}

  std::vector<std::string> values(const KeyName& key) const override {
    ++asked;
    const auto found = said_.find(std::string(name_of(key.key)) + key.tag);
    return found == said_.end() ? std::vector<std::string>{} : found->second;
  }

  mutable size_t asked = 0;

 private:
  std::map<std::string, std::vector<std::string>> said_;
};

}  // namespace rondel::policy
