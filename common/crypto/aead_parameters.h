// Sizes of AES-256-GCM as it is used here, and which way a key is used.
#pragma once

#include <cstddef>

namespace rondel::crypto {

inline constexpr size_t kAeadKeyBytes = 32;
inline constexpr size_t kAeadNonceBytes = 12;
inline constexpr size_t kAeadTagBytes = 16;

enum class AeadDirection { kSeal, kOpen };

}  // namespace rondel::crypto
