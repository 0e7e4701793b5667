// Text of a policy that may hold wildcards and variables: "arn:aws:s3:::home/${aws:username, 'nobody'}/*".
// Source: "IAM policy elements: Variables and tags", IAM user guide.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/auth/condition_key.h"
#include "gateway/auth/wildcard.h"

namespace rondel::auth {

class PolicyText {
 public:
  // `with_variables`: version 2012-10-17; otherwise "${" is text like any other. `with_wildcards`: '*' and '?' match, otherwise
  // they are themselves. nullopt: a variable that S3 does not know, or one that is not closed.
  static std::optional<PolicyText> parse(std::string_view text, bool with_variables, bool with_wildcards);

  bool has_variables() const { return !pieces_.empty(); }
  // Without variables: the same pattern always.
  const Wildcard& pattern() const { return pattern_; }
  // With the request's values in the place of variables; they match literally. nullopt: a variable is absent from the request
  // and has no default: nothing matches, as IAM has it.
  std::optional<Wildcard> expand(const ConditionSource& request) const;
  // As written.
  const std::string& source() const { return source_; }
  bool uses(ConditionKey key) const;

 private:
  struct Piece {
    std::string text;                    // Before the variable.
    std::optional<KeyName> variable;
    std::optional<std::string> otherwise;
  };

  void append(Wildcard& pattern, std::string_view text) const;

  std::string source_;
  bool with_wildcards_ = true;
  Wildcard pattern_;
  std::vector<Piece> pieces_;            // Empty without variables.
};

}  // namespace rondel::auth
