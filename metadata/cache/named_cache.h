// NamedCache: values by name, null for names that do not exist, in a bounded number of bytes.
// Internal to metadata/cache.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/lru_cache.h"
#include "common/base/mutex.h"
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

  // Names that do not exist have an eighth of `bytes_max` of their own: who guesses names by the
  // thousand drives out none that exist.
  NamedCache(const Clock& clock, size_t bytes_max)
      : clock_(clock), present_(bytes_max - bytes_max / 8), absent_(bytes_max / 8) {}

  Lookup find(const std::string& name) {
    const SteadyTime now = clock_.steady_now();
    MutexLock lock(mutex_);
    const Entry* const entry = find_entry(name);
    if (entry == nullptr || now - entry->stored_at > life()) {
      return {false, nullptr, generation_of(name)};
    }
    return {true, entry->value, generation_of(name)};
  }

  // Dropped when the name was forgotten since `generation`: the value may be older than that
  // change. (And when one was that shares its slot.)
  void store(const std::string& name, Pointer value, uint64_t generation) {
    const SteadyTime now = clock_.steady_now();
    MutexLock lock(mutex_);
    if (generation != generation_of(name)) return;
    erase(name);
    const size_t bytes = 2 * name.size() + (value ? memory_bytes(*value) : 0);
    (value ? present_ : absent_).put(name, Entry{value, now}, bytes);
  }

  void forget(const std::string& name) {
    MutexLock lock(mutex_);
    ++forgotten_[slot_of(name)];
    erase(name);
  }

  // True: it was stored at least so long ago, and is forgotten.
  bool forget_older(const std::string& name, Duration age) {
    const SteadyTime than = clock_.steady_now() - age;
    MutexLock lock(mutex_);
    const Entry* const entry = find_entry(name);
    if (entry == nullptr || entry->stored_at >= than) return false;
    ++forgotten_[slot_of(name)];
    erase(name);
    return true;
  }

  void clear() {
    MutexLock lock(mutex_);
    forget_all();
  }

  // What kHeard and kNotHeard say. What was stored before either may be older than what was not
  // told.
  void set_heard(bool heard) {
    MutexLock lock(mutex_);
    heard_ = heard;
    forget_all();
  }

  // Of both kinds.
  size_t bytes() const {
    MutexLock lock(mutex_);
    return present_.bytes() + absent_.bytes();
  }

 private:
  static constexpr size_t kSlots = 1024;
  static constexpr Duration kUncertainLife =
      std::chrono::seconds(1);  // While changes are not told.
  static constexpr Duration kCertainLife = std::chrono::seconds(60);

  struct Entry {
    Pointer value;
    SteadyTime stored_at;
  };

  Duration life() const REQUIRES(mutex_) { return heard_ ? kCertainLife : kUncertainLife; }

  // Grows with every change that may concern the name, and no name's with another's: who has his
  // own forgotten all the time keeps nobody else from being cached.
  uint64_t generation_of(const std::string& name) const REQUIRES(mutex_) {
    return all_forgotten_ + forgotten_[slot_of(name)];
  }

  static size_t slot_of(const std::string& name) { return TextHash()(name) % kSlots; }

  void forget_all() REQUIRES(mutex_) {
    ++all_forgotten_;
    present_.clear();
    absent_.clear();
  }

  Entry* find_entry(const std::string& name) REQUIRES(mutex_) {
    Entry* const entry = present_.find(name);
    return entry != nullptr ? entry : absent_.find(name);
  }

  void erase(const std::string& name) REQUIRES(mutex_) {
    present_.erase(name);
    absent_.erase(name);
  }

  const Clock& clock_;
  mutable Mutex mutex_;
  LruCache<std::string, Entry> present_ GUARDED_BY(mutex_);
  LruCache<std::string, Entry> absent_ GUARDED_BY(mutex_);
  uint64_t all_forgotten_ GUARDED_BY(mutex_) = 0;
  std::array<uint64_t, kSlots> forgotten_ GUARDED_BY(mutex_){};
  bool heard_ GUARDED_BY(mutex_) = false;
};

}  // namespace rondel::metadata
