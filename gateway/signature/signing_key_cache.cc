#include "gateway/signature/signing_key_cache.h"

#include "common/crypto/digest.h"

namespace rondel::signature {

std::string SigningKeyCache::find_or_derive(std::string_view credential, const std::string& secret,
                                            const sigv4::Scope& scope) {
  {
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(credential);
    if (found != entries_.end() && crypto::constant_time_equal(found->second.secret, secret)) return found->second.key;
  }
  std::string key = sigv4::signing_key(secret, scope);
  std::lock_guard lock(mutex_);
  if (entries_.size() >= kEntriesMax) entries_.clear();  // Mostly keys of past days; the live ones come back at once.
  entries_.insert_or_assign(std::string(credential), Entry{secret, key});
  return key;
}

}  // namespace rondel::signature
