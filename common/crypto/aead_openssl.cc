// Aead by OpenSSL, for every processor.
#include <openssl/evp.h>

#include <cstring>

#include "common/base/assert.h"
#include "common/crypto/aead_engine.h"

namespace rondel::crypto {
namespace {

const EVP_CIPHER* algorithm() {
  static const std::unique_ptr<EVP_CIPHER, decltype(&EVP_CIPHER_free)> fetched(
      EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr), &EVP_CIPHER_free);
  ASSERT(fetched != nullptr);
  return fetched.get();
}

const unsigned char* bytes(ByteView view) {
  return reinterpret_cast<const unsigned char*>(view.data());
}

class OpensslEngine final : public AeadEngine {
 public:
  OpensslEngine(std::string_view key, AeadDirection direction)
      : context_(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free) {
    ASSERT(context_ != nullptr);
    ASSERT(EVP_CipherInit_ex2(context_.get(), algorithm(), bytes(as_bytes(key)), nullptr,
                              direction == AeadDirection::kSeal, nullptr) == 1);
  }

  void begin(ByteView nonce, ByteView additional) override {
    ASSERT(EVP_CipherInit_ex2(context_.get(), nullptr, nullptr, bytes(nonce), -1, nullptr) == 1);
    int length = 0;
    ASSERT(EVP_CipherUpdate(context_.get(), nullptr, &length, bytes(additional),
                            static_cast<int>(additional.size())) == 1);
  }

  void update(ByteView in, std::byte* out) override {
    int length = 0;
    ASSERT(EVP_CipherUpdate(context_.get(), reinterpret_cast<unsigned char*>(out), &length,
                            bytes(in), static_cast<int>(in.size())) == 1);
  }

  void finish_seal(std::byte* tag) override {
    ASSERT(finish());
    ASSERT(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagBytes, tag) == 1);
  }

  bool finish_open(ByteView tag) override {
    unsigned char expected[kAeadTagBytes];
    std::memcpy(expected, tag.data(), sizeof expected);
    ASSERT(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagBytes, expected) ==
           1);
    return finish();
  }

 private:
  bool finish() {
    int rest = 0;
    unsigned char none[1];
    return EVP_CipherFinal_ex(context_.get(), none, &rest) == 1;
  }

  std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context_;
};

}  // namespace

std::unique_ptr<AeadEngine> make_openssl_engine(std::string_view key, AeadDirection direction) {
  return std::make_unique<OpensslEngine>(key, direction);
}

}  // namespace rondel::crypto
