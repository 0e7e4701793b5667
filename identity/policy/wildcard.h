// Text with * (any run, also an empty one) and ? (one character), precompiled. Case matters unless asked otherwise.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rondel::policy {

class Wildcard {
 public:
  Wildcard() = default;
  // `text`: every '*' and '?' in it is a wildcard.
  explicit Wildcard(std::string_view text);

  // Builds a pattern out of pieces whose wildcards may be meant literally (values of policy variables).
  void append_literal(std::string_view text);
  void append_pattern(std::string_view text);
  void append(const Wildcard& pattern);

  bool matches(std::string_view text) const;
  // ASCII letters alike.
  bool matches_ignoring_case(std::string_view text) const;

  // Matches everything.
  bool is_any() const { return kinds_.size() == 1 && kinds_[0] == kRun; }
  // Matches one text alone.
  bool is_literal() const { return prefix_ == text_.size(); }
  // What every match begins with.
  std::string_view literal_prefix() const { return std::string_view(text_).substr(0, prefix_); }
  // Literal texts behind the first wildcard: every match holds them.
  std::vector<std::string_view> literal_runs() const;
  const std::string& text() const { return text_; }

 private:
  static constexpr char kLiteral = 0, kRun = 1, kOne = 2;

  void append_wildcard(char kind);
  // The runs between stars found one behind the other. REQUIRES: no '?'; prefix and suffix match.
  bool finds_runs(std::string_view between) const;
  template <class Equal>
  bool match_rest(std::string_view text, size_t at, Equal equal) const;

  std::string text_;
  std::string kinds_;      // Of each byte of text_.
  size_t prefix_ = 0;      // Literal bytes before the first wildcard.
  size_t suffix_ = 0;      // Behind the last one.
  size_t least_ = 0;       // Bytes of the shortest text that matches.
  bool has_one_ = false;   // A '?'.
};

}  // namespace rondel::policy
