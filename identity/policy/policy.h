// A bucket's policy, parsed, validated and compiled; evaluated per request.
//
// Statements are indexed by action, lists of texts, addresses and numbers are searched, what a
// request says is asked once per key. Immutable: safe for concurrent use. Source: "IAM JSON policy
// element reference", IAM user guide; "Bucket policies for Amazon S3", S3 user guide.
#pragma once

#include <array>
#include <bitset>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/policy/action.h"
#include "identity/policy/condition.h"
#include "identity/policy/principal.h"

namespace rondel::policy {

inline constexpr size_t kPolicyBytesMax = 20 << 10;
inline constexpr size_t kActions = 0
#define RONDEL_S3_ACTION(name, target, permission) +1
#include "identity/policy/action_list.h"
#undef RONDEL_S3_ACTION
    ;

using ActionSet = std::bitset<kActions>;

struct Statement {
  bool deny = false;
  bool not_principal = false;
  bool not_resource = false;
  PrincipalSet principals;
  ActionSet actions;
  TextSet resources;  // Behind "arn:aws:s3:::".
  std::vector<Condition> conditions;
};

enum class Effect : uint8_t { kNone, kAllow, kDeny };

class Policy {
 public:
  // The error is the message of MalformedPolicy, in AWS's words where they are known. Whether the
  // principals exist is for the caller to find out: named_accounts(), named_canonical_ids().
  static std::expected<std::shared_ptr<const Policy>, std::string> parse(std::string_view json,
                                                                         std::string_view bucket);

  // `resource`: "bucket" or "bucket/key". An explicit deny wins. What costs more steps than Work
  // has is denied: nothing is allowed by a policy that was not read to its end.
  Effect evaluate(Action action, std::string_view resource, const Caller& caller,
                  const ConditionSource& request) const;

  // Whether a statement could allow the caller the action on some resource, whatever else the
  // request says.
  bool could_allow(Action action, const Caller& caller) const;

  // Grants something to everybody. Source: "The meaning of public", S3 user guide.
  bool is_public() const { return public_; }

  // A statement on this action asks s3:ExistingObjectTag: to be evaluated when the object is known.
  // False for actions that have no such key (what creates or deletes, what is about buckets).
  bool asks_object_tags(Action action) const {
    return asks_object_tags_[static_cast<size_t>(action)];
  }

  // A condition or a variable asks this key.
  bool asks(ConditionKey key) const { return keys_.has(key); }

  // The text had none: AWS sends it back with that of 2008.
  bool lacks_version() const { return lacks_version_; }

  // What it holds, in bytes.
  size_t memory_bytes() const;
  std::vector<std::string> named_accounts() const;
  std::vector<std::string> named_canonical_ids() const;

 private:
  friend class Evaluation;

  void index();

  std::vector<Statement> statements_;
  KeyTable keys_;
  // Statements on an action, those that deny first.
  std::array<std::vector<uint16_t>, kActions> by_action_;
  ActionSet asks_object_tags_;
  bool public_ = false;
  bool lacks_version_ = false;
};

// One request against one policy, asked about one resource after the other: its conditions are
// evaluated once. For one thread; what it is made of outlives it.
class Evaluation {
 public:
  Evaluation(const Policy& policy, const Caller& caller, const ConditionSource& request);

  // As Policy::evaluate().
  Effect evaluate(Action action, std::string_view resource);

  // Of the last one.
  uint64_t steps() const { return values_.work().steps(); }

 private:
  bool matches(uint16_t number, std::string_view resource);

  const Policy& policy_;
  const Caller& caller_;
  RequestValues values_;
  std::vector<std::optional<bool>> conditions_hold_;  // Of each statement.
  bool over_ = false;                                 // The conditions cost too much.
};

}  // namespace rondel::policy
