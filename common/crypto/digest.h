// Message digests and HMAC by OpenSSL. Algorithms are fetched once. Contexts are reused where it
// pays.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/bytes.h"

namespace rondel::crypto {

enum class DigestAlgorithm { kMd5, kSha1, kSha256, kSha512 };

// Incremental digest. One thread at a time.
class Digest {
 public:
  explicit Digest(DigestAlgorithm algorithm);
  ~Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;

  void update(ByteView bytes);

  void update(std::string_view text) { update(as_bytes(text)); }

  // The raw value; the object starts afresh.
  std::string finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string sha256(std::string_view text);  // Raw, 32 bytes.
std::string sha256_hex(std::string_view text);
std::string md5(std::string_view text);
std::string hmac_sha256(std::string_view key, std::string_view text);
std::string hmac_sha1(std::string_view key, std::string_view text);

// Time does not depend on where they differ.
bool constant_time_equal(std::string_view a, std::string_view b);

std::string random_bytes(size_t count);

}  // namespace rondel::crypto
