// S3 actions: what a policy allows or denies, and what an ACL permission amounts to.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace rondel::policy {

enum class Action : uint8_t {
#define RONDEL_S3_ACTION(name, target, permission) k##name,
#include "identity/policy/action_list.h"
#undef RONDEL_S3_ACTION
};

// What an action is about, and so who decides.
enum class Target : uint8_t {
  kAccount,  // No bucket: never in a bucket policy.
  kBucket,
  kKey,  // The bucket's owner, policy and ACL decide, whoever owns what is stored under the key.
  // What is stored: its owner and ACL decide, and the bucket's policy about what the bucket's owner
  // owns.
  kOwnedObject,
  kStoredObject,  // What is stored: its owner, the bucket's owner and policy decide.
};

// Permissions of a grant. Bits; stored: never renumber.
enum class Permission : uint8_t {
  kNothing = 0,
  kRead = 1,
  kWrite = 2,
  kReadAcp = 4,
  kWriteAcp = 8,
  kFullControl = 15
};

struct ActionRow {
  Action action;
  std::string_view name;  // "s3:PutObject"
  Target target;
  Permission permission;  // kNothing: no ACL gives it.
};

std::span<const ActionRow> all_actions();
const ActionRow& row(Action action);

inline bool about_object(Target target) { return target >= Target::kKey; }

// ASCII letters alike, as IAM reads them.
std::optional<Action> find_action(std::string_view name);
// The action on a named version: GetObject -> GetObjectVersion; itself where there is none.
Action versioned(Action action);

}  // namespace rondel::policy
