#include "gateway/auth/object_checksum.h"

#include <utility>

#include "common/base/encoding.h"
#include "common/hash/checksum.h"

namespace rondel::auth {
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

std::optional<crypto::Digest> digest_for(ChecksumAlgorithm algorithm) {
  if (algorithm == ChecksumAlgorithm::kSha1) return crypto::Digest(crypto::DigestAlgorithm::kSha1);
  if (algorithm == ChecksumAlgorithm::kSha256) return crypto::Digest(crypto::DigestAlgorithm::kSha256);
  return std::nullopt;
}

uint64_t combine(ChecksumAlgorithm algorithm, uint64_t a, uint64_t b, uint64_t b_size) {
  switch (algorithm) {
    case ChecksumAlgorithm::kCrc32:
      return hash::crc32_combine(static_cast<uint32_t>(a), static_cast<uint32_t>(b), b_size);
    case ChecksumAlgorithm::kCrc32c:
      return hash::crc32c_combine(static_cast<uint32_t>(a), static_cast<uint32_t>(b), b_size);
    case ChecksumAlgorithm::kCrc64Nvme: return hash::crc64nvme_combine(a, b, b_size);
    case ChecksumAlgorithm::kSha1:
    case ChecksumAlgorithm::kSha256: break;
  }
  return 0;
}

}  // namespace

ObjectChecksum::ObjectChecksum(ChecksumAlgorithm algorithm) : algorithm_(algorithm), digest_(digest_for(algorithm)) {}

void ObjectChecksum::update(ByteView bytes) {
  switch (algorithm_) {
    case ChecksumAlgorithm::kCrc32: crc_ = hash::crc32(static_cast<uint32_t>(crc_), bytes); break;
    case ChecksumAlgorithm::kCrc32c: crc_ = hash::crc32c(static_cast<uint32_t>(crc_), bytes); break;
    case ChecksumAlgorithm::kCrc64Nvme: crc_ = hash::crc64nvme(crc_, bytes); break;
    case ChecksumAlgorithm::kSha1:
    case ChecksumAlgorithm::kSha256: digest_->update(bytes); break;
  }
}

std::string ObjectChecksum::finish() {
  if (digest_) return digest_->finish();
  return crc_bytes(algorithm_, std::exchange(crc_, 0));
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

bool has_full_object_form(ChecksumAlgorithm algorithm) { return !digest_for(algorithm).has_value(); }

std::optional<std::string> full_object_checksum(ChecksumAlgorithm algorithm, std::span<const PartChecksum> parts) {
  if (!has_full_object_form(algorithm)) return std::nullopt;
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

}  // namespace rondel::auth
