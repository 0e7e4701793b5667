// The JSON of a bucket policy, as statements. One reason for MalformedPolicy per mistake.
#pragma once

#include "identity/policy/policy.h"

namespace rondel::policy {

struct PolicyDocument {
  std::vector<Statement> statements;
  KeyTable keys;
  bool lacks_version = false;
};

std::expected<PolicyDocument, std::string> parse_policy_document(std::string_view json,
                                                                 std::string_view bucket);

}  // namespace rondel::policy
