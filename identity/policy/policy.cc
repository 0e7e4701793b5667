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

// Actions whose requests have s3:ExistingObjectTag at all; for others the key is absent, and
// nothing waits for an object.
bool knows_object_tags(Action action) {
  const Target target = row(action).target;
  return target == Target::kOwnedObject || target == Target::kStoredObject;
}

// For everybody, unless it denies or demands something fixed of the request.
bool grants_everybody(const Statement& statement) {
  if (statement.deny || !statement.principals.everybody()) return false;
  return std::ranges::none_of(
      statement.conditions, [](const Condition& condition) { return condition.narrows_access(); });
}

}  // namespace

std::expected<std::shared_ptr<const Policy>, std::string> Policy::parse(std::string_view json,
                                                                        std::string_view bucket) {
  auto document = parse_policy_document(json, bucket);
  if (!document) return std::unexpected(std::move(document).error());
  const auto policy = std::make_shared<Policy>();
  policy->statements_ = std::move(document->statements);
  policy->keys_ = std::move(document->keys);
  policy->lacks_version_ = document->lacks_version;
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
          std::ranges::any_of(statement.conditions, [](const Condition& condition) {
            return condition.uses(ConditionKey::kExistingObjectTag);
          });
      for (size_t action = 0; action < kActions; ++action) {
        if (!statement.actions[action]) continue;
        by_action_[action].push_back(static_cast<uint16_t>(i));
        if (asks_tags && knows_object_tags(static_cast<Action>(action))) {
          asks_object_tags_.set(action);
        }
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

Effect Policy::evaluate(Action action, std::string_view resource, const Caller& caller,
                        const ConditionSource& request) const {
  return Evaluation(*this, caller, request).evaluate(action, resource);
}

Evaluation::Evaluation(const Policy& policy, const Caller& caller, const ConditionSource& request)
    : policy_(policy),
      caller_(caller),
      values_(policy.keys_, request),
      conditions_hold_(policy.statements_.size()) {}

bool Evaluation::matches(uint16_t number, std::string_view resource) {
  const Statement& statement = policy_.statements_[number];
  values_.work().add(1);
  if (statement.principals.matches(caller_) == statement.not_principal ||
      !is_about(statement, resource, values_)) {
    return false;
  }
  std::optional<bool>& known = conditions_hold_[number];
  if (known || values_.work().over()) return known.value_or(false);
  known = std::ranges::all_of(statement.conditions, [&](const Condition& condition) {
    values_.work().add(1);
    return !values_.work().over() && condition.holds(values_);
  });
  over_ = values_.work().over();
  return *known;
}

Effect Evaluation::evaluate(Action action, std::string_view resource) {
  values_.work().restart();
  for (const uint16_t number : policy_.by_action_[static_cast<size_t>(action)]) {
    const bool matched = !over_ && matches(number, resource);
    if (over_ || values_.work().over()) return Effect::kDeny;
    if (matched) return policy_.statements_[number].deny ? Effect::kDeny : Effect::kAllow;
  }
  return Effect::kNone;
}

size_t Policy::memory_bytes() const {
  // A key's name stands in its list and in a node of its map.
  constexpr size_t kKeyBytes = 160;
  size_t bytes =
      sizeof(Policy) + statements_.capacity() * sizeof(Statement) + keys_.size() * kKeyBytes;
  for (const Statement& statement : statements_) {
    bytes +=
        statement.resources.memory_bytes() + statement.conditions.capacity() * sizeof(Condition);
    for (const Condition& condition : statement.conditions) bytes += condition.memory_bytes();
    for (const auto* names :
         {&statement.principals.accounts(), &statement.principals.canonical_ids()}) {
      bytes += names->capacity() * (sizeof(std::string) + 64);
    }
  }
  for (const std::vector<uint16_t>& statements : by_action_) {
    bytes += statements.capacity() * sizeof(uint16_t);
  }
  return bytes;
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
  for (const Statement& statement : statements_) {
    std::ranges::copy(statement.principals.canonical_ids(), std::back_inserter(out));
  }
  return out;
}

}  // namespace rondel::policy
