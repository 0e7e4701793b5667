// NamedCache: values by name, null for names that do not exist, in a bounded number. Internal to
// metadata/cache.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "common/base/clock.h"
#include "metadata/store/directory_change.h"

namespace rondel::metadata {

// Safe for concurrent use.
template <class Value>
class NamedCache {
 public:
  using Pointer = std::shared_ptr<const Value>;

  struct Lookup {
    bool found = false;
    Pointer value;
    uint64_t generation = 0;
  };

  explicit NamedCache(const Clock& clock) : clock_(clock) {}

  Lookup find(const std::string& name) const {
    const SteadyTime now = clock_.steady_now();
    std::lock_guard lock(mutex_);
    const auto entry = entries_.find(name);
    if (entry == entries_.end() || now - entry->second.stored_at > life())
      return {false, nullptr, generation_};
    return {true, entry->second.value, generation_};
  }

  // Dropped when anything was forgotten since `generation`: the value may be older than that
  // change.
  void store(const std::string& name, Pointer value, uint64_t generation) {
    const SteadyTime now = clock_.steady_now();
    std::lock_guard lock(mutex_);
    if (generation != generation_) return;
    if (entries_.size() >= kEntriesMax) entries_.erase(entries_.begin());
    entries_[name] = {std::move(value), now};
  }

  void forget(const std::string& name) {
    std::lock_guard lock(mutex_);
    ++generation_;
    entries_.erase(name);
  }

  // True: it was stored at least so long ago, and is forgotten.
  bool forget_older(const std::string& name, Duration age) {
    const SteadyTime than = clock_.steady_now() - age;
    std::lock_guard lock(mutex_);
    const auto entry = entries_.find(name);
    if (entry == entries_.end() || entry->second.stored_at >= than) return false;
    ++generation_;
    entries_.erase(entry);
    return true;
  }

  void clear() {
    std::lock_guard lock(mutex_);
    forget_all();
  }

  // What kHeard and kNotHeard say. What was stored before either may be older than what was not
  // told.
  void set_heard(bool heard) {
    std::lock_guard lock(mutex_);
    heard_ = heard;
    forget_all();
  }

 private:
  static constexpr size_t kEntriesMax = 20'000;
  static constexpr Duration kUncertainLife =
      std::chrono::seconds(1);   // While changes are not told.
  static constexpr Duration kCertainLife = std::chrono::seconds(60);

  struct Entry {
    Pointer value;
    SteadyTime stored_at;
  };

  Duration life() const { return heard_ ? kCertainLife : kUncertainLife; }
  void forget_all() {
    ++generation_;
    entries_.clear();
  }

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;   // Guarded by mutex_, as is the rest.
  uint64_t generation_ = 0;
  bool heard_ = false;
};

}  // namespace rondel::metadata
