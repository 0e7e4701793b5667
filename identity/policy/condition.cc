#include "identity/policy/condition.h"

#include <algorithm>

#include "common/base/encoding.h"
#include "common/http/message.h"
#include "identity/policy/policy_time.h"

namespace rondel::policy {
namespace {

// Whether `value` stands in this relation to any of these; the outermost decides for all.
template <class T>
bool related(Relation relation, const T& value, const std::vector<T>& sorted) {
  switch (relation) {
    case Relation::kEqual: return std::ranges::binary_search(sorted, value);
    case Relation::kLess: return value < sorted.back();
    case Relation::kLessEqual: return value <= sorted.back();
    case Relation::kGreater: return value > sorted.front();
    case Relation::kGreaterEqual: return value >= sorted.front();
  }
  return false;
}

std::optional<bool> parse_truth(std::string_view text) {
  if (http::iequals(text, "true")) return true;
  return http::iequals(text, "false") ? std::optional(false) : std::nullopt;
}

// Kinds whose keys an operator can be asked of; string operators go with every kind, as their
// values are text.
bool fits(Comparison comparison, ValueKind kind) {
  switch (comparison) {
    case Comparison::kIp: return kind == ValueKind::kIp;
    case Comparison::kDate: return kind == ValueKind::kDate;
    case Comparison::kNumeric:
      return kind == ValueKind::kNumeric || kind == ValueKind::kDate || kind == ValueKind::kString;
    default: return true;
  }
}

// Broader than /8 of version 4 or /32 of version 6: AWS takes such a range for everybody. No
// private range is broader than that.
bool is_broad(const IpRange& range) {
  constexpr int kMappedBits = 96;
  return is_ipv4(range.base) ? range.prefix < kMappedBits + 8 : range.prefix < 32;
}

}  // namespace

std::expected<Condition, std::string> Condition::compile(std::string_view operator_name,
                                                         std::string_view key,
                                                         const std::vector<std::string>& values,
                                                         bool with_variables, KeyTable& keys) {
  Condition condition;
  const auto op = parse_operator(operator_name);
  if (!op) return std::unexpected("Invalid Condition type : " + std::string(operator_name));
  condition.operator_ = *op;
  condition.texts_ = TextSet(op->ignore_case);
  const auto name = parse_key(key);
  if (!name) return std::unexpected(std::string("Policy has an invalid condition key"));
  condition.key_ = name->key;
  condition.key_number_ = keys.number_of(*name);
  if (!fits(op->comparison, kind_of(name->key))) {
    return std::unexpected("Condition operator " + std::string(operator_name) +
                           " does not apply to condition key " + std::string(key));
  }
  if (values.empty()) return std::unexpected(std::string("Condition values are empty"));
  for (const std::string& value : values) {
    if (auto added = condition.add(value, with_variables, keys); !added) {
      return std::unexpected(std::move(added).error());
    }
  }
  condition.seal();
  return condition;
}

std::expected<void, std::string> Condition::add(const std::string& value, bool with_variables,
                                                KeyTable& keys) {
  const auto invalid = [&](std::string_view what) {
    return std::unexpected("Invalid " + std::string(what) + " value : " + value);
  };
  // Variables stand in strings and ARNs alone.
  const bool textual =
      operator_.comparison == Comparison::kString || operator_.comparison == Comparison::kArn;
  auto text = PolicyText::parse(value, with_variables && textual, operator_.wildcards, keys);
  if (!text) return std::unexpected(std::string("Policy has an invalid policy variable"));
  fixed_ = fixed_ && !text->has_variables() && value.find_first_of("*?") == std::string::npos;
  switch (operator_.comparison) {
    case Comparison::kString: texts_.add(*std::move(text)); break;
    case Comparison::kArn:
      if (!arns_.add(value, *std::move(text))) return invalid("ARN");
      break;
    case Comparison::kNumeric: {
      const auto number = parse_policy_number(value);
      if (!number) return invalid("numeric");
      numbers_.push_back(*number);
      break;
    }
    case Comparison::kDate: {
      const auto time = parse_policy_time(value);
      if (!time) return invalid("date");
      times_us_.push_back(time->time_since_epoch().count());
      break;
    }
    case Comparison::kBool:
    case Comparison::kNull: {
      const auto truth = parse_truth(value);
      if (!truth) return invalid("boolean");
      truths_[*truth] = true;
      break;
    }
    case Comparison::kBinary: {
      auto bytes = from_base64(value);
      if (!bytes) return invalid("binary");
      bytes_.push_back(*std::move(bytes));
      break;
    }
    case Comparison::kIp: {
      const auto range = parse_ip_range(value);
      if (!range) return invalid("IP address");
      broad_ = broad_ || is_broad(*range);
      ranges_.add(*range);
      break;
    }
  }
  return {};
}

void Condition::seal() {
  texts_.seal();
  arns_.seal();
  ranges_.seal();
  std::ranges::sort(numbers_);
  std::ranges::sort(times_us_);
  std::ranges::sort(bytes_);
}

bool Condition::matches(const RequestValue& value, const RequestValues& request) const {
  switch (operator_.comparison) {
    case Comparison::kString: return texts_.matches(value.text(), request);
    case Comparison::kArn: return arns_.matches(value.text(), request);
    case Comparison::kNumeric:
      return value.number() && related(operator_.relation, *value.number(), numbers_);
    case Comparison::kDate:
      return value.time_us() && related(operator_.relation, *value.time_us(), times_us_);
    case Comparison::kBool: {
      const auto truth = parse_truth(value.text());
      return truth && truths_[*truth];
    }
    case Comparison::kBinary:
      return value.bytes() && std::ranges::binary_search(bytes_, *value.bytes());
    case Comparison::kIp: return value.address() && ranges_.contains(*value.address());
    case Comparison::kNull: return false;
  }
  return false;
}

bool Condition::holds(const RequestValues& request) const {
  const std::vector<RequestValue>& present = request.of(key_number_);
  if (operator_.comparison == Comparison::kNull) return truths_[present.empty()];
  if (present.empty()) {
    if (operator_.quantifier == Quantifier::kAllValues || operator_.if_exists) return true;
    return operator_.quantifier == Quantifier::kNone && operator_.negated;
  }
  const auto satisfied = [&](const RequestValue& value) {
    return matches(value, request) != operator_.negated;
  };
  switch (operator_.quantifier) {
    case Quantifier::kAllValues: return std::ranges::all_of(present, satisfied);
    case Quantifier::kAnyValue: return std::ranges::any_of(present, satisfied);
    // Without a quantifier a negated operator must hold for whatever is there.
    case Quantifier::kNone:
      return operator_.negated ? std::ranges::all_of(present, satisfied)
                               : std::ranges::any_of(present, satisfied);
  }
  return false;
}

bool Condition::narrows_access() const {
  if (operator_.negated || operator_.if_exists || operator_.quantifier == Quantifier::kAllValues) {
    return false;
  }
  switch (key_) {
    case ConditionKey::kSourceIp: return operator_.comparison == Comparison::kIp && !broad_;
    case ConditionKey::kSourceArn:
    case ConditionKey::kSourceVpc:
    case ConditionKey::kSourceVpce:
    case ConditionKey::kSourceOwner:
    case ConditionKey::kSourceAccount:
    case ConditionKey::kUserid:
    case ConditionKey::kPrincipalArn:
    case ConditionKey::kPrincipalAccount:
    case ConditionKey::kPrincipalOrgID:
    case ConditionKey::kDataAccessPointArn:
    case ConditionKey::kDataAccessPointAccount:
      return (operator_.comparison == Comparison::kString ||
              operator_.comparison == Comparison::kArn) &&
             fixed_;
    default: return false;
  }
}

size_t Condition::memory_bytes() const {
  size_t bytes = texts_.memory_bytes() + arns_.memory_bytes() + ranges_.memory_bytes() +
                 numbers_.capacity() * sizeof(double) + times_us_.capacity() * sizeof(int64_t) +
                 bytes_.capacity() * sizeof(std::string);
  for (const std::string& one : bytes_) bytes += one.capacity();
  return bytes;
}

bool Condition::uses(ConditionKey key) const {
  return key_ == key || texts_.uses(key) || arns_.uses(key);
}

}  // namespace rondel::policy
