// One condition of a statement: operator, key, values; compiled once, evaluated per request.
// Source: "IAM JSON policy elements: Condition operators", "... with multiple context keys or
// values", IAM user guide.
#pragma once

#include <array>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ip_range.h"
#include "identity/policy/arn_set.h"
#include "identity/policy/text_set.h"

namespace rondel::policy {

enum class Comparison : uint8_t { kString, kNumeric, kDate, kBool, kBinary, kIp, kArn, kNull };
enum class Relation : uint8_t { kEqual, kLess, kLessEqual, kGreater, kGreaterEqual };
enum class Quantifier : uint8_t { kNone, kAnyValue, kAllValues };

struct ConditionOperator {
  Comparison comparison = Comparison::kString;
  Relation relation = Relation::kEqual;
  bool negated = false;
  bool ignore_case = false;
  bool wildcards = false;  // StringLike, Arn*.
  bool if_exists = false;
  Quantifier quantifier = Quantifier::kNone;
};

// "ForAnyValue:StringLikeIfExists"; nullopt: no such operator.
std::optional<ConditionOperator> parse_operator(std::string_view text);

class Condition {
 public:
  // The error is a reason for MalformedPolicy. Keys that it asks are numbered in `keys`.
  static std::expected<Condition, std::string> compile(std::string_view operator_name,
                                                       std::string_view key,
                                                       const std::vector<std::string>& values,
                                                       bool with_variables, KeyTable& keys);

  bool holds(const RequestValues& request) const;

  // Holds only for few: what it demands is fixed and named. Source: "The meaning of public", S3
  // user guide.
  bool narrows_access() const;
  bool uses(ConditionKey key) const;
  size_t memory_bytes() const;

 private:
  std::expected<void, std::string> add(const std::string& value, bool with_variables,
                                       KeyTable& keys);
  void seal();
  bool matches(const RequestValue& value, const RequestValues& request) const;

  ConditionOperator operator_;
  ConditionKey key_ = ConditionKey::kPrefix;
  uint16_t key_number_ = 0;
  // Of the operator's kind; all sorted.
  TextSet texts_;
  ArnSet arns_;
  IpRangeSet ranges_;
  std::vector<double> numbers_;
  std::vector<int64_t> times_us_;
  std::vector<std::string> bytes_;
  std::array<bool, 2> truths_{};  // It may be false; true.
  bool fixed_ = true;             // No value has wildcards or variables.
  bool broad_ = false;            // A range is.
};

}  // namespace rondel::policy
