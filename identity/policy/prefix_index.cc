#include "identity/policy/prefix_index.h"

#include <algorithm>

namespace rondel::policy {

void PrefixIndex::add(std::string_view prefix) {
  entries_.push_back({std::string(prefix), static_cast<uint32_t>(entries_.size()), -1});
}

size_t PrefixIndex::memory_bytes() const {
  size_t bytes = entries_.capacity() * sizeof(Entry);
  for (const Entry& entry : entries_) bytes += entry.prefix.capacity();
  return bytes;
}

void PrefixIndex::seal() {
  std::ranges::sort(entries_, {}, &Entry::prefix);
  std::vector<int32_t> open;  // Entries whose prefix the current one begins with.
  for (size_t i = 0; i < entries_.size(); ++i) {
    while (!open.empty() &&
           !entries_[i].prefix.starts_with(entries_[static_cast<size_t>(open.back())].prefix)) {
      open.pop_back();
    }
    if (!open.empty()) entries_[i].enclosing = open.back();
    open.push_back(static_cast<int32_t>(i));
  }
}

// Whatever stands between a prefix of the text and the text begins with that prefix: so all of them
// are this entry or enclose it.
int32_t PrefixIndex::last_not_above(std::string_view text) const {
  const auto above = std::ranges::upper_bound(
      entries_, text, {}, [](const Entry& entry) { return std::string_view(entry.prefix); });
  return static_cast<int32_t>(above - entries_.begin()) - 1;
}

}  // namespace rondel::policy
