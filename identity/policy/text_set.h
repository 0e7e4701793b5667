// The texts of one list of a policy (resources of a statement, values of a condition): searched,
// not tried one by one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "identity/policy/byte_pairs.h"
#include "identity/policy/policy_text.h"
#include "identity/policy/prefix_index.h"

namespace rondel::policy {

class TextSet {
 public:
  // `ignore_case`: of ASCII letters; no operator that does so has wildcards, so texts must have
  // none.
  explicit TextSet(bool ignore_case = false) : ignore_case_(ignore_case) {}

  void add(PolicyText text);
  // Before the first match.
  void seal();

  // One of the texts matches. When the request's work is over it is not known, and the answer is
  // no.
  bool matches(std::string_view text, const RequestValues& request) const;
  // Every variable in it has a value.
  bool resolves(const RequestValues& request) const;
  bool uses(ConditionKey key) const;
  size_t memory_bytes() const;

 private:
  bool has_literal(std::string_view text, Work& work) const;
  bool has_pattern(std::string_view text, Work& work) const;

  bool ignore_case_;
  std::vector<std::string> literals_;  // Sorted; small letters where case is ignored.
  size_t longest_ = 0;                 // Of literals_, in bytes.
  std::vector<Wildcard> patterns_;
  std::vector<BytePairs::Demand> demands_;  // Of patterns_.
  PrefixIndex by_prefix_;                   // Of patterns_.
  std::vector<PolicyText> with_variables_;
};

}  // namespace rondel::policy
