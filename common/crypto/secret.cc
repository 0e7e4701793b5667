#include "common/crypto/secret.h"

#include <openssl/crypto.h>

#include "common/crypto/aead.h"
#include "common/crypto/digest.h"

namespace rondel::crypto {

// A moved-from string may keep short contents in place, so it is wiped too.
Secret::Secret(Secret&& other) noexcept : bytes_(other.bytes_.data(), other.bytes_.size()) {
  other.wipe();
}

Secret& Secret::operator=(Secret other) noexcept {
  bytes_.swap(other.bytes_);
  return *this;
}

Secret::~Secret() { wipe(); }

void Secret::wipe() {
  OPENSSL_cleanse(bytes_.data(), bytes_.size());
  bytes_.clear();
}

Secret random_key() { return Secret(random_bytes(kAeadKeyBytes)); }

}  // namespace rondel::crypto
