// AES-256-GCM: small secrets at rest, and long texts message by message.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/crypto/aead_parameters.h"

namespace rondel::crypto {

// 12 random bytes of nonce, ciphertext, 16 bytes of tag. `key`: 32 bytes. `context` is
// authenticated, not stored.
Result<std::string> seal(std::string_view key, std::string_view plaintext,
                         std::string_view context);
// kCorruption: wrong key or context, or damaged.
Result<std::string> open(std::string_view key, std::string_view sealed, std::string_view context);

class AeadEngine;

// Many messages under one key, each given in pieces of any length: the key schedule is made once.
// The caller never gives the same nonce to two messages of a key. One thread at a time. Source:
// NIST SP 800-38D.
class Aead {
 public:
  using Direction = AeadDirection;
  // What computes; the bytes are the same. kFastest is the widest instructions of this processor,
  // or OpenSSL where they lack.
  enum class Engine { kFastest, kOpenssl };

  // REQUIRES: 32 bytes of key.
  Aead(std::string_view key, Direction direction, Engine engine = Engine::kFastest);
  ~Aead();
  Aead(Aead&&) noexcept;
  Aead& operator=(Aead&&) noexcept;

  // Begins a message; one that was begun before and not finished is given up. REQUIRES: 12 bytes of
  // nonce.
  void begin(ByteView nonce, ByteView additional);
  // Writes in.size() bytes to `out`, which may be in.data(). What is opened must not be believed
  // before finish_open() says so. REQUIRES: at most 1 GiB.
  void update(ByteView in, std::byte* out);
  // Writes 16 bytes.
  void finish_seal(std::byte* tag);
  // False: damaged, or other key, nonce or additional data. REQUIRES: 16 bytes.
  bool finish_open(ByteView tag);

 private:
  Direction direction_;
  std::unique_ptr<AeadEngine> engine_;
};

}  // namespace rondel::crypto
