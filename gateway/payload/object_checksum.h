// The checksums that S3 clients see (x-amz-checksum-*): one object, and the checksum of a multipart
// object from its parts. Values are raw bytes, CRCs big-endian, as base64 carries them in headers.
// Source: "Checking object integrity for data uploads", S3 user guide.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "common/base/bytes.h"
#include "common/crypto/digest.h"
#include "common/hash/xxhash_digest.h"
#include "common/model/checksum.h"

namespace rondel::payload {

// Incremental. One thread at a time.
class ObjectChecksum {
 public:
  explicit ObjectChecksum(model::ChecksumAlgorithm algorithm);

  model::ChecksumAlgorithm algorithm() const { return algorithm_; }

  void update(ByteView bytes);
  // The raw value; the object starts afresh.
  std::string finish();

 private:
  model::ChecksumAlgorithm algorithm_;
  std::variant<uint64_t, crypto::Digest, hash::XxhashDigest> state_;  // The first one: a CRC.
};

// A checksum in one call.
std::string object_checksum(model::ChecksumAlgorithm algorithm, ByteView bytes);

// COMPOSITE: the algorithm over the parts' raw values in order. Clients see base64 of it, then "-"
// and the number of parts.
std::string composite_checksum(model::ChecksumAlgorithm algorithm,
                               std::span<const std::string> parts);

struct PartChecksum {
  std::string value;  // Raw.
  uint64_t size = 0;  // Of the part in bytes.
};

// FULL_OBJECT of all parts together. nullopt when the algorithm has no such form or a value has the
// wrong length.
std::optional<std::string> full_object_checksum(model::ChecksumAlgorithm algorithm,
                                                std::span<const PartChecksum> parts);

// The words for a name that parse_checksum_algorithm() does not know.
inline constexpr const char* kUnsupportedChecksum =
    "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
    "[CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]";

// Raw value of a header's text; nullopt when it is not strict base64 of the algorithm's length.
std::optional<std::string> parse_checksum(model::ChecksumAlgorithm algorithm,
                                          std::string_view base64);

}  // namespace rondel::payload
