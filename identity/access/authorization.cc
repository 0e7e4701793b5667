#include "identity/access/authorization.h"

namespace rondel::access {
namespace {

bool is_policy_action(policy::Action action) {
  return action == policy::Action::kGetBucketPolicy || action == policy::Action::kPutBucketPolicy ||
         action == policy::Action::kDeleteBucketPolicy;
}

bool is_bucket_owner(const Question& question) {
  return !question.caller.anonymous && question.caller.account_id == question.bucket.owner_account;
}

policy::Effect policy_effect(const Question& question, const policy::ConditionSource& request) {
  if (question.policy) return *question.policy;
  if (question.bucket.policy_unreadable) return policy::Effect::kDeny;
  if (!question.bucket.policy) return policy::Effect::kNone;
  std::string resource = question.bucket.bucket;
  if (!question.key.empty()) resource.append("/").append(question.key);
  return question.bucket.policy->evaluate(question.action, resource, question.caller, request);
}

// A public policy under RestrictPublicBuckets: nobody outside the owner's account, by whatever way.
bool is_restricted(const Question& question) {
  return question.bucket.block.restrict_public_buckets && question.bucket.policy &&
         question.bucket.policy->is_public() && !is_bucket_owner(question);
}

bool bucket_acl_allows(const Question& question) {
  if (!question.bucket.acls_enabled()) return false;
  return question.bucket.acl.allows(policy::row(question.action).permission, question.caller,
                                    question.bucket.block.ignore_public_acls);
}

bool object_acl_allows(const Question& question, const ObjectFacts& object) {
  // An empty one gives its owner alone, who was asked before.
  if (!question.bucket.acls_enabled() || object.acl.empty()) return false;
  return decode_acl(object.acl, {})
      .allows(policy::row(question.action).permission, question.caller,
              question.bucket.block.ignore_public_acls);
}

// Whether an ACL of an object could say yes at all.
bool object_acl_counts(const Question& question) {
  return question.bucket.acls_enabled() &&
         policy::row(question.action).permission != policy::Permission::kNothing &&
         !(question.caller.anonymous && question.bucket.block.ignore_public_acls);
}

bool asks_object_tags(const Question& question) {
  return question.bucket.policy && question.bucket.policy->asks_object_tags(question.action);
}

// Conditions may speak of the body.
bool waits_for_body(const Question& question) {
  return policy::row(question.action).target == policy::Target::kStoredObject ||
         question.action == policy::Action::kPutObjectRetention ||
         question.action == policy::Action::kPutObjectLegalHold;
}

bool is_of_upload(policy::Action action) {
  return action == policy::Action::kAbortMultipartUpload ||
         action == policy::Action::kListMultipartUploadParts;
}

// Nobody but the bucket's owner, whatever a body says: there is no policy, and no ACL and no
// ownership of objects counts.
bool is_hopeless(const Question& question) {
  if (question.bucket.policy || question.bucket.policy_unreadable || is_bucket_owner(question)) {
    return false;
  }
  return policy::row(question.action).target == policy::Target::kKey || question.caller.anonymous ||
         !question.bucket.acls_enabled();
}

// The bucket's side alone: what decides about buckets and keys.
bool bucket_allows(const Question& question, policy::Effect effect) {
  if (is_bucket_owner(question)) {
    return effect != policy::Effect::kDeny || is_policy_action(question.action);
  }
  if (effect == policy::Effect::kDeny || is_restricted(question)) return false;
  return effect == policy::Effect::kAllow || bucket_acl_allows(question);
}

// A listing for this key: s3:prefix is the key itself.
class ListingOfKey final : public policy::ConditionSource {
 public:
  ListingOfKey(const policy::ConditionSource& request, std::string_view key)
      : request_(request), key_(key) {}

  std::vector<std::string> values(const policy::KeyName& key) const override {
    if (key.key == policy::ConditionKey::kPrefix) return {key_};
    return request_.values(key);
  }

