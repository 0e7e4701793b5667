// Signing keys by credential scope, so that a request costs one HMAC instead of five.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/lru_cache.h"
#include "common/base/mutex.h"
#include "common/sigv4/sigv4.h"

namespace rondel::signature {

// Safe for concurrent use.
class SigningKeyCache {
 public:
  static constexpr size_t kBytesMax = 8 << 20;

  // `credential`: access key and scope as sent. An entry made from another secret is replaced.
  std::string find_or_derive(std::string_view credential, const std::string& secret,
                             const sigv4::Scope& scope);

  size_t bytes() const {
    MutexLock lock(mutex_);
    return entries_.bytes();
  }

 private:
  struct Entry {
    std::string secret;
    std::string key;
  };

  mutable Mutex mutex_;
  LruCache<std::string, Entry, TextHash> entries_ GUARDED_BY(mutex_){kBytesMax};
};

}  // namespace rondel::signature
