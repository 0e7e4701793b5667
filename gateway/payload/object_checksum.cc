#include "gateway/payload/object_checksum.h"

#include <utility>

#include "common/base/encoding.h"
#include "common/hash/checksum.h"

namespace rondel::payload {
namespace {

using model::ChecksumAlgorithm;

std::string crc_bytes(ChecksumAlgorithm algorithm, uint64_t crc) {
  std::byte bytes[8];
  store_be(bytes, crc);
  const size_t size = model::raw_size(algorithm);
  return std::string(as_text(ByteView(bytes).last(size)));
}

uint64_t crc_value(std::string_view raw) {
  uint64_t value = 0;
  for (const char c : raw) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

std::variant<uint64_t, crypto::Digest, hash::XxhashDigest> state_of(ChecksumAlgorithm algorithm) {
  switch (algorithm) {
    case ChecksumAlgorithm::kMd5: return crypto::Digest(crypto::DigestAlgorithm::kMd5);
    case ChecksumAlgorithm::kSha1: return crypto::Digest(crypto::DigestAlgorithm::kSha1);
    case ChecksumAlgorithm::kSha256: return crypto::Digest(crypto::DigestAlgorithm::kSha256);
    case ChecksumAlgorithm::kSha512: return crypto::Digest(crypto::DigestAlgorithm::kSha512);
    case ChecksumAlgorithm::kXxhash64: return hash::XxhashDigest(hash::XxhashKind::kXxh64);
    case ChecksumAlgorithm::kXxhash3: return hash::XxhashDigest(hash::XxhashKind::kXxh3);
    case ChecksumAlgorithm::kXxhash128: return hash::XxhashDigest(hash::XxhashKind::kXxh128);
    case ChecksumAlgorithm::kCrc32:
    case ChecksumAlgorithm::kCrc32c:
    case ChecksumAlgorithm::kCrc64Nvme: break;
  }
  return uint64_t{0};
}

uint64_t crc_after(ChecksumAlgorithm algorithm, uint64_t crc, ByteView bytes) {
  if (algorithm == ChecksumAlgorithm::kCrc32) return hash::crc32(static_cast<uint32_t>(crc), bytes);
  if (algorithm == ChecksumAlgorithm::kCrc32c) {
    return hash::crc32c(static_cast<uint32_t>(crc), bytes);
  }
  return hash::crc64nvme(crc, bytes);
}

uint64_t combine(ChecksumAlgorithm algorithm, uint64_t a, uint64_t b, uint64_t b_size) {
  if (algorithm == ChecksumAlgorithm::kCrc32) {
    return hash::crc32_combine(static_cast<uint32_t>(a), static_cast<uint32_t>(b), b_size);
  }
  if (algorithm == ChecksumAlgorithm::kCrc32c) {
    return hash::crc32c_combine(static_cast<uint32_t>(a), static_cast<uint32_t>(b), b_size);
  }
  return hash::crc64nvme_combine(a, b, b_size);
}

}  // namespace

ObjectChecksum::ObjectChecksum(ChecksumAlgorithm algorithm)
    : algorithm_(algorithm), state_(state_of(algorithm)) {}

void ObjectChecksum::update(ByteView bytes) {
  if (uint64_t* crc = std::get_if<uint64_t>(&state_)) {
    *crc = crc_after(algorithm_, *crc, bytes);
  } else if (crypto::Digest* digest = std::get_if<crypto::Digest>(&state_)) {
    digest->update(bytes);
  } else {
    std::get<hash::XxhashDigest>(state_).update(bytes);
  }
}

std::string ObjectChecksum::finish() {
  if (uint64_t* crc = std::get_if<uint64_t>(&state_)) {
    return crc_bytes(algorithm_, std::exchange(*crc, 0));
  }
  if (crypto::Digest* digest = std::get_if<crypto::Digest>(&state_)) return digest->finish();
  return std::get<hash::XxhashDigest>(state_).finish();
}

std::string object_checksum(ChecksumAlgorithm algorithm, ByteView bytes) {
  ObjectChecksum checksum(algorithm);
  checksum.update(bytes);
  return checksum.finish();
}

std::string composite_checksum(ChecksumAlgorithm algorithm, std::span<const std::string> parts) {
  ObjectChecksum checksum(algorithm);
  for (const std::string& part : parts) checksum.update(as_bytes(part));
  return checksum.finish();
}

std::optional<std::string> full_object_checksum(ChecksumAlgorithm algorithm,
                                                std::span<const PartChecksum> parts) {
  if (!model::has_full_object_form(algorithm)) return std::nullopt;
  uint64_t crc = 0;
  for (const PartChecksum& part : parts) {
    if (part.value.size() != model::raw_size(algorithm)) return std::nullopt;
    crc = combine(algorithm, crc, crc_value(part.value), part.size);
  }
  return crc_bytes(algorithm, crc);
}

std::optional<std::string> parse_checksum(ChecksumAlgorithm algorithm, std::string_view base64) {
  std::optional<std::string> raw = from_base64(base64);
  if (!raw || raw->size() != model::raw_size(algorithm)) return std::nullopt;
  return raw;
}

}  // namespace rondel::payload
