#include "gateway/auth/wildcard.h"

namespace rondel::auth {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Bytes of the character at `at`: '?' stands for one of UTF-8, not for a byte of it.
size_t character_size(std::string_view text, size_t at) {
  size_t size = 1;
  while (at + size < text.size() && (static_cast<unsigned char>(text[at + size]) & 0xc0) == 0x80) ++size;
  return size;
}

}  // namespace

Wildcard::Wildcard(std::string_view text) { append_pattern(text); }

void Wildcard::append_literal(std::string_view text) {
  if (prefix_ == text_.size()) prefix_ += text.size();
  text_ += text;
  kinds_.append(text.size(), kLiteral);
  least_ += text.size();
}

void Wildcard::append_pattern(std::string_view text) {
  for (const char c : text) {
    if (c != '*' && c != '?') {
      append_literal(std::string_view(&c, 1));
      continue;
    }
    // A run of stars is one star: otherwise each doubles the ways to match.
    if (c == '*' && !kinds_.empty() && kinds_.back() == kRun) continue;
    text_ += c;
    kinds_ += c == '*' ? kRun : kOne;
    least_ += c == '?' ? 1 : 0;
  }
}

template <class Equal>
bool Wildcard::match_rest(std::string_view text, size_t at, Equal equal) const {
  // Greedy with one point of return, the last star: linear but for repeated prefixes behind stars.
  size_t pattern = prefix_, star = std::string::npos, resume = 0;
  while (at < text.size()) {
    if (pattern < text_.size() && kinds_[pattern] == kRun) {
      star = pattern++;
      resume = at;
      if (pattern == text_.size()) return true;
    } else if (pattern < text_.size() && kinds_[pattern] == kOne) {
      at += character_size(text, at);
      ++pattern;
    } else if (pattern < text_.size() && equal(text_[pattern], text[at])) {
      ++at;
      ++pattern;
    } else if (star != std::string::npos) {
      at = ++resume;
      pattern = star + 1;
    } else {
      return false;
    }
  }
  while (pattern < text_.size() && kinds_[pattern] == kRun) ++pattern;
  return pattern == text_.size();
}

bool Wildcard::matches(std::string_view text) const {
  if (text.size() < least_ || !text.starts_with(literal_prefix())) return false;
  if (is_literal()) return text.size() == prefix_;
  return match_rest(text, prefix_, [](char a, char b) { return a == b; });
}

bool Wildcard::matches_ignoring_case(std::string_view text) const {
  if (text.size() < least_) return false;
  for (size_t i = 0; i < prefix_; ++i) {
    if (lower(text[i]) != lower(text_[i])) return false;
  }
  return match_rest(text, prefix_, [](char a, char b) { return lower(a) == lower(b); });
}

}  // namespace rondel::auth
