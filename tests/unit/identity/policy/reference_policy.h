// Bucket policies evaluated word by word as the IAM user guide has them, without any index: what
// the compiled one must agree with.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "identity/policy/policy.h"

namespace rondel::policy::reference {

struct Condition {
  std::string op;
  std::string key;
  std::vector<std::string> values;
};

struct Statement {
  bool deny = false;
  bool not_principal = false;
  std::vector<std::string> principals;  // "*" or account ids.
  bool not_action = false;
  std::vector<std::string> actions;
  bool not_resource = false;
  std::vector<std::string> resources;  // Without "arn:aws:s3:::".
  std::vector<Condition> conditions;   // No two of one operator and key.
};

// What a request says, by the names of keys.
using Said = std::map<std::string, std::vector<std::string>>;

// Of version 2012-10-17.
std::string json_of(const std::vector<Statement>& statements);
Effect evaluate(const std::vector<Statement>& statements, std::string_view action,
                std::string_view resource, const Caller& caller, const Said& said);

}  // namespace rondel::policy::reference
