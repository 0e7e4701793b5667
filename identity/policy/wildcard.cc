#include "identity/policy/wildcard.h"

#include <algorithm>

namespace rondel::policy {
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
  if (prefix_ == text_.size()) {
    prefix_ += text.size();
  } else {
    suffix_ += text.size();
  }
  text_ += text;
  kinds_.append(text.size(), kLiteral);
  least_ += text.size();
}

void Wildcard::append_wildcard(char kind) {
  // A run of stars is one star: otherwise each doubles the ways to match.
  if (kind == kRun && !kinds_.empty() && kinds_.back() == kRun) return;
  text_ += kind == kRun ? '*' : '?';
  kinds_ += kind;
  suffix_ = 0;
  least_ += kind == kOne ? 1 : 0;
  has_one_ = has_one_ || kind == kOne;
}

void Wildcard::append_pattern(std::string_view text) {
  while (!text.empty()) {
    const size_t literal = std::min(text.find_first_of("*?"), text.size());
    append_literal(text.substr(0, literal));
    text.remove_prefix(literal);
    if (text.empty()) break;
    append_wildcard(text.front() == '*' ? kRun : kOne);
    text.remove_prefix(1);
  }
}

void Wildcard::append(const Wildcard& pattern) {
  size_t at = 0;
  while (at < pattern.text_.size()) {
    const size_t end = std::min(pattern.kinds_.find_first_not_of(kLiteral, at), pattern.text_.size());
    append_literal(std::string_view(pattern.text_).substr(at, end - at));
    if (end < pattern.text_.size()) append_wildcard(pattern.kinds_[end]);
    at = end + 1;
  }
}

std::vector<std::string_view> Wildcard::literal_runs() const {
  std::vector<std::string_view> runs;
  for (size_t at = prefix_; at < text_.size();) {
    const size_t end = std::min(kinds_.find_first_not_of(kLiteral, at), text_.size());
    if (end > at) runs.push_back(std::string_view(text_).substr(at, end - at));
    at = end + 1;
  }
  return runs;
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

// The leftmost place of a run leaves the most to those behind it.
bool Wildcard::finds_runs(std::string_view between) const {
  const size_t last = text_.size() - suffix_ - 1;   // The last star.
  for (size_t star = prefix_; star < last;) {
    const size_t next = kinds_.find(kRun, star + 1);
    const std::string_view run = std::string_view(text_).substr(star + 1, next - star - 1);
    const size_t found = between.find(run);
    if (found == std::string_view::npos) return false;
    between.remove_prefix(found + run.size());
    star = next;
  }
  return true;
}

bool Wildcard::matches(std::string_view text) const {
  if (text.size() < least_ || !text.starts_with(literal_prefix())) return false;
  if (is_literal()) return text.size() == prefix_;
  if (has_one_) return match_rest(text, prefix_, [](char a, char b) { return a == b; });
  if (!text.ends_with(std::string_view(text_).substr(text_.size() - suffix_))) return false;
  return finds_runs(text.substr(prefix_, text.size() - prefix_ - suffix_));
}

bool Wildcard::matches_ignoring_case(std::string_view text) const {
  if (text.size() < least_) return false;
  for (size_t i = 0; i < prefix_; ++i) {
    if (lower(text[i]) != lower(text_[i])) return false;
  }
  return match_rest(text, prefix_, [](char a, char b) { return lower(a) == lower(b); });
}

}  // namespace rondel::policy
