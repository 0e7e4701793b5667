#include "identity/policy/wildcard.h"

#include <string.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace rondel::policy {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool equal(char a, char b, bool fold) { return fold ? lower(a) == lower(b) : a == b; }

// Steps in which one place of a text after the other is tried, which nearly always tells, before
// all are followed at once.
uint64_t tries(size_t text) { return 4 * text + 64; }

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Bytes of the character at `at`: '?' stands for one of UTF-8, not for a byte of it.
size_t character_size(std::string_view text, size_t at) {
  size_t size = 1;
  while (at + size < text.size() && is_continuation(text[at + size])) ++size;
  return size;
}

// Follows all matches of a segment at once, whatever place of the text they began at: bit i of the
// state says that one of them has the elements up to i. A byte costs a step per 64 elements.
// ("Shift-And", Baeza-Yates and Gonnet 1992.)
class Automaton {
 public:
  // `kinds`: 0 a literal byte, else '?'.
  Automaton(std::string_view elements, std::string_view kinds, bool fold)
      : words_((elements.size() + kBits - 1) / kBits),
        state_(words_),
        one_(words_),
        last_((elements.size() - 1) % kBits) {
    for (size_t i = 0; i < elements.size(); ++i) {
      const uint64_t bit = 1ull << (i % kBits);
      if (kinds[i] != 0) {
        one_[i / kBits] |= bit;
        continue;
      }
      mask_of(elements[i])[i / kBits] |= bit;
      if (fold && lower(elements[i]) != upper(elements[i])) {
        mask_of(lower(elements[i]))[i / kBits] |= bit;
        mask_of(upper(elements[i]))[i / kBits] |= bit;
      }
    }
  }

  size_t words() const { return words_; }

  size_t masks() const { return masks_.size(); }

  // A match may begin with this byte. True: one has ended with it.
  bool take(char c) {
    const uint16_t number = numbers_[static_cast<unsigned char>(c)];
    const uint64_t* const literal = number == 0 ? nullptr : &masks_[(number - 1) * words_];
    // A character goes on: what stands behind its '?' stays there, and takes no next element.
    const bool goes_on = is_continuation(c);
    uint64_t carry = 1;
    for (size_t i = 0; i < words_; ++i) {
      const uint64_t staying = goes_on ? state_[i] & one_[i] : 0;
      const uint64_t moving = state_[i] & ~staying;
      const uint64_t fits = one_[i] | (literal == nullptr ? 0 : literal[i]);
      const uint64_t next = moving >> (kBits - 1);
      state_[i] = (((moving << 1) | carry) & fits) | staying;
      carry = next;
    }
    return (state_[words_ - 1] >> last_ & 1) != 0;
  }

 private:
  static constexpr size_t kBits = 64;

  static char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

  uint64_t* mask_of(char c) {
    uint16_t& number = numbers_[static_cast<unsigned char>(c)];
    if (number == 0) {
      masks_.resize(masks_.size() + words_);
      number = static_cast<uint16_t>(masks_.size() / words_);
    }
    return &masks_[(number - 1) * words_];
  }

  const size_t words_;
  std::vector<uint64_t> state_;
  std::vector<uint64_t> one_;  // The elements that are '?'.
  // The elements that are one byte: words_ of each byte that the segment has.
  std::vector<uint64_t> masks_;
  std::array<uint16_t, 256> numbers_{};  // Which of masks_, from 1; 0 = none.
  const size_t last_;
};

}  // namespace

std::optional<size_t> find_end(std::string_view text, std::string_view wanted, size_t from,
                               Work& work) {
  const std::string_view rest = text.substr(from);
  if (wanted.empty()) return from;
  if (wanted.size() > rest.size()) return std::nullopt;
  // Linear in the C library (two-way, or a bounded table of skips); std::string_view::find is not.
  const void* const found = ::memmem(rest.data(), rest.size(), wanted.data(), wanted.size());
  if (found == nullptr) {
    work.add(wanted.size() + rest.size());
    return std::nullopt;
  }
  const size_t at = static_cast<size_t>(static_cast<const char*>(found) - rest.data());
  work.add(wanted.size() + at);
  return from + at + wanted.size();
}

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
    const size_t end =
        std::min(pattern.kinds_.find_first_not_of(kLiteral, at), pattern.text_.size());
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

