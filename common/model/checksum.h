// The checksum algorithms of S3 and a stored checksum.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rondel::model {

// Values are stored: never renumber.
enum class ChecksumAlgorithm : uint8_t {
  kCrc32 = 1,
  kCrc32c = 2,
  kSha1 = 3,
  kSha256 = 4,
  kCrc64Nvme = 5,
  kMd5 = 6,
  kSha512 = 7,
  kXxhash64 = 8,
  kXxhash3 = 9,
  kXxhash128 = 10,
};

std::span<const ChecksumAlgorithm> all_checksum_algorithms();

// "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3",
// "XXHASH128".
std::string_view to_string(ChecksumAlgorithm algorithm);
// Accepts the names above in any case.
std::optional<ChecksumAlgorithm> parse_checksum_algorithm(std::string_view name);
// "x-amz-checksum-crc32" ...
std::string_view header_name(ChecksumAlgorithm algorithm);
// Length of the raw value in bytes.
size_t raw_size(ChecksumAlgorithm algorithm);

// The checksum of a multipart object may be the one of its bytes (it can be had from those of the
// parts: the CRCs).
bool has_full_object_form(ChecksumAlgorithm algorithm);
// It may be the one of its parts' checksums: all but CRC64NVME.
bool has_composite_form(ChecksumAlgorithm algorithm);

enum class ChecksumType : uint8_t { kFullObject = 1, kComposite = 2 };

std::string_view to_string(ChecksumType type);  // "FULL_OBJECT", "COMPOSITE"

struct Checksum {
  ChecksumAlgorithm algorithm = ChecksumAlgorithm::kCrc64Nvme;
  ChecksumType type = ChecksumType::kFullObject;
  std::string value;  // Raw bytes. A composite's part count is the version's part count.

  bool operator==(const Checksum&) const = default;
};

}  // namespace rondel::model
