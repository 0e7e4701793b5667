// AES-256-GCM for small secrets at rest.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace rondel::crypto {

// 12 random bytes of nonce, ciphertext, 16 bytes of tag. `key`: 32 bytes. `context` is authenticated, not stored.
Result<std::string> seal(std::string_view key, std::string_view plaintext, std::string_view context);
// kCorruption: wrong key or context, or damaged.
Result<std::string> open(std::string_view key, std::string_view sealed, std::string_view context);

}  // namespace rondel::crypto
