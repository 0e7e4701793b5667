#include "common/http/message.h"
#include "identity/policy/condition.h"

namespace rondel::policy {
namespace {

struct Row {
  std::string_view name;
  ConditionOperator op;
};

using C = Comparison;
using R = Relation;

constexpr Row kRows[] = {
    {"StringEquals", {C::kString}},
    {"StringNotEquals", {.comparison = C::kString, .negated = true}},
    {"StringEqualsIgnoreCase", {.comparison = C::kString, .ignore_case = true}},
    {"StringNotEqualsIgnoreCase", {.comparison = C::kString, .negated = true, .ignore_case = true}},
    {"StringLike", {.comparison = C::kString, .wildcards = true}},
    {"StringNotLike", {.comparison = C::kString, .negated = true, .wildcards = true}},
    {"NumericEquals", {C::kNumeric}},
    {"NumericNotEquals", {.comparison = C::kNumeric, .negated = true}},
    {"NumericLessThan", {C::kNumeric, R::kLess}},
    {"NumericLessThanEquals", {C::kNumeric, R::kLessEqual}},
    {"NumericGreaterThan", {C::kNumeric, R::kGreater}},
    {"NumericGreaterThanEquals", {C::kNumeric, R::kGreaterEqual}},
    {"DateEquals", {C::kDate}},
    {"DateNotEquals", {.comparison = C::kDate, .negated = true}},
    {"DateLessThan", {C::kDate, R::kLess}},
    {"DateLessThanEquals", {C::kDate, R::kLessEqual}},
    {"DateGreaterThan", {C::kDate, R::kGreater}},
    {"DateGreaterThanEquals", {C::kDate, R::kGreaterEqual}},
    {"Bool", {C::kBool}},
    {"BinaryEquals", {C::kBinary}},
    {"IpAddress", {C::kIp}},
    {"NotIpAddress", {.comparison = C::kIp, .negated = true}},
    {"ArnEquals", {.comparison = C::kArn, .wildcards = true}},
    {"ArnLike", {.comparison = C::kArn, .wildcards = true}},
    {"ArnNotEquals", {.comparison = C::kArn, .negated = true, .wildcards = true}},
    {"ArnNotLike", {.comparison = C::kArn, .negated = true, .wildcards = true}},
    {"Null", {C::kNull}},
};

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (text.size() < prefix.size() || !http::iequals(text.substr(0, prefix.size()), prefix)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

bool take_suffix(std::string_view& text, std::string_view suffix) {
  if (text.size() < suffix.size() ||
      !http::iequals(text.substr(text.size() - suffix.size()), suffix)) {
    return false;
  }
  text.remove_suffix(suffix.size());
  return true;
}

}  // namespace

std::optional<ConditionOperator> parse_operator(std::string_view text) {
  Quantifier quantifier = Quantifier::kNone;
  if (take_prefix(text, "ForAnyValue:")) {
    quantifier = Quantifier::kAnyValue;
  } else if (take_prefix(text, "ForAllValues:")) {
    quantifier = Quantifier::kAllValues;
  }
  const bool if_exists = take_suffix(text, "IfExists");
  for (const Row& candidate : kRows) {
    if (!http::iequals(candidate.name, text)) continue;
    ConditionOperator found = candidate.op;
    // Null asks whether the key exists: neither goes with it.
    if (found.comparison == Comparison::kNull && (if_exists || quantifier != Quantifier::kNone)) {
      return std::nullopt;
    }
    found.if_exists = if_exists;
    found.quantifier = quantifier;
    return found;
  }
  return std::nullopt;
}

}  // namespace rondel::policy
