// One numeric field of a document, header or parameter: what it takes, and what is answered
// otherwise. check() goes over every limit.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace rondel::tests {

struct NumberField {
  std::string name;
  std::function<std::string(const std::string&)> outcome;  // "OK" or the error's code.
  uint64_t min = 0;
  uint64_t max = UINT64_MAX;
  std::string below;           // Digits below min.
  std::string above;           // Digits above max, of any length.
  std::string negative;        // A minus before digits.
  std::string other;           // Anything that is no number.
  std::string empty;           // No text at all.
  bool trimmed = false;        // XML: blanks around it do not count.
  std::string far_above = {};  // Above far, when that is answered otherwise.
  uint64_t far = UINT64_MAX;
};

// Decimal digits of any length against 64 bits.
inline std::string without_zeros(const std::string& digits) {
  const size_t first = digits.find_first_not_of('0');
  return first == std::string::npos ? "0" : digits.substr(first);
}

inline bool exceeds(const std::string& digits, uint64_t bound) {
  const std::string text = without_zeros(digits), limit = std::to_string(bound);
  return text.size() != limit.size() ? text.size() > limit.size() : text > limit;
}

inline std::string expected_of(const NumberField& field, std::string text) {
  if (field.trimmed) {
    while (!text.empty() && text.front() == ' ') text.erase(0, 1);
    while (!text.empty() && text.back() == ' ') text.pop_back();
  }
  if (text.empty()) return field.empty;
  const bool minus = text.front() == '-';
  const std::string digits = minus ? text.substr(1) : text;
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) {
    return field.other;
  }
  if (minus) return field.negative;
  if (exceeds(digits, field.far)) return field.far_above.empty() ? field.above : field.far_above;
  if (exceeds(digits, field.max)) return field.above;
  if (field.min > 0 && !exceeds(digits, field.min - 1)) return field.below;
  return "OK";
}

inline std::vector<std::string> number_texts(const NumberField& field) {
  std::set<std::string> texts{"",
                              " ",
                              "0",
                              "1",
                              "00000000000000000000000000000001",
                              "-1",
                              "-0",
                              "+1",
                              "--1",
                              "1.5",
                              "1e3",
                              "0x10",
                              "1 ",
                              " 1",
                              "1,000",
                              "ten",
                              "NaN",
                              "inf",
                              "2147483646",
                              "2147483647",
                              "2147483648",
                              "4294967295",
                              "4294967296",
                              "4294967297",
                              "106751991",
                              "106751992",
                              "999999999",
                              "9223372036854775806",
                              "9223372036854775807",
                              "9223372036854775808",
                              "18446744073709551614",
                              "18446744073709551615",
                              "18446744073709551616",
                              "18446744073709551617",
                              "340282366920938463463374607431768211457",
                              "999999999999999999999999999999",
                              "-2147483648",
                              "-2147483649",
                              "-9223372036854775808",
                              "-9223372036854775809",
                              "-18446744073709551615",
                              "-999999999999999999999999999999"};
  for (const uint64_t bound : {field.min, field.max}) {
    texts.insert(std::to_string(bound));
    if (bound > 0) texts.insert(std::to_string(bound - 1));
    if (bound < UINT64_MAX) texts.insert(std::to_string(bound + 1));
  }
  return {texts.begin(), texts.end()};
}

inline void check(const NumberField& field) {
  for (const std::string& text : number_texts(field)) {
    EXPECT_EQ(field.outcome(text), expected_of(field, text)) << field.name << " \"" << text << "\"";
  }
}

}  // namespace rondel::tests
