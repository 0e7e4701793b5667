// One condition of a statement: operator, key, values; compiled once, evaluated per request.
// Source: "IAM JSON policy elements: Condition operators", "... with multiple context keys or values", IAM user guide.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/auth/ip_range.h"
#include "gateway/auth/policy_text.h"

namespace rondel::auth {

enum class Comparison : uint8_t { kString, kNumeric, kDate, kBool, kBinary, kIp, kArn, kNull };
enum class Relation : uint8_t { kEqual, kLess, kLessEqual, kGreater, kGreaterEqual };
enum class Quantifier : uint8_t { kNone, kAnyValue, kAllValues };

struct ConditionOperator {
  Comparison comparison = Comparison::kString;
  Relation relation = Relation::kEqual;
  bool negated = false;
  bool ignore_case = false;
  bool wildcards = false;       // StringLike, Arn*.
  bool if_exists = false;
  Quantifier quantifier = Quantifier::kNone;
};

// "ForAnyValue:StringLikeIfExists"; nullopt: no such operator.
std::optional<ConditionOperator> parse_operator(std::string_view text);

class Condition {
 public:
  // The error is a reason for MalformedPolicy.
  static std::expected<Condition, std::string> compile(std::string_view operator_name, std::string_view key,
                                                       const std::vector<std::string>& values, bool with_variables);

  // `present`: what the request has of key(). `request`: for variables in the values.
  bool holds(const std::vector<std::string>& present, const ConditionSource& request) const;

  const KeyName& key() const { return key_; }
  const ConditionOperator& op() const { return operator_; }
  // Holds only for few: what it demands is fixed and named. Source: "The meaning of public", S3 user guide.
  bool narrows_access() const;
  bool uses(ConditionKey key) const;

 private:
  struct Operand {
    PolicyText text;
    double number = 0;
    int64_t time_us = 0;
    IpRange range;
    std::string bytes;
    std::vector<Wildcard> arn;    // Its six parts.
  };

  // A value of the request, read once for however many operands it is compared with.
  struct Presented {
    const std::string& text;
    std::optional<double> number = {};
    std::optional<int64_t> time_us = {};
    std::optional<IpAddress> address = {};
    std::optional<std::string> bytes = {};
  };

  std::expected<Operand, std::string> operand(const std::string& value, bool with_variables) const;
  void index();
  Presented present(const std::string& value) const;
  bool matches_any(const std::string& value, const ConditionSource& request) const;
  bool matches(const Operand& operand, const Presented& value, const ConditionSource& request) const;
  bool matches_text(const Operand& operand, const std::string& value, const ConditionSource& request) const;

  ConditionOperator operator_;
  KeyName key_;
  std::vector<Operand> operands_;
  // Operands that are one text each, sorted, and the numbers of the others.
  std::vector<std::string> literals_;
  std::vector<uint32_t> others_;
};

}  // namespace rondel::auth
