// Text with * (any run, also an empty one) and ? (one character), precompiled. Case matters unless
// asked otherwise.
//
// Both sides come from strangers: a text of n bytes is matched against a pattern of m in at most 5n
// + m + 64 steps, and where a '?' stands behind a star in n * (m / 64 + 1) + 4m + 256 more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/policy/work.h"

namespace rondel::policy {

// Where the first `wanted` of `text` at `from` or behind ends, in linear time whatever both are;
// nullopt: there is none. REQUIRES: from <= text.size().
std::optional<size_t> find_end(std::string_view text, std::string_view wanted, size_t from,
                               Work& work);

class Wildcard {
 public:
  Wildcard() = default;
  // `text`: every '*' and '?' in it is a wildcard.
  explicit Wildcard(std::string_view text);

  // Builds a pattern out of pieces whose wildcards may be meant literally (values of policy
  // variables).
  void append_literal(std::string_view text);
  void append_pattern(std::string_view text);
  void append(const Wildcard& pattern);

  // What it costs is added to `work`.
  bool matches(std::string_view text, Work& work) const;
  bool matches(std::string_view text) const;
  // ASCII letters alike.
  bool matches_ignoring_case(std::string_view text, Work& work) const;
  bool matches_ignoring_case(std::string_view text) const;

  // Matches everything.
  bool is_any() const { return kinds_.size() == 1 && kinds_[0] == kRun; }

  // Matches one text alone.
  bool is_literal() const { return prefix_ == text_.size(); }

  // What every match begins with.
  std::string_view literal_prefix() const { return std::string_view(text_).substr(0, prefix_); }

  // Literal texts behind the first wildcard: every match holds them.
  std::vector<std::string_view> literal_runs() const;

  // Bytes of the shortest text that matches.
  size_t size_min() const { return least_; }

  const std::string& text() const { return text_; }

  // What it holds beside itself; so of all memory_bytes() of this folder.
  size_t memory_bytes() const { return text_.capacity() + kinds_.capacity(); }

 private:
  static constexpr char kLiteral = 0, kRun = 1, kOne = 2;

  void append_wildcard(char kind);

  // Elements [begin, end) without a star.
  struct Segment {
    size_t begin = 0;
    size_t end = 0;

    size_t size() const { return end - begin; }
  };

  Segment segment_at(size_t begin) const;
  bool is_literal(const Segment& segment) const;
  // The end of the segment's match that begins at `at`; npos: none.
  size_t match_at(const Segment& segment, std::string_view text, size_t at, bool fold,
                  Work& work) const;
  // The end of the match that ends first among those that begin at `from` or behind; npos: none.
  // One place after the other is tried until `work` has cost `tries_max` in all.
  size_t find(const Segment& segment, std::string_view text, size_t from, bool fold,
              uint64_t tries_max, Work& work) const;
  // The same as find(), and to_end as ends_with(), by an automaton that takes each byte once.
  size_t follow(const Segment& segment, std::string_view text, size_t from, bool fold, bool to_end,
                Work& work) const;
  // A match that begins at `from` or behind ends where the text does.
  bool ends_with(const Segment& segment, std::string_view text, size_t from, bool fold,
                 uint64_t tries_max, Work& work) const;
  bool match(std::string_view text, bool fold, Work& work) const;

  std::string text_;
  std::string kinds_;     // Of each byte of text_.
  size_t prefix_ = 0;     // Literal bytes before the first wildcard.
  size_t suffix_ = 0;     // Behind the last one.
  size_t least_ = 0;      // Bytes of the shortest text that matches.
  bool has_one_ = false;  // A '?'.
};

}  // namespace rondel::policy
