#include "kms/envelope.h"

#include <utility>

#include "common/base/assert.h"
#include "common/base/bytes.h"
#include "common/crypto/aead.h"

namespace rondel::kms {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kBucketKeyFlag = 1;
constexpr size_t kHeadBytes = 3;
constexpr std::string_view kBindingLabel = "rondel object key 1";

void append(std::string& out, std::string_view field) {
  ASSERT(field.size() <= UINT16_MAX);
  std::byte length[2];
  store_be(length, static_cast<uint16_t>(field.size()));
  out += as_text(length);
  out += field;
}

// Takes a field from the front of `text`.
bool take(std::string_view& text, std::string& field) {
  if (text.size() < 2) return false;
  const size_t length = load_be<uint16_t>(as_bytes(text).data());
  if (text.size() - 2 < length) return false;
  field = text.substr(2, length);
  text.remove_prefix(2 + length);
  return true;
}

std::string head_of(const Envelope& envelope) {
  return {static_cast<char>(kVersion), static_cast<char>(envelope.mode),
          static_cast<char>(envelope.bucket_key ? kBucketKeyFlag : 0)};
}

// Everything that must be what it was when the data key was sealed. The wrapped key is not part of
// it: re-wrapping it under a newer version of the same key leaves the sealed data key as it is.
std::string additional_data(const Envelope& envelope, const Binding& binding) {
  std::string out;
  append(out, kBindingLabel);
  out += head_of(envelope);
  std::byte bucket[8];
  store_be(bucket, static_cast<uint64_t>(binding.bucket_id));
  out += as_text(bucket);
  append(out, binding.key);
  append(out, envelope.key_id);
  append(out, envelope.context);
  return out;
}

std::unexpected<Error> malformed() {
  return fail(ErrorCode::kCorruption, "a malformed encryption envelope");
}

}  // namespace

std::string encode(const Envelope& envelope) {
  std::string out = head_of(envelope);
  for (const std::string* field :
       {&envelope.key_id, &envelope.context, &envelope.wrapped_key, &envelope.sealed_data_key}) {
    append(out, *field);
  }
  return out;
}

Result<Envelope> decode(std::string_view encoded) {
  if (encoded.size() < kHeadBytes) return malformed();
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(encoded[at]); };
  if (byte(0) != kVersion || byte(1) < std::to_underlying(Mode::kSseS3) ||
      byte(1) > std::to_underlying(Mode::kSseC) || byte(2) > kBucketKeyFlag) {
    return malformed();
  }
  Envelope envelope;
  envelope.mode = static_cast<Mode>(byte(1));
  envelope.bucket_key = byte(2) == kBucketKeyFlag;
  encoded.remove_prefix(kHeadBytes);
  for (std::string* field :
       {&envelope.key_id, &envelope.context, &envelope.wrapped_key, &envelope.sealed_data_key}) {
    if (!take(encoded, *field)) return malformed();
  }
  if (!encoded.empty()) return malformed();
  return envelope;
}

std::string seal_data_key(const crypto::Secret& wrapping_key, const crypto::Secret& data_key,
                          const Envelope& envelope, const Binding& binding) {
  auto sealed =
      crypto::seal(wrapping_key.view(), data_key.view(), additional_data(envelope, binding));
  ASSERT(sealed.has_value());
  return *std::move(sealed);
}

Result<crypto::Secret> open_data_key(const crypto::Secret& wrapping_key, const Envelope& envelope,
                                     const Binding& binding) {
  auto opened = crypto::open(wrapping_key.view(), envelope.sealed_data_key,
                             additional_data(envelope, binding));
  if (!opened || opened->size() != crypto::kAeadKeyBytes) {
    return fail(ErrorCode::kPermissionDenied,
                "the data key does not open with this key, or belongs to another object");
  }
  return crypto::Secret(*std::move(opened));
}

}  // namespace rondel::kms
