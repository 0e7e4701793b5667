// Who computes AES-256-GCM for Aead. Lengths and the direction are its affair; an engine believes
// them.
#pragma once

#include <memory>
#include <string_view>

#include "common/base/bytes.h"
#include "common/crypto/aead_parameters.h"

namespace rondel::crypto {

class AeadEngine {
 public:
  virtual ~AeadEngine() = default;
  virtual void begin(ByteView nonce, ByteView additional) = 0;
  virtual void update(ByteView in, std::byte* out) = 0;
  virtual void finish_seal(std::byte* tag) = 0;
  virtual bool finish_open(ByteView tag) = 0;
};

std::unique_ptr<AeadEngine> make_openssl_engine(std::string_view key, AeadDirection direction);

// AVX-512 with VAES and VPCLMULQDQ: four blocks an instruction. Null where processor or build lack
// them.
std::unique_ptr<AeadEngine> make_wide_engine(std::string_view key, AeadDirection direction);

}  // namespace rondel::crypto
