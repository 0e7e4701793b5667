#include "gateway/auth/condition.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/base/clock.h"
#include "common/base/encoding.h"
#include "common/http/message.h"
#include "gateway/auth/policy_time.h"

namespace rondel::auth {
namespace {

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

template <class T>
bool related(Relation relation, const T& value, const T& operand) {
  switch (relation) {
    case Relation::kEqual: return value == operand;
    case Relation::kLess: return value < operand;
    case Relation::kLessEqual: return value <= operand;
    case Relation::kGreater: return value > operand;
    case Relation::kGreaterEqual: return value >= operand;
  }
  return false;
}

// arn:partition:service:region:account:resource, the last with its colons.
std::vector<std::string_view> arn_parts(std::string_view text) {
  std::vector<std::string_view> parts;
  while (parts.size() < 5) {
    const size_t colon = text.find(':');
    if (colon == std::string_view::npos) break;
    parts.push_back(text.substr(0, colon));
    text.remove_prefix(colon + 1);
  }
  parts.push_back(text);
  return parts;
}

std::optional<std::vector<Wildcard>> arn_pattern(std::string_view text) {
  const auto parts = arn_parts(text);
  std::vector<Wildcard> pattern;
  if (parts.size() != 6 && text != "*") return std::nullopt;
  for (const std::string_view part : parts) pattern.emplace_back(part);
  return pattern;
}

bool arn_matches(const std::vector<Wildcard>& pattern, std::string_view value) {
  if (pattern.size() == 1) return true;
  const auto parts = arn_parts(value);
  if (parts.size() != pattern.size()) return false;
  return std::ranges::equal(pattern, parts, [](const Wildcard& wanted, std::string_view part) { return wanted.matches(part); });
}

bool is_truth(std::string_view text) { return http::iequals(text, "true") || http::iequals(text, "false"); }

// Kinds whose keys an operator can be asked of; string operators go with every kind, as their values are text.
bool fits(Comparison comparison, ValueKind kind) {
  switch (comparison) {
    case Comparison::kIp: return kind == ValueKind::kIp;
    case Comparison::kDate: return kind == ValueKind::kDate;
    case Comparison::kNumeric: return kind == ValueKind::kNumeric || kind == ValueKind::kDate || kind == ValueKind::kString;
    default: return true;
  }
}

}  // namespace

std::expected<Condition, std::string> Condition::compile(std::string_view operator_name, std::string_view key,
                                                         const std::vector<std::string>& values, bool with_variables) {
  Condition condition;
  const auto op = parse_operator(operator_name);
  if (!op) return std::unexpected("Invalid Condition type : " + std::string(operator_name));
  condition.operator_ = *op;
  auto name = parse_key(key);
  if (!name) return std::unexpected(std::string("Policy has an invalid condition key"));
  condition.key_ = *std::move(name);
  if (!fits(op->comparison, kind_of(condition.key_.key))) {
    return std::unexpected("Condition operator " + std::string(operator_name) + " does not apply to condition key " + std::string(key));
  }
  if (values.empty()) return std::unexpected(std::string("Condition values are empty"));
  for (const std::string& value : values) {
    auto operand = condition.operand(value, with_variables);
    if (!operand) return std::unexpected(std::move(operand).error());
    condition.operands_.push_back(*std::move(operand));
  }
  condition.index();
  return condition;
}

// Lists of hundreds of values are searched, not compared one by one.
void Condition::index() {
  for (uint32_t i = 0; i < operands_.size(); ++i) {
    const PolicyText& text = operands_[i].text;
    const bool literal = operator_.comparison == Comparison::kString && !operator_.ignore_case && !text.has_variables() && text.pattern().is_literal();
    if (literal) {
      literals_.push_back(text.pattern().text());
    } else {
      others_.push_back(i);
    }
  }
  std::ranges::sort(literals_);
}

Condition::Presented Condition::present(const std::string& value) const {
  Presented out{value};
  switch (operator_.comparison) {
    case Comparison::kNumeric: out.number = parse_number(value); break;
    case Comparison::kDate:
      if (const auto time = parse_policy_time(value)) out.time_us = time->time_since_epoch().count();
      break;
    case Comparison::kIp: out.address = parse_ip(value); break;
    case Comparison::kBinary:
      if (auto bytes = from_base64(value)) out.bytes = *std::move(bytes);
      break;
    default: break;
  }
  return out;
}

std::expected<Condition::Operand, std::string> Condition::operand(const std::string& value, bool with_variables) const {
  const auto invalid = [&](std::string_view what) { return std::unexpected("Invalid " + std::string(what) + " value : " + value); };
  // Variables stand in strings and ARNs alone.
  const bool textual = operator_.comparison == Comparison::kString || operator_.comparison == Comparison::kArn;
  auto text = PolicyText::parse(value, with_variables && textual, operator_.wildcards);
  if (!text) return std::unexpected(std::string("Policy has an invalid policy variable"));
  Operand out;
  out.text = *std::move(text);
  switch (operator_.comparison) {
    case Comparison::kString: break;
    case Comparison::kNumeric: {
      const auto number = parse_number(value);
      if (!number) return invalid("numeric");
      out.number = *number;
      break;
    }
    case Comparison::kDate: {
      const auto time = parse_policy_time(value);
      if (!time) return invalid("date");
      out.time_us = time->time_since_epoch().count();
      break;
    }
    case Comparison::kBool:
    case Comparison::kNull:
      if (!is_truth(value)) return invalid("boolean");
      break;
    case Comparison::kBinary: {
      auto bytes = from_base64(value);
      if (!bytes) return invalid("binary");
      out.bytes = *std::move(bytes);
      break;
    }
    case Comparison::kIp: {
      const auto range = parse_ip_range(value);
      if (!range) return invalid("IP address");
      out.range = *range;
      break;
    }
    case Comparison::kArn: {
      if (out.text.has_variables()) break;
      auto pattern = arn_pattern(value);
      if (!pattern) return invalid("ARN");
      out.arn = *std::move(pattern);
      break;
    }
  }
  return out;
}

bool Condition::matches_text(const Operand& operand, const std::string& value, const ConditionSource& request) const {
  std::optional<Wildcard> expanded;
  const Wildcard* pattern = &operand.text.pattern();
  if (operand.text.has_variables()) {
    expanded = operand.text.expand(request);
    if (!expanded) return false;
    pattern = &*expanded;
  }
  return operator_.ignore_case ? pattern->matches_ignoring_case(value) : pattern->matches(value);
}

bool Condition::matches(const Operand& operand, const Presented& value, const ConditionSource& request) const {
  switch (operator_.comparison) {
    case Comparison::kString: return matches_text(operand, value.text, request);
    case Comparison::kNumeric: return value.number && related(operator_.relation, *value.number, operand.number);
    case Comparison::kDate: return value.time_us && related(operator_.relation, *value.time_us, operand.time_us);
    case Comparison::kBool: return http::iequals(value.text, operand.text.source());
    case Comparison::kBinary: return value.bytes && *value.bytes == operand.bytes;
    case Comparison::kIp: return value.address && operand.range.contains(*value.address);
    // The parts of an ARN with variables are not known before: compared as one text.
    case Comparison::kArn: return operand.text.has_variables() ? matches_text(operand, value.text, request) : arn_matches(operand.arn, value.text);
    case Comparison::kNull: return false;
  }
  return false;
}

bool Condition::matches_any(const std::string& value, const ConditionSource& request) const {
  if (std::ranges::binary_search(literals_, value)) return true;
  if (others_.empty()) return false;
  const Presented presented = present(value);
  return std::ranges::any_of(others_, [&](uint32_t i) { return matches(operands_[i], presented, request); });
}

bool Condition::holds(const std::vector<std::string>& present, const ConditionSource& request) const {
  if (operator_.comparison == Comparison::kNull) {
    return std::ranges::any_of(operands_, [&](const Operand& operand) { return http::iequals(operand.text.source(), "true") == present.empty(); });
  }
  if (present.empty()) {
    if (operator_.quantifier == Quantifier::kAllValues || operator_.if_exists) return true;
    return operator_.quantifier == Quantifier::kNone && operator_.negated;
  }
  const auto satisfied = [&](const std::string& value) { return matches_any(value, request) != operator_.negated; };
  switch (operator_.quantifier) {
    case Quantifier::kAllValues: return std::ranges::all_of(present, satisfied);
    case Quantifier::kAnyValue: return std::ranges::any_of(present, satisfied);
    // Without a quantifier a negated operator must hold for whatever is there.
    case Quantifier::kNone: return operator_.negated ? std::ranges::all_of(present, satisfied) : std::ranges::any_of(present, satisfied);
  }
  return false;
}

bool Condition::narrows_access() const {
  if (operator_.negated || operator_.if_exists || operator_.quantifier == Quantifier::kAllValues) return false;
  const auto fixed = [](const Operand& operand) { return !operand.text.has_variables() && operand.text.source().find_first_of("*?") == std::string::npos; };
  switch (key_.key) {
    case ConditionKey::kSourceIp:
      return operator_.comparison == Comparison::kIp && std::ranges::none_of(operands_, [](const Operand& operand) { return operand.range.is_broad(); });
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
      return (operator_.comparison == Comparison::kString || operator_.comparison == Comparison::kArn) && std::ranges::all_of(operands_, fixed);
    default: return false;
  }
}

bool Condition::uses(ConditionKey key) const {
  return key_.key == key || std::ranges::any_of(operands_, [key](const Operand& operand) { return operand.text.uses(key); });
}

}  // namespace rondel::auth