Wildcard::Segment Wildcard::segment_at(size_t begin) const {
  return {begin, std::min(kinds_.find(kRun, begin), kinds_.size())};
}

bool Wildcard::is_literal(const Segment& segment) const {
  return !has_one_ || kinds_.find(kOne, segment.begin) >= segment.end;
}

size_t Wildcard::match_at(const Segment& segment, std::string_view text, size_t at, bool fold,
                          Work& work) const {
  for (size_t i = segment.begin; i < segment.end; ++i) {
    work.add(1);
    if (at >= text.size()) return std::string::npos;
    if (kinds_[i] == kLiteral && !equal(text_[i], text[at], fold)) return std::string::npos;
    const size_t size = kinds_[i] == kOne ? character_size(text, at) : 1;
    work.add(size - 1);
    at += size;
  }
  return at;
}

size_t Wildcard::find(const Segment& segment, std::string_view text, size_t from, bool fold,
                      uint64_t tries_max, Work& work) const {
  if (segment.size() == 0) return from;
  if (text.size() - from < segment.size()) return std::string::npos;
  if (!fold && is_literal(segment)) {
    return find_end(text, std::string_view(text_).substr(segment.begin, segment.size()), from, work)
        .value_or(std::string::npos);
  }
  for (; text.size() - from >= segment.size(); ++from) {
    if (work.steps() > tries_max) return follow(segment, text, from, fold, false, work);
    const size_t end = match_at(segment, text, from, fold, work);
    if (end != std::string::npos) return end;
  }
  return std::string::npos;
}

size_t Wildcard::follow(const Segment& segment, std::string_view text, size_t from, bool fold,
                        bool to_end, Work& work) const {
  Automaton automaton(std::string_view(text_).substr(segment.begin, segment.size()),
                      std::string_view(kinds_).substr(segment.begin, segment.size()), fold);
  work.add(segment.size() + automaton.masks());
  bool ended = false;
  for (; from < text.size(); ++from) {
    work.add(automaton.words());
    ended = automaton.take(text[from]);
    if (ended && !to_end) return from + 1;
  }
  return ended ? from : std::string::npos;
}

bool Wildcard::ends_with(const Segment& segment, std::string_view text, size_t from, bool fold,
                         uint64_t tries_max, Work& work) const {
  if (segment.size() == 0) return true;
  if (text.size() - from < segment.size()) return false;
  if (is_literal(segment)) {
    return match_at(segment, text, text.size() - segment.size(), fold, work) == text.size();
  }
  for (; text.size() - from >= segment.size(); ++from) {
    if (work.steps() > tries_max) {
      return follow(segment, text, from, fold, true, work) == text.size();
    }
    if (match_at(segment, text, from, fold, work) == text.size()) return true;
  }
  return false;
}

// Between its stars the pattern has segments. The first stands at the text's begin, the last at its
// end; of those between, the match that ends first leaves the most to the segments behind it.
bool Wildcard::match(std::string_view text, bool fold, Work& work) const {
  work.add(1);
  if (text.size() < least_) return false;
  const uint64_t tries_max = work.steps() + tries(text.size());
  Segment segment = segment_at(0);
  size_t at = match_at(segment, text, 0, fold, work);
  if (at == std::string::npos) return false;
  if (segment.end == kinds_.size()) return at == text.size();
  while (true) {
    segment = segment_at(segment.end + 1);
    if (segment.end == kinds_.size()) return ends_with(segment, text, at, fold, tries_max, work);
    at = find(segment, text, at, fold, tries_max, work);
    if (at == std::string::npos) return false;
  }
}

bool Wildcard::matches(std::string_view text, Work& work) const {
  if (is_literal()) {
    work.add(1);
    return text == text_;
  }
  // Most texts begin with something else, and end so.
  if (!text.starts_with(literal_prefix())) return false;
  if (suffix_ > 0 && !text.ends_with(std::string_view(text_).substr(text_.size() - suffix_))) {
    return false;
  }
  return match(text, false, work);
}

bool Wildcard::matches(std::string_view text) const {
  Work work;
  return matches(text, work);
}

bool Wildcard::matches_ignoring_case(std::string_view text, Work& work) const {
  return match(text, true, work);
}

bool Wildcard::matches_ignoring_case(std::string_view text) const {
  Work work;
  return matches_ignoring_case(text, work);
}

}  // namespace rondel::policy
