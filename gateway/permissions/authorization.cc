#include "gateway/permissions/authorization.h"

#include <algorithm>
#include <utility>

#include "common/base/encoding.h"
#include "common/http/message.h"
#include "gateway/permissions/object_lookup.h"
#include "gateway/permissions/request_conditions.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "gateway/s3/operation.h"
#include "gateway/signature/authenticator.h"
#include "identity/access/authorization.h"
#include "identity/access/bucket_access.h"
#include "identity/access/grant_header.h"
#include "identity/policy/action.h"
#include "identity/policy/principal.h"
#include "metadata/model/account.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_context.h"
#include "metadata/store/object_store.h"

namespace rondel::permissions {
namespace {

using access::Question;
using access::Verdict;
using policy::Action;
using s3::ErrorCode;
using s3::Operation;

// The action of each operation of the table.
Action action_of(Operation operation) {
  static const std::vector<Action> actions = [] {
    std::vector<Action> found;
    for (const s3::OperationRow& row : s3::all_operations()) {
      found.push_back(policy::find_action(row.action).value());
    }
    return found;
  }();
  return actions[static_cast<size_t>(operation)];
}

Action action_of(const request::Context& context) {
  const Action action = action_of(context.request.operation);
  const bool named = s3::row(context.request.operation).level == s3::Level::kObject &&
                     context.request.query.has("versionId");
  return named ? policy::versioned(action) : action;
}

// What the policy said about the request's own action is not asked again.
Question question_of(const request::Context& context, Action action) {
  Question question{*context.access.bucket, context.access.caller, action, context.request.key};
  if (action == action_of(context)) question.policy = context.access.policy;
  return question;
}

permissions::RequestConditions conditions_of(const request::Context& context) {
  permissions::RequestFacts facts;
  facts.fields = &context.fields();
  facts.query = &context.request.query.parameters;
  facts.connection = &context.exchange.connection();
  facts.identity = &context.identity;
  facts.now = context.services.clock.now();
  facts.region = context.services.settings.region;
  facts.creates_object = s3::row(context.request.operation).effect == s3::Effect::kCreates;
  if (context.bucket) facts.bucket_owner_account = context.bucket->owner_account;
  return permissions::RequestConditions(std::move(facts));
}

// `why` is for our log alone.
s3::S3Result<void> denied(std::string why) {
  return std::unexpected(s3::Error{ErrorCode::kAccessDenied, {}, {}, {}, std::move(why)});
}

// Who is known is told of each key of his.
bool may_delete_some(const request::Context& context) {
  if (!context.access.caller.anonymous) return true;
  const auto could = [&](Action action) {
    return access::could_allow({*context.access.bucket, context.access.caller, action, {}});
  };
  return could(Action::kDeleteObject) || could(Action::kDeleteObjectVersion);
}

// What a request does to a key beside its own action.
s3::S3Result<void> authorize_beside(const request::Context& context) {
  const auto needs = [&](bool asked, Action action) {
    return asked && !may_also(context, action, context.request.key);
  };
  const auto denied_acl = [&] {
    return access::is_denied(
        {*context.access.bucket, context.access.caller, Action::kPutObjectAcl, context.request.key},
        conditions_of(context));
  };
  switch (context.request.operation) {
    case Operation::kPutObject:
    case Operation::kPostObject:
    case Operation::kCopyObject:
    case Operation::kCreateMultipartUpload: {
      const http::Fields& fields = context.fields();
      // Who writes the object owns it, or may give its owner full control alone: its ACL needs no
      // permission, but a denial counts.
      const bool with_acl = std::ranges::any_of(fields, [](const auto& field) {
        return http::iequals(field.first, "x-amz-acl") ||
               access::grant_header_permission(field.first);
      });
      const bool refused =
          (with_acl && denied_acl()) ||
          needs(!fields.find("x-amz-tagging").value_or("").empty(), Action::kPutObjectTagging) ||
          needs(fields.has("x-amz-object-lock-mode"), Action::kPutObjectRetention) ||
          needs(fields.has("x-amz-object-lock-legal-hold"), Action::kPutObjectLegalHold);
      return refused ? denied("its ACL, tags, retention or legal hold is denied or not allowed")
                     : s3::S3Result<void>{};
    }
    default: return {};
  }
}

void take_body(permissions::RequestFacts& facts, const request::Access& access) {
  facts.request_tags = access.request_tags;
  facts.retention = access.retention;
  facts.legal_hold = access.legal_hold;
}

s3::S3Result<void> authorize_with(const request::Context& context, Action action,
                                  const metadata::ObjectVersion& object) {
  permissions::RequestConditions conditions = conditions_of(context);
  conditions.facts.existing_tags = &object.tags;
  take_body(conditions.facts, context.access);
  return access::decide_object(question_of(context, action), conditions,
                               {object.owner_account, object.acl})
             ? s3::S3Result<void>{}
             : denied("policy and ACLs, with what the object is");
}

Verdict decide_change(const request::Context& context) {
  permissions::RequestConditions conditions = conditions_of(context);
  take_body(conditions.facts, context.access);
  return access::decide_with_body(question_of(context, action_of(context)), conditions);
}

}  // namespace

policy::Caller caller_of(const signature::Identity& identity) {
  if (identity.anonymous()) return {};
  const metadata::Account& account = identity.credential->account;
  return {account.id, account.canonical_id, false};
}

s3::S3Result<void> authorize(request::Context& context) {
  context.access.caller = caller_of(context.identity);
  context.access.undecided = false;
  if (!context.bucket) {
    return context.access.caller.anonymous ? denied("not signed") : s3::S3Result<void>{};
  }
  context.access.bucket = context.services.bucket_access->find(*context.bucket);
  // Its entries are decided one by one. But nothing is read from a stranger to whom no key could be
  // allowed.
  const s3::OperationRow& row = s3::row(context.request.operation);
  if (row.decision == s3::Decision::kEntries) {
    return may_delete_some(context) ? s3::S3Result<void>{} : denied("no key could be allowed");
  }
  const permissions::RequestConditions conditions = conditions_of(context);
  Question question{*context.access.bucket, context.access.caller, action_of(context),
                    context.request.key};
  question.policy = context.access.policy = access::settled_effect(question, conditions);
  switch (access::decide(question, conditions)) {
    case Verdict::kDeny:
      return denied(question.policy == policy::Effect::kDeny ? "the bucket's policy denies it"
                                                             : "neither policy nor ACL allows it");
    case Verdict::kObjectDecides:
      if (row.decision == s3::Decision::kHead) return denied("the object would have to decide");
      if (question.caller.anonymous && row.effect != s3::Effect::kReads &&
          !access::could_allow(question)) {
        return denied("no policy and no ACL could allow it");
      }
      context.access.undecided = true;
      return {};
    case Verdict::kAllow:
      return access::is_owners_alone(question)
                 ? s3::S3Result<void>(s3::fail(ErrorCode::kMethodNotAllowed))
                 : authorize_beside(context);
  }
  return denied("no verdict");
}

s3::S3Result<void> authorize_object(request::Context& context,
                                    const metadata::ObjectVersion& object) {
  if (!context.access.undecided) return {};
  const Action action = action_of(context);
  if (auto decided = authorize_with(context, action, object); !decided) return decided;
  // GetObjectAttributes reads the object too.
  const bool attributes = context.request.operation == Operation::kGetObjectAttributes;
  const Action read = action == Action::kGetObjectVersionAttributes ? Action::kGetObjectVersion
                                                                    : Action::kGetObject;
  if (auto decided = attributes ? authorize_with(context, read, object) : s3::S3Result<void>{};
      !decided) {
    return decided;
  }
  context.access.undecided = false;
  context.access.object.emplace();
  context.access.object->version = object.version;
  context.access.object->owner_account = object.owner_account;
  static_cast<metadata::Attributes&>(*context.access.object) = object;
  return {};
}

s3::S3Result<void> authorize_again(request::Context& context) {
  const bool was_undecided = context.access.undecided;
  if (auto decided = authorize(context); !decided || !context.access.undecided || was_undecided) {
    return decided;
  }
  if (const auto object = std::move(context.access.object)) {
    return authorize_object(context, *object);
  }
  if (decide_change(context) != Verdict::kAllow) {
    return denied("policy and ACLs, with what the body says");
  }
  context.access.undecided = false;
  return {};
}

request::Answer<void> authorize_change(request::Context& context, metadata::UpdateVersion& change) {
  if (!context.access.undecided) co_return s3::S3Result<void>{};
  context.access.request_tags = change.tags;
  context.access.retention = change.retention;
  context.access.legal_hold = change.legal_hold;
  Verdict verdict = decide_change(context);
  if (verdict == Verdict::kDeny &&
      context.services.bucket_cache.doubt_bucket(context.bucket->name)) {
    CO_S3_VOID(co_await request::reload_bucket(context));
    CO_S3_VOID(authorize(context));
    if (!context.access.undecided) co_return s3::S3Result<void>{};
    verdict = decide_change(context);
  }
  switch (verdict) {
    case Verdict::kDeny: co_return denied("policy and ACLs, with what the body says");
    case Verdict::kAllow: context.access.undecided = false; break;
    case Verdict::kObjectDecides: {
      CO_S3(const metadata::ObjectLookup found, co_await look_up_object(context, {}));
      change.version = found.object.version;
      change.null_version = false;
    }
  }
  co_return s3::S3Result<void>{};
}

s3::S3Result<void> authorize_upload(request::Context& context,
                                    const std::string& initiator_account) {
  if (!context.access.undecided) return {};
  if (!access::decide_upload(question_of(context, action_of(context)), conditions_of(context),
                             initiator_account)) {
    return denied("policy and ACLs, with who began the upload");
  }
  context.access.undecided = false;
  return {};
}

struct EntryPermissions::State {
  permissions::RequestConditions conditions;
  std::shared_ptr<const access::BucketAccess> bucket;
  std::optional<policy::Evaluation> evaluation;  // None: there is no policy that can be read.
  bool asks_version = false;
};

EntryPermissions::EntryPermissions(const request::Context& context)
    : context_(context),
      state_(std::make_unique<State>(
          State{conditions_of(context), context.access.bucket, std::nullopt, false})) {
  state_->conditions.facts.names_version = false;
  const auto& policy = state_->bucket->policy;
  if (!policy || state_->bucket->policy_unreadable) return;
  state_->evaluation.emplace(*policy, context.access.caller, state_->conditions);
  state_->asks_version = policy->asks(policy::ConditionKey::kVersionId);
}

EntryPermissions::~EntryPermissions() = default;

bool EntryPermissions::may_delete(const std::string& key,
                                  const std::optional<std::string>& version_id) {
  if (!version_id) return decide(Action::kDeleteObject, key);
  if (!state_->asks_version) return decide(Action::kDeleteObjectVersion, key);
  permissions::RequestConditions conditions = conditions_of(context_);
  conditions.facts.names_version = false;
  conditions.facts.version_id = version_id;
  return access::decide_key(
      {*state_->bucket, context_.access.caller, Action::kDeleteObjectVersion, key}, conditions);
}

bool EntryPermissions::may_also(Action action, const std::string& key) {
  return decide(action, key);
}

bool EntryPermissions::decide(Action action, const std::string& key) {
  Question question{*state_->bucket, context_.access.caller, action, key};
  if (state_->evaluation) {
    question.policy = state_->evaluation->evaluate(action, state_->bucket->bucket + "/" + key);
  }
  return access::decide_key(question, state_->conditions);
}

bool may_also(const request::Context& context, Action action, std::string_view key) {
  return access::decide_key({*context.access.bucket, context.access.caller, action, key},
                            conditions_of(context));
}

request::Answer<std::optional<DecidingVersion>> authorize_reading(
    request::Context& context, const std::string& key, const request::VersionName& version) {
  using Decided = std::optional<DecidingVersion>;
  const Action action = version.given() ? Action::kGetObjectVersion : Action::kGetObject;
  const std::shared_ptr<const access::BucketAccess> bucket = context.access.bucket;
  const Question question{*bucket, context.access.caller, action, key};
  permissions::RequestConditions conditions = conditions_of(context);
  conditions.facts.names_version = false;
  if (version.given()) conditions.facts.version_id = version.null ? "null" : version.id->to_hex();
  const bool row_decides =
      bucket->acls_enabled() || (bucket->policy && bucket->policy->asks_object_tags(action));
  if (!row_decides) {
    if (!access::decide_object(question, conditions, {bucket->owner_account, {}})) {
      co_return s3::fail(ErrorCode::kAccessDenied);
    }
    co_return Decided();
  }
  metadata::ObjectQuery query;
  query.bucket = context.bucket->name;
  query.key = key;
  query.version = version.id;
  query.null_version = version.null;
  query.deadline = context.metadata_deadline();
  CO_S3(const metadata::ObjectLookup found,
        co_await context.services.objects.find_object(std::move(query)));
  if (found.status != metadata::LookupStatus::kFound || found.object.delete_marker) {
    if (!access::may_learn_absence(question, conditions)) {
      co_return s3::fail(ErrorCode::kAccessDenied);
    }
    co_return Decided();
  }
  conditions.facts.existing_tags = &found.object.tags;
  if (!access::decide_object(question, conditions,
                             {found.object.owner_account, found.object.acl})) {
    co_return s3::fail(ErrorCode::kAccessDenied);
  }
  co_return Decided({found.object.etag, metadata::ObjectAccess::of(found.object)});
}

request::Answer<void> authorize_conditions(request::Context& context,
                                           const metadata::Conditions& conditions,
                                           const std::string& key,
                                           const request::VersionName& version) {
  const bool by_etag =
      std::ranges::any_of(conditions.if_match, [](const std::string& etag) { return etag != "*"; });
  if (by_etag || conditions.if_match_size || conditions.if_match_last_modified) {
    CO_S3_VOID(co_await authorize_reading(context, key, version));
  }
  co_return s3::S3Result<void>{};
}

request::Answer<void> authorize_refusal(request::Context& context, const s3::Error& refusal,
                                        const metadata::Conditions& conditions,
                                        const std::string& key,
                                        const request::VersionName& version) {
  if (refusal.code != ErrorCode::kPreconditionFailed) co_return s3::S3Result<void>{};
  co_return co_await authorize_conditions(context, conditions, key, version);
}

s3::Error absent(request::Context& context, s3::Error error) {
  const bool undecided = std::exchange(context.access.undecided, false);
  if (!undecided) return error;
  const Question question{*context.access.bucket, context.access.caller, action_of(context),
                          context.request.key};
  if (access::may_learn_absence(question, conditions_of(context))) return error;
  return {ErrorCode::kAccessDenied, {}, {}, {}, {}};
}

s3::S3Result<void> authorize_source(request::Context& context, const SourceQuestion& source,
                                    const metadata::ObjectVersion& object, bool with_tags) {
  const auto access = context.services.bucket_access->find(source.bucket);
  permissions::RequestConditions conditions = conditions_of(context);
  conditions.facts.bucket_owner_account = source.bucket.owner_account;
  conditions.facts.names_version = false;
  conditions.facts.version_id = source.version_id;
  conditions.facts.existing_tags = &object.tags;
  const auto allowed = [&](Action action) {
    const Question question{*access, context.access.caller,
                            source.version_id ? policy::versioned(action) : action, source.key};
    return access::decide_object(question, conditions, {object.owner_account, object.acl});
  };
  if (!allowed(Action::kGetObject)) return denied("the source may not be read");
  return with_tags && !allowed(Action::kGetObjectTagging)
             ? denied("the tags of the source may not be read")
             : s3::S3Result<void>{};
}

s3::Error absent_source(request::Context& context, const SourceQuestion& source, s3::Error error) {
  const auto access = context.services.bucket_access->find(source.bucket);
  permissions::RequestConditions conditions = conditions_of(context);
  conditions.facts.bucket_owner_account = source.bucket.owner_account;
  const Question question{*access, context.access.caller, Action::kGetObject, source.key};
  if (access::may_learn_absence(question, conditions)) return error;
  return {ErrorCode::kAccessDenied, {}, {}, {}, {}};
}

}  // namespace rondel::permissions
