#include "gateway/signature/signing_key_cache.h"

#include "common/crypto/digest.h"

namespace rondel::signature {

std::string SigningKeyCache::find_or_derive(std::string_view credential, const std::string& secret,
                                            const sigv4::Scope& scope) {
  {
    MutexLock lock(mutex_);
    const Entry* const found = entries_.find(credential);
    if (found != nullptr && crypto::constant_time_equal(found->secret, secret)) return found->key;
  }
  std::string key = sigv4::signing_key(secret, scope);
  MutexLock lock(mutex_);
  entries_.put(std::string(credential), Entry{secret, key},
               2 * credential.size() + secret.size() + key.size() + sizeof(Entry));
  return key;
}

}  // namespace rondel::signature
