#include "common/crypto/aead.h"

#include <openssl/evp.h>

#include <memory>

#include "common/base/assert.h"
#include "common/crypto/digest.h"

namespace rondel::crypto {
namespace {

constexpr size_t kKeyBytes = 32;
constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;
constexpr size_t kTextBytesMax = 1 << 20;

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const EVP_CIPHER* algorithm() {
  static const std::unique_ptr<EVP_CIPHER, decltype(&EVP_CIPHER_free)> fetched(
      EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr), &EVP_CIPHER_free);
  ASSERT(fetched != nullptr);
  return fetched.get();
}

unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// The context with key, nonce and authenticated text set.
Context begin(std::string_view key, std::string_view nonce, std::string_view context, int encrypt) {
  Context cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  ASSERT(cipher != nullptr);
  ASSERT(EVP_CipherInit_ex2(cipher.get(), algorithm(), bytes(key), bytes(nonce), encrypt, nullptr) == 1);
  int length = 0;
  ASSERT(EVP_CipherUpdate(cipher.get(), nullptr, &length, bytes(context), static_cast<int>(context.size())) == 1);
  return cipher;
}

}  // namespace

Result<std::string> seal(std::string_view key, std::string_view plaintext, std::string_view context) {
  if (key.size() != kKeyBytes) return fail(ErrorCode::kInvalidArgument, "the key must have 32 bytes");
  if (plaintext.size() > kTextBytesMax) return fail(ErrorCode::kInvalidArgument, "the text is too long to seal");
  const std::string nonce = random_bytes(kNonceBytes);
  Context cipher = begin(key, nonce, context, 1);
  std::string text(plaintext.size() + kTagBytes, '\0');
  int length = 0;
  int rest = 0;
  ASSERT(EVP_CipherUpdate(cipher.get(), bytes(text), &length, bytes(plaintext), static_cast<int>(plaintext.size())) == 1);
  ASSERT(EVP_CipherFinal_ex(cipher.get(), bytes(text) + length, &rest) == 1);
  ASSERT(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, bytes(text) + plaintext.size()) == 1);
  return nonce + text;
}

Result<std::string> open(std::string_view key, std::string_view sealed, std::string_view context) {
  if (key.size() != kKeyBytes) return fail(ErrorCode::kInvalidArgument, "the key must have 32 bytes");
  if (sealed.size() < kNonceBytes + kTagBytes || sealed.size() > kTextBytesMax + kNonceBytes + kTagBytes) {
    return fail(ErrorCode::kCorruption, "a sealed text of impossible length");
  }
  Context cipher = begin(key, sealed.substr(0, kNonceBytes), context, 0);
  const std::string_view body = sealed.substr(kNonceBytes, sealed.size() - kNonceBytes - kTagBytes);
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  std::string text(body.size() + kTagBytes, '\0');
  int length = 0;
  int rest = 0;
  ASSERT(EVP_CipherUpdate(cipher.get(), bytes(text), &length, bytes(body), static_cast<int>(body.size())) == 1);
  ASSERT(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, bytes(tag)) == 1);
  if (EVP_CipherFinal_ex(cipher.get(), bytes(text) + length, &rest) != 1) {
    return fail(ErrorCode::kCorruption, "wrong key or context, or a damaged sealed text");
  }
  text.resize(body.size());
  return text;
}

}  // namespace rondel::crypto
