#include "common/crypto/aead.h"

#include "common/base/assert.h"
#include "common/crypto/aead_engine.h"
#include "common/crypto/digest.h"

namespace rondel::crypto {
namespace {

constexpr size_t kTextBytesMax = 1 << 20;

std::byte* bytes(std::string& text) { return reinterpret_cast<std::byte*>(text.data()); }

}  // namespace

Result<std::string> seal(std::string_view key, std::string_view plaintext,
                         std::string_view context) {
  if (key.size() != kAeadKeyBytes) {
    return fail(ErrorCode::kInvalidArgument, "the key must have 32 bytes");
  }
  if (plaintext.size() > kTextBytesMax) {
    return fail(ErrorCode::kInvalidArgument, "the text is too long to seal");
  }
  std::string sealed = random_bytes(kAeadNonceBytes);
  sealed.resize(kAeadNonceBytes + plaintext.size() + kAeadTagBytes);
  Aead aead(key, Aead::Direction::kSeal);
  aead.begin(as_bytes(sealed).first(kAeadNonceBytes), as_bytes(context));
  aead.update(as_bytes(plaintext), bytes(sealed) + kAeadNonceBytes);
  aead.finish_seal(bytes(sealed) + kAeadNonceBytes + plaintext.size());
  return sealed;
}

Result<std::string> open(std::string_view key, std::string_view sealed, std::string_view context) {
  if (key.size() != kAeadKeyBytes) {
    return fail(ErrorCode::kInvalidArgument, "the key must have 32 bytes");
  }
  if (sealed.size() < kAeadNonceBytes + kAeadTagBytes ||
      sealed.size() > kTextBytesMax + kAeadNonceBytes + kAeadTagBytes) {
    return fail(ErrorCode::kCorruption, "a sealed text of impossible length");
  }
  const ByteView body = as_bytes(sealed.substr(kAeadNonceBytes));
  std::string text(body.size() - kAeadTagBytes, '\0');
  Aead aead(key, Aead::Direction::kOpen);
  aead.begin(as_bytes(sealed).first(kAeadNonceBytes), as_bytes(context));
  aead.update(body.first(text.size()), bytes(text));
  if (!aead.finish_open(body.last(kAeadTagBytes))) {
    return fail(ErrorCode::kCorruption, "wrong key or context, or a damaged sealed text");
  }
  return text;
}

Aead::Aead(std::string_view key, Direction direction, Engine engine) : direction_(direction) {
  ASSERT(key.size() == kAeadKeyBytes);
  if (engine == Engine::kFastest) engine_ = make_wide_engine(key, direction);
  if (!engine_) engine_ = make_openssl_engine(key, direction);
}

Aead::~Aead() = default;
Aead::Aead(Aead&&) noexcept = default;
Aead& Aead::operator=(Aead&&) noexcept = default;

void Aead::begin(ByteView nonce, ByteView additional) {
  ASSERT(nonce.size() == kAeadNonceBytes);
  engine_->begin(nonce, additional);
}

void Aead::update(ByteView in, std::byte* out) {
  ASSERT(in.size() <= size_t{1} << 30);
  if (!in.empty()) engine_->update(in, out);
}

void Aead::finish_seal(std::byte* tag) {
  ASSERT(direction_ == Direction::kSeal);
  engine_->finish_seal(tag);
}

bool Aead::finish_open(ByteView tag) {
  ASSERT(direction_ == Direction::kOpen);
  ASSERT(tag.size() == kAeadTagBytes);
  return engine_->finish_open(tag);
}

}  // namespace rondel::crypto
