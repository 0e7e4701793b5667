// The JSON of a bucket policy, as statements. One reason for MalformedPolicy per mistake.
#pragma once

#include "gateway/auth/policy.h"

namespace rondel::auth {

struct PolicyDocument {
  std::vector<Statement> statements;
  KeyTable keys;
};

std::expected<PolicyDocument, std::string> parse_policy_document(std::string_view json, std::string_view bucket);

}  // namespace rondel::auth
