// May this caller do that: AWS's evaluation logic over policy, ACLs, ownership and public access
// block. No I/O.
//
// An explicit deny of the bucket's policy wins, but the bucket's owner can always read, replace and
// remove the policy. Every key of an account acts as its root. Then: the bucket's owner; the
// policy's allow; ACLs where they count. Source: "How Amazon S3 authorizes a request", S3 user
// guide; "Policy evaluation logic", IAM user guide.
#pragma once

#include <optional>
#include <string_view>

#include "identity/access/bucket_access.h"

namespace rondel::access {

// What a stored version says about who may use it.
struct ObjectFacts {
  std::string_view owner_account;
  std::string_view acl;  // Encoded.
};

enum class Verdict : uint8_t {
  kAllow,
  kDeny,
  kObjectDecides,  // Known when the object is (its owner, ACL, tags), or the body: decide_object().
};

// One request's question. Views into what outlives it.
struct Question {
  const BucketAccess& bucket;
  const policy::Caller& caller;
  policy::Action action;
  std::string_view key;  // Empty for actions on buckets.
  // What settled_effect() said: the policy is not evaluated again.
  std::optional<policy::Effect> policy = {};
};

// What the policy says, where neither object nor body can change it: the same before and after they
// are known.
std::optional<policy::Effect> settled_effect(const Question& question,
                                             const policy::ConditionSource& request);

// A bucket's policy is its owner's business: others whom the policy itself allows to read or write
// it are told 405.
bool is_owners_alone(const Question& question);
// The policy denies it, whoever asks. What the bucket's owner may do in spite of that is not looked
// at.
bool is_denied(const Question& question, const policy::ConditionSource& request);

// Whether there is anything by which the caller could be allowed the action on some key of the
// bucket, whatever object or body turn out to be. False: nothing of the body needs to be read.
bool could_allow(const Question& question);

// Before anything is looked up.
Verdict decide(const Question& question, const policy::ConditionSource& request);
// The same once the body is known too: kObjectDecides is left where the object's owner or tags
// count.
Verdict decide_with_body(const Question& question, const policy::ConditionSource& request);
// By the bucket alone: its owner, policy and ACL. For what a request does beside its own action
// (tags of a new object, bypass of a retention).
bool decide_key(const Question& question, const policy::ConditionSource& request);
// With the object known. REQUIRES: an action about objects.
bool decide_object(const Question& question, const policy::ConditionSource& request,
                   const ObjectFacts& object);
// Whether the caller may learn that nothing is stored under the key: 404 to who may list it, 403 to
// others.
bool may_learn_absence(const Question& question, const policy::ConditionSource& request);
// Uploads in parts: who began one may list and abort it.
bool decide_upload(const Question& question, const policy::ConditionSource& request,
                   std::string_view initiator_account);

// The account that will own a new version. `full_control_to_bucket_owner`: it comes with that
// canned ACL.
std::string_view owner_of_new_object(const BucketAccess& bucket, const policy::Caller& caller,
                                     bool full_control_to_bucket_owner);
// The account that owns a stored one.
std::string_view owner_of(const BucketAccess& bucket, const ObjectFacts& object);

}  // namespace rondel::access
