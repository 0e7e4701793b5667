// The policy of a POST upload: what a form may say. Pure.
// Source: "Creating a POST policy", S3 API reference ("Authenticating requests: browser-based
// uploads using POST").
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"

namespace rondel::signature {

using FormFields = std::vector<std::pair<std::string, std::string>>;  // Names in lower case.

struct PostCondition {
  // kNever: about no field, because its name lacks the '$'.
  enum class Kind { kEquals, kStartsWith, kNever };
  Kind kind = Kind::kEquals;
  std::string field;  // Lower case, without '$'.
  std::string value;
  std::string text;  // As it is shown when it fails.
};

struct PostPolicy {
  SystemTime expiration;
  std::vector<PostCondition> conditions;
  uint64_t size_min = 0;  // content-length-range; the narrowest when there are several.
  uint64_t size_max = UINT64_MAX;
};

// JSON, already decoded from base64. The error is the message of InvalidPolicyDocument.
std::expected<PostPolicy, std::string> parse_post_policy(std::string_view json);

// Every condition must hold and every field must be in a condition, but for file, policy, the
// signature, and x-ignore-*. `fields` without bucket. The error is the message of AccessDenied.
std::expected<void, std::string> check_post_policy(const PostPolicy& policy,
                                                   const FormFields& fields,
                                                   std::string_view bucket, SystemTime now);

}  // namespace rondel::signature
