// Text of a policy that may hold wildcards and variables: "arn:aws:s3:::home/${aws:username,
// 'nobody'}/*". Source: "IAM policy elements: Variables and tags", IAM user guide.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/policy/request_values.h"
#include "identity/policy/wildcard.h"

namespace rondel::policy {

class PolicyText {
 public:
  // `with_variables`: version 2012-10-17; otherwise "${" is text like any other. `with_wildcards`:
  // '*' and '?' match, otherwise they are themselves. Variables are numbered in `keys`. nullopt: a
  // variable that S3 does not know, or one that is not closed.
  static std::optional<PolicyText> parse(std::string_view text, bool with_variables,
                                         bool with_wildcards, KeyTable& keys);

  bool has_variables() const { return !pieces_.empty(); }

  // Without variables: the same pattern always.
  const Wildcard& pattern() const { return pattern_; }

  // With the request's values in the place of variables; they match literally. A variable that is
  // absent from the request and has no default: nothing matches, as IAM has it. REQUIRES:
  // variables. `ignore_case` (of ASCII letters) goes with texts without wildcards.
  bool matches(std::string_view text, const RequestValues& request, bool ignore_case) const;
  // Every variable in it has a value or a default.
  bool resolves(const RequestValues& request) const;
  bool uses(ConditionKey key) const;
  size_t memory_bytes() const;

 private:
  // Text, and the variable behind it. A variable that always has its default and no key is a
  // literal character ("${*}").
  struct Piece {
    Wildcard text;
    std::vector<std::string> runs;  // Literal ones of the text.
    std::optional<ConditionKey> key;
    uint16_t key_number = 0;
    std::optional<std::string> otherwise;

    bool has_variable() const { return key || otherwise; }

    std::optional<std::string_view> value(const RequestValues& request) const;
  };

  bool matches_expanded(std::string_view text, const RequestValues& request) const;

  Wildcard pattern_;
  std::vector<Piece> pieces_;  // Empty without variables.
};

}  // namespace rondel::policy
