// LruCache: values by key, at most so many bytes of them; what was not looked for longest goes
// first.
#pragma once

#include <cstddef>
#include <list>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace rondel {

// A hash of text by which views find strings.
struct TextHash {
  using is_transparent = void;

  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

// Not safe for concurrent use.
template <class Key, class Value, class Hash = std::hash<Key>>
class LruCache {
 public:
  // What an entry costs beside what its owner counts: nodes of the list and the table.
  static constexpr size_t kEntryBytes = 160;

  explicit LruCache(size_t bytes_max) : bytes_max_(bytes_max) {}

  // Null: it is not there. Valid until the next change.
  template <class Name>
  Value* find(const Name& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->value;
  }

  // Replaces what is there. `bytes`: of key and value, with everything that hangs on them alone. An
  // entry of more than the whole bound is not kept.
  void put(Key key, Value value, size_t bytes) {
    erase(key);
    bytes += kEntryBytes;
    if (bytes > bytes_max_) return;
    while (bytes_ + bytes > bytes_max_) drop(std::prev(entries_.end()));
    entries_.push_front(Entry{key, std::move(value), bytes});
    index_.emplace(std::move(key), entries_.begin());
    bytes_ += bytes;
  }

  template <class Name>
  void erase(const Name& key) {
    if (const auto found = index_.find(key); found != index_.end()) drop(found->second);
  }

  void clear() {
    index_.clear();
    entries_.clear();
    bytes_ = 0;
  }

  size_t size() const { return entries_.size(); }

  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    Key key;
    Value value;
    size_t bytes = 0;
  };

  using Place = typename std::list<Entry>::iterator;

  void drop(Place entry) {
    bytes_ -= entry->bytes;
    index_.erase(entry->key);
    entries_.erase(entry);
  }

  const size_t bytes_max_;
  size_t bytes_ = 0;
  std::list<Entry> entries_;  // The one found last is the first.
  std::unordered_map<Key, Place, Hash, std::equal_to<>> index_;
};

}  // namespace rondel
