// Signing keys by credential scope, so that a request costs one HMAC instead of five.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/sigv4/sigv4.h"

namespace rondel::signature {

// Safe for concurrent use. Holds at most kEntriesMax keys.
class SigningKeyCache {
 public:
  static constexpr size_t kEntriesMax = 10'000;

  // `credential`: access key and scope as sent. An entry made from another secret is replaced.
  std::string find_or_derive(std::string_view credential, const std::string& secret, const sigv4::Scope& scope);

 private:
  struct Entry {
    std::string secret;
    std::string key;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  std::mutex mutex_;
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;
};

}  // namespace rondel::signature
