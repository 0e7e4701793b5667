// The ARNs that a condition compares with: each of the six parts may hold wildcards, which do not
// reach past its colon. Source: "IAM JSON policy elements: Condition operators", "ARN condition
// operators", IAM user guide.
#pragma once

#include <string_view>
#include <vector>

#include "identity/policy/text_set.h"

namespace rondel::policy {

class ArnSet {
 public:
  // `source`: what `text` was parsed from. False: no ARN has that form.
  [[nodiscard]] bool add(std::string_view source, PolicyText text);
  // Before the first match.
  void seal();

  bool matches(std::string_view value, const RequestValues& request) const;

  bool uses(ConditionKey key) const { return texts_.uses(key); }

  size_t memory_bytes() const;

 private:
  using Parts = std::vector<Wildcard>;

  // Without wildcards; and with variables, whose parts are not known before: compared as one text.
  TextSet texts_;
  std::vector<Parts> patterns_;
  PrefixIndex by_prefix_;  // Of patterns_: what stands before the first wildcard of all.
  bool any_ = false;       // "*"
};

}  // namespace rondel::policy
