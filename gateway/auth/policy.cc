#include "gateway/auth/policy.h"

#include <algorithm>

#include "gateway/auth/policy_document.h"

namespace rondel::auth {

// One request against one policy: values of keys are asked once, resources with variables expanded when reached.
class Policy::Evaluation {
 public:
  Evaluation(const Policy& policy, std::string_view resource, const Caller& caller, const ConditionSource& request)
      : policy_(policy), resource_(resource), caller_(caller), request_(request) {}

  bool matches(const Statement& statement) {
    return statement.principals.matches(caller_) != statement.not_principal && is_about_resource(statement) && conditions_hold(statement);
  }

 private:
  bool is_about_resource(const Statement& statement) const {
    bool unresolved = false;
    const bool named = std::ranges::any_of(statement.resources, [&](const PolicyText& text) {
      if (!text.has_variables()) return text.pattern().matches(resource_);
      const auto pattern = text.expand(request_);
      unresolved = unresolved || !pattern;
      return pattern && pattern->matches(resource_);
    });
    if (!statement.not_resource) return named;
    // What a variable without a value leaves out is not known: nothing is allowed by it.
    return !named && (statement.deny || !unresolved);
  }

  bool conditions_hold(const Statement& statement) {
    for (size_t i = 0; i < statement.conditions.size(); ++i) {
      if (!statement.conditions[i].holds(values(statement.condition_keys[i]), request_)) return false;
    }
    return true;
  }

  const std::vector<std::string>& values(uint16_t key) {
    if (values_.empty()) values_.resize(policy_.keys_.size());
    std::optional<std::vector<std::string>>& known = values_[key];
    if (!known) known = request_.values(policy_.keys_[key]);
    return *known;
  }

  const Policy& policy_;
  const std::string_view resource_;
  const Caller& caller_;
  const ConditionSource& request_;
  std::vector<std::optional<std::vector<std::string>>> values_;
};

namespace {

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
  auto statements = parse_policy_document(json, bucket);
  if (!statements) return std::unexpected(std::move(statements).error());
  const auto policy = std::make_shared<Policy>();
  policy->statements_ = *std::move(statements);
  policy->index();
  return policy;
}

void Policy::index() {
  for (Statement& statement : statements_) {
    for (const Condition& condition : statement.conditions) {
      auto known = std::ranges::find(keys_, condition.key());
      if (known == keys_.end()) known = keys_.insert(keys_.end(), condition.key());
      statement.condition_keys.push_back(static_cast<uint16_t>(known - keys_.begin()));
    }
    public_ = public_ || grants_everybody(statement);
  }
  for (const bool deny : {true, false}) {
    for (size_t i = 0; i < statements_.size(); ++i) {
      const Statement& statement = statements_[i];
      if (statement.deny != deny) continue;
      const bool asks_tags =
          std::ranges::any_of(statement.conditions, [](const Condition& condition) { return condition.uses(ConditionKey::kExistingObjectTag); }) ||
          std::ranges::any_of(statement.resources, [](const PolicyText& text) { return text.uses(ConditionKey::kExistingObjectTag); });
      for (size_t action = 0; action < kActions; ++action) {
        if (!statement.actions[action]) continue;
        by_action_[action].push_back(static_cast<uint16_t>(i));
        if (asks_tags && knows_object_tags(static_cast<Action>(action))) asks_object_tags_.set(action);
      }
    }
  }
}

Effect Policy::evaluate(Action action, std::string_view resource, const Caller& caller, const ConditionSource& request) const {
  Evaluation evaluation(*this, resource, caller, request);
  for (const uint16_t number : by_action_[static_cast<size_t>(action)]) {
    const Statement& statement = statements_[number];
    if (evaluation.matches(statement)) return statement.deny ? Effect::kDeny : Effect::kAllow;
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

}  // namespace rondel::auth
