// Many prefixes, of which one text begins with a few: these are found by binary search, not by
// comparing all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rondel::policy {

class PrefixIndex {
 public:
  // Numbered in the order of adding. Not after seal().
  void add(std::string_view prefix);
  // Before the first search.
  void seal();

  bool empty() const { return entries_.empty(); }

  size_t memory_bytes() const;

  // Whether `test(number)` is true for any of the prefixes that `text` begins with. Called for
  // those alone, longest first.
  template <class Test>
  bool any(std::string_view text, Test test) const {
    for (int32_t at = last_not_above(text); at >= 0;
         at = entries_[static_cast<size_t>(at)].enclosing) {
      const Entry& entry = entries_[static_cast<size_t>(at)];
      if (text.starts_with(entry.prefix) && test(entry.number)) return true;
    }
    return false;
  }

 private:
  struct Entry {
    std::string prefix;
    uint32_t number = 0;
    int32_t enclosing = -1;  // The nearest entry before it whose prefix this one begins with.
  };

  int32_t last_not_above(std::string_view text) const;

  std::vector<Entry> entries_;  // Sorted.
};

}  // namespace rondel::policy
