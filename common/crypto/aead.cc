#include "common/crypto/aead.h"

#include <openssl/evp.h>

#include <memory>

#include "common/base/assert.h"
#include "common/crypto/digest.h"

namespace rondel::crypto {
namespace {

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
  if (key.size() != kAeadKeyBytes) return fail(ErrorCode::kInvalidArgument, "the key must have 32 bytes");
  if (plaintext.size() > kTextBytesMax) return fail(ErrorCode::kInvalidArgument, "the text is too long to seal");
  const std::string nonce = random_bytes(kAeadNonceBytes);
  Context cipher = begin(key, nonce, context, 1);
  std::string text(plaintext.size() + kAeadTagBytes, '\0');
  int length = 0;
  int rest = 0;
  ASSERT(EVP_CipherUpdate(cipher.get(), bytes(text), &length, bytes(plaintext), static_cast<int>(plaintext.size())) == 1);
  ASSERT(EVP_CipherFinal_ex(cipher.get(), bytes(text) + length, &rest) == 1);
  ASSERT(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagBytes, bytes(text) + plaintext.size()) == 1);
  return nonce + text;
}

Result<std::string> open(std::string_view key, std::string_view sealed, std::string_view context) {
  if (key.size() != kAeadKeyBytes) return fail(ErrorCode::kInvalidArgument, "the key must have 32 bytes");
  if (sealed.size() < kAeadNonceBytes + kAeadTagBytes || sealed.size() > kTextBytesMax + kAeadNonceBytes + kAeadTagBytes) {
    return fail(ErrorCode::kCorruption, "a sealed text of impossible length");
  }
  Context cipher = begin(key, sealed.substr(0, kAeadNonceBytes), context, 0);
  const std::string_view body = sealed.substr(kAeadNonceBytes, sealed.size() - kAeadNonceBytes - kAeadTagBytes);
  std::string tag(sealed.substr(sealed.size() - kAeadTagBytes));
  std::string text(body.size() + kAeadTagBytes, '\0');
  int length = 0;
  int rest = 0;
  ASSERT(EVP_CipherUpdate(cipher.get(), bytes(text), &length, bytes(body), static_cast<int>(body.size())) == 1);
  ASSERT(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagBytes, bytes(tag)) == 1);
  if (EVP_CipherFinal_ex(cipher.get(), bytes(text) + length, &rest) != 1) {
    return fail(ErrorCode::kCorruption, "wrong key or context, or a damaged sealed text");
  }
  text.resize(body.size());
  return text;
}

struct Aead::Impl {
  Context context;
  Direction direction;
};

Aead::Aead(std::string_view key, Direction direction)
    : impl_(std::make_unique<Impl>(Context(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free), direction)) {
  ASSERT(key.size() == kAeadKeyBytes);
  ASSERT(impl_->context != nullptr);
  ASSERT(EVP_CipherInit_ex2(impl_->context.get(), algorithm(), bytes(key), nullptr, direction == Direction::kSeal, nullptr) == 1);
}

Aead::~Aead() = default;
Aead::Aead(Aead&&) noexcept = default;
Aead& Aead::operator=(Aead&&) noexcept = default;

void Aead::begin(ByteView nonce, ByteView additional) {
  ASSERT(nonce.size() == kAeadNonceBytes);
  EVP_CIPHER_CTX* const cipher = impl_->context.get();
  int length = 0;
  ASSERT(EVP_CipherInit_ex2(cipher, nullptr, nullptr, bytes(as_text(nonce)), -1, nullptr) == 1);
  ASSERT(EVP_CipherUpdate(cipher, nullptr, &length, bytes(as_text(additional)), static_cast<int>(additional.size())) == 1);
}

void Aead::update(ByteView in, std::byte* out) {
  ASSERT(in.size() <= size_t{1} << 30);
  int length = 0;
  ASSERT(EVP_CipherUpdate(impl_->context.get(), reinterpret_cast<unsigned char*>(out), &length, bytes(as_text(in)), static_cast<int>(in.size())) == 1);
}

void Aead::finish_seal(std::byte* tag) {
  ASSERT(impl_->direction == Direction::kSeal);
  int rest = 0;
  unsigned char none[1];
  ASSERT(EVP_CipherFinal_ex(impl_->context.get(), none, &rest) == 1);
  ASSERT(EVP_CIPHER_CTX_ctrl(impl_->context.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagBytes, tag) == 1);
}

bool Aead::finish_open(ByteView tag) {
  ASSERT(impl_->direction == Direction::kOpen);
  ASSERT(tag.size() == kAeadTagBytes);
  int rest = 0;
  unsigned char none[1];
  unsigned char expected[kAeadTagBytes];
  std::memcpy(expected, tag.data(), sizeof expected);
  ASSERT(EVP_CIPHER_CTX_ctrl(impl_->context.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagBytes, expected) == 1);
  return EVP_CipherFinal_ex(impl_->context.get(), none, &rest) == 1;
}

}  // namespace rondel::crypto
