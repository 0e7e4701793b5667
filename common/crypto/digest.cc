// The low-level SHA256_* skips EVP's per-call cost, a third of a short digest.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "common/crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "common/base/assert.h"
#include "common/base/encoding.h"

namespace rondel::crypto {
namespace {

using MessageDigest = std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)>;
using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

MessageDigest fetch(const char* name) {
  MessageDigest fetched(EVP_MD_fetch(nullptr, name, nullptr), &EVP_MD_free);
  ASSERT(fetched != nullptr);
  return fetched;
}

const EVP_MD* algorithm_of(DigestAlgorithm algorithm) {
  static const MessageDigest md5_algorithm = fetch("MD5");
  static const MessageDigest sha1_algorithm = fetch("SHA1");
  static const MessageDigest sha256_algorithm = fetch("SHA256");
  static const MessageDigest sha512_algorithm = fetch("SHA512");
  switch (algorithm) {
    case DigestAlgorithm::kMd5: return md5_algorithm.get();
    case DigestAlgorithm::kSha1: return sha1_algorithm.get();
    case DigestAlgorithm::kSha256: return sha256_algorithm.get();
    case DigestAlgorithm::kSha512: return sha512_algorithm.get();
  }
  return sha256_algorithm.get();
}

// Re-initialising with null keeps the algorithm and saves the set-up.
void restart(EVP_MD_CTX* context) { ASSERT(EVP_DigestInit_ex2(context, nullptr, nullptr) == 1); }

Context make_context(DigestAlgorithm algorithm) {
  Context context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  ASSERT(context != nullptr);
  ASSERT(EVP_DigestInit_ex2(context.get(), algorithm_of(algorithm), nullptr) == 1);
  return context;
}

std::string finish_context(EVP_MD_CTX* context) {
  std::string value(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  ASSERT(EVP_DigestFinal_ex(context, reinterpret_cast<unsigned char*>(value.data()), &size) == 1);
  value.resize(size);
  return value;
}

std::string one_shot(EVP_MD_CTX* context, std::string_view text) {
  restart(context);
  ASSERT(EVP_DigestUpdate(context, text.data(), text.size()) == 1);
  return finish_context(context);
}

using Sha256Value = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Sha256Value raw_sha256(std::string_view text) {
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, text.data(), text.size());
  Sha256Value value;
  SHA256_Final(value.data(), &context);
  return value;
}

std::string text_of(const Sha256Value& value) {
  return {reinterpret_cast<const char*>(value.data()), value.size()};
}

}  // namespace

struct Digest::Impl {
  Context context;
};

Digest::Digest(DigestAlgorithm algorithm)
    : impl_(std::make_unique<Impl>(make_context(algorithm))) {}

Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;

void Digest::update(ByteView bytes) {
  ASSERT(EVP_DigestUpdate(impl_->context.get(), bytes.data(), bytes.size()) == 1);
}

std::string Digest::finish() {
  std::string value = finish_context(impl_->context.get());
  restart(impl_->context.get());
  return value;
}

std::string sha256(std::string_view text) { return text_of(raw_sha256(text)); }

std::string sha256_hex(std::string_view text) {
  const Sha256Value value = raw_sha256(text);
  return to_hex(std::as_bytes(std::span(value)));
}

std::string md5(std::string_view text) {
  thread_local const Context context = make_context(DigestAlgorithm::kMd5);
  return one_shot(context.get(), text);
}

// RFC 2104.
std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, SHA256_CBLOCK> block{};
  if (key.size() > block.size()) {
    const Sha256Value hashed = raw_sha256(key);
    std::memcpy(block.data(), hashed.data(), hashed.size());
  } else if (!key.empty()) {
    std::memcpy(block.data(), key.data(), key.size());
  }
  for (unsigned char& byte : block) byte ^= 0x36;
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, block.data(), block.size());
  SHA256_Update(&context, text.data(), text.size());
  Sha256Value value;
  SHA256_Final(value.data(), &context);

  for (unsigned char& byte : block) byte ^= 0x36 ^ 0x5c;
  SHA256_Init(&context);
  SHA256_Update(&context, block.data(), block.size());
  SHA256_Update(&context, value.data(), value.size());
  SHA256_Final(value.data(), &context);
  OPENSSL_cleanse(block.data(), block.size());
  OPENSSL_cleanse(&context, sizeof context);
  return text_of(value);
}

std::string hmac_sha1(std::string_view key, std::string_view text) {
  constexpr size_t kBlock = 64;
  thread_local const Context context = make_context(DigestAlgorithm::kSha1);
  std::string block = key.size() > kBlock ? one_shot(context.get(), key) : std::string(key);
  block.resize(kBlock, '\0');
  for (char& byte : block) byte = static_cast<char>(byte ^ 0x36);
  const std::string inner = one_shot(context.get(), block + std::string(text));
  for (char& byte : block) byte = static_cast<char>(byte ^ (0x36 ^ 0x5c));
  std::string value = one_shot(context.get(), block + inner);
  OPENSSL_cleanse(block.data(), block.size());
  return value;
}

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_bytes(size_t count) {
  std::string bytes(count, '\0');
  ASSERT(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) == 1);
  return bytes;
}

}  // namespace rondel::crypto