 private:
  const policy::ConditionSource& request_;
  const std::string key_;
};

}  // namespace

std::optional<policy::Effect> settled_effect(const Question& question,
                                             const policy::ConditionSource& request) {
  if (asks_object_tags(question) || waits_for_body(question)) return std::nullopt;
  return policy_effect(question, request);
}

bool is_owners_alone(const Question& question) {
  return is_policy_action(question.action) && !is_bucket_owner(question);
}

bool is_denied(const Question& question, const policy::ConditionSource& request) {
  return policy_effect(question, request) == policy::Effect::kDeny;
}

bool could_allow(const Question& question) {
  if (is_bucket_owner(question)) return true;
  if (is_restricted(question) || question.bucket.policy_unreadable) return false;
  if (question.bucket.policy &&
      question.bucket.policy->could_allow(question.action, question.caller)) {
    return true;
  }
  if (policy::row(question.action).target == policy::Target::kOwnedObject) {
    return object_acl_counts(question);
  }
  return bucket_acl_allows(question);
}

Verdict decide(const Question& question, const policy::ConditionSource& request) {
  if (policy::row(question.action).target == policy::Target::kAccount) {
    return question.caller.anonymous ? Verdict::kDeny : Verdict::kAllow;
  }
  if (is_restricted(question)) return Verdict::kDeny;
  if (!waits_for_body(question)) return decide_with_body(question, request);
  return is_hopeless(question) ? Verdict::kDeny : Verdict::kObjectDecides;
}

Verdict decide_with_body(const Question& question, const policy::ConditionSource& request) {
  const policy::Target target = policy::row(question.action).target;
  if (is_restricted(question)) return Verdict::kDeny;
  if (asks_object_tags(question)) return Verdict::kObjectDecides;
  const policy::Effect effect = policy_effect(question, request);
  if (target == policy::Target::kBucket || target == policy::Target::kKey) {
    if (bucket_allows(question, effect)) return Verdict::kAllow;
    return is_of_upload(question.action) && effect != policy::Effect::kDeny &&
                   !question.caller.anonymous
               ? Verdict::kObjectDecides
               : Verdict::kDeny;
  }
  if (effect == policy::Effect::kDeny) return Verdict::kDeny;
  if (target == policy::Target::kStoredObject) {
    if (bucket_allows(question, effect)) return Verdict::kAllow;
    // Who wrote the object may.
    return question.caller.anonymous || !question.bucket.acls_enabled() ? Verdict::kDeny
                                                                        : Verdict::kObjectDecides;
  }
  // A stranger whom neither policy nor ACL can help, and who may not even learn that nothing is
  // there: no look-up.
  const bool hopeless = question.caller.anonymous && effect == policy::Effect::kNone &&
                        !object_acl_counts(question) && !may_learn_absence(question, request);
  return hopeless ? Verdict::kDeny : Verdict::kObjectDecides;
}

bool decide_key(const Question& question, const policy::ConditionSource& request) {
  return bucket_allows(question, policy_effect(question, request));
}

bool decide_object(const Question& question, const policy::ConditionSource& request,
                   const ObjectFacts& object) {
  const policy::Effect effect = policy_effect(question, request);
  if (effect == policy::Effect::kDeny || is_restricted(question)) return false;
  const policy::Target target = policy::row(question.action).target;
  if (target == policy::Target::kKey || target == policy::Target::kBucket) {
    return bucket_allows(question, effect);
  }
  const std::string_view owner = owner_of(question.bucket, object);
  if (!question.caller.anonymous && question.caller.account_id == owner) return true;
  if (target == policy::Target::kStoredObject) return bucket_allows(question, effect);
  // A policy speaks about what the bucket's owner owns.
  const bool owned_by_bucket_owner = owner == question.bucket.owner_account;
  if (owned_by_bucket_owner && effect == policy::Effect::kAllow) return true;
  return object_acl_allows(question, object);
}

bool may_learn_absence(const Question& question, const policy::ConditionSource& request) {
  const Question listing{question.bucket, question.caller, policy::Action::kListBucket, {}};
  return bucket_allows(listing, policy_effect(listing, ListingOfKey(request, question.key)));
}

bool decide_upload(const Question& question, const policy::ConditionSource& request,
                   std::string_view initiator) {
  const policy::Effect effect = policy_effect(question, request);
  if (bucket_allows(question, effect)) return true;
  return effect != policy::Effect::kDeny && !is_restricted(question) &&
         !question.caller.anonymous && question.caller.account_id == initiator;
}

std::string_view owner_of_new_object(const BucketAccess& bucket, const policy::Caller& caller,
                                     bool full_control_to_bucket_owner) {
  const bool given =
      bucket.ownership == Ownership::kBucketOwnerPreferred && full_control_to_bucket_owner;
  return !bucket.acls_enabled() || given ? std::string_view(bucket.owner_account)
                                         : caller.account_id;
}

std::string_view owner_of(const BucketAccess& bucket, const ObjectFacts& object) {
  return bucket.acls_enabled() ? object.owner_account : std::string_view(bucket.owner_account);
}

}  // namespace rondel::access
