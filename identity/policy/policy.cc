#include "identity/policy/policy.h"

#include <algorithm>

#include "identity/policy/policy_document.h"

namespace rondel::policy {

namespace {

bool is_about(const Statement& statement, std::string_view resource, const RequestValues& request) {
  const bool named = statement.resources.matches(resource, request);
  if (!statement.not_resource) return named;
  // What a variable without a value leaves out is not known: nothing is allowed by it.
  return !named && (statement.deny || statement.resources.resolves(request));
}

bool matches(const Statement& statement, std::string_view resource, const Caller& caller, const RequestValues& request) {
  return statement.principals.matches(caller) != statement.not_principal && is_about(statement, resource, request) &&
         std::ranges::all_of(statement.conditions, [&](const Condition& condition) { return condition.holds(request); });
}

// Actions whose requests have s3:ExistingObjectTag at all; for others the key is absent, and nothing waits for an object.
bool knows_object_tags(Action action) {
  const Target target = row(action).target;
  return target == Target::kOwnedObject || target == Target::kStoredObject;
}

// For everybody, unless it denies or demands something fixed of the request.
bool grants_everybody(const Statement& statement) {
  if (statement.deny || !statement.principals.everybody()) return false;
  return std::ranges::none_of(statement.conditions, [](const Condition& condition) { return condition.narrows_access(); });
}

}  // namespace

std::expected<std::shared_ptr<const Policy>, std::string> Policy::parse(std::string_view json, std::string_view bucket) {
  auto document = parse_policy_document(json, bucket);
  if (!document) return std::unexpected(std::move(document).error());
  const auto policy = std::make_shared<Policy>();
  policy->statements_ = std::move(document->statements);
  policy->keys_ = std::move(document->keys);
  policy->index();
  return policy;
}

void Policy::index() {
  public_ = std::ranges::any_of(statements_, grants_everybody);
  for (const bool deny : {true, false}) {
    for (size_t i = 0; i < statements_.size(); ++i) {
      const Statement& statement = statements_[i];
      if (statement.deny != deny) continue;
      const bool asks_tags =
          statement.resources.uses(ConditionKey::kExistingObjectTag) ||
          std::ranges::any_of(statement.conditions, [](const Condition& condition) { return condition.uses(ConditionKey::kExistingObjectTag); });
      for (size_t action = 0; action < kActions; ++action) {
        if (!statement.actions[action]) continue;
        by_action_[action].push_back(static_cast<uint16_t>(i));
        if (asks_tags && knows_object_tags(static_cast<Action>(action))) asks_object_tags_.set(action);
      }
    }
  }
}

bool Policy::could_allow(Action action, const Caller& caller) const {
  return std::ranges::any_of(by_action_[static_cast<size_t>(action)], [&](uint16_t number) {
    const Statement& statement = statements_[number];
    return !statement.deny && statement.principals.matches(caller) != statement.not_principal;
  });
}

Effect Policy::evaluate(Action action, std::string_view resource, const Caller& caller, const ConditionSource& request) const {
  const RequestValues values(keys_, request);
  for (const uint16_t number : by_action_[static_cast<size_t>(action)]) {
    const Statement& statement = statements_[number];
    if (matches(statement, resource, caller, values)) return statement.deny ? Effect::kDeny : Effect::kAllow;
  }
  return Effect::kNone;
}

std::vector<std::string> Policy::named_accounts() const {
  std::vector<std::string> out;
  for (const Statement& statement : statements_) {
    std::ranges::copy_if(statement.principals.accounts(), std::back_inserter(out), is_account_id);
  }
  return out;
}

std::vector<std::string> Policy::named_canonical_ids() const {
  std::vector<std::string> out;
  for (const Statement& statement : statements_) std::ranges::copy(statement.principals.canonical_ids(), std::back_inserter(out));
  return out;
}

}  // namespace rondel::policy
