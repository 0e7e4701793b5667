// CompiledSettings: what a document of a bucket comes to when it is read, kept from one request to
// the next.
#pragma once

#include <memory>
#include <utility>

#include "common/base/lru_cache.h"
#include "common/base/mutex.h"
#include "metadata/model/bucket.h"

namespace rondel::request {

// By bucket and version of its settings. At most `bytes_max`; safe for concurrent use.
template <class Compiled>
class CompiledSettings {
 public:
  using Pointer = std::shared_ptr<const Compiled>;

  explicit CompiledSettings(size_t bytes_max) : entries_(bytes_max) {}

  // Null: not of this version.
  Pointer find(int64_t bucket_id, int64_t settings_version) {
    const MutexLock lock(mutex_);
    const Entry* const found = entries_.find(bucket_id);
    return found != nullptr && found->settings_version == settings_version ? found->compiled
                                                                           : nullptr;
  }

  // `bytes`: what it holds.
  Pointer keep(int64_t bucket_id, int64_t settings_version, Compiled compiled, size_t bytes) {
    auto kept = std::make_shared<const Compiled>(std::move(compiled));
    const MutexLock lock(mutex_);
    entries_.put(bucket_id, Entry{settings_version, kept}, bytes);
    return kept;
  }

  size_t bytes() const {
    const MutexLock lock(mutex_);
    return entries_.bytes();
  }

 private:
  struct Entry {
    int64_t settings_version = 0;
    Pointer compiled;
  };

  mutable Mutex mutex_;
  LruCache<int64_t, Entry> entries_ GUARDED_BY(mutex_);
};

}  // namespace rondel::request
