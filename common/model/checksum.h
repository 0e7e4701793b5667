// The checksum algorithms of S3 and a stored checksum.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondel::model {

// Values are stored: never renumber.
enum class ChecksumAlgorithm : uint8_t {
  kCrc32 = 1, kCrc32c = 2, kSha1 = 3, kSha256 = 4, kCrc64Nvme = 5,
};

// "CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME".
std::string_view to_string(ChecksumAlgorithm algorithm);
// Accepts the names above in any case.
std::optional<ChecksumAlgorithm> parse_checksum_algorithm(std::string_view name);
// "x-amz-checksum-crc32" ...
std::string_view header_name(ChecksumAlgorithm algorithm);
// Length of the raw value in bytes.
size_t raw_size(ChecksumAlgorithm algorithm);

enum class ChecksumType : uint8_t { kFullObject = 1, kComposite = 2 };

std::string_view to_string(ChecksumType type);  // "FULL_OBJECT", "COMPOSITE"

struct Checksum {
  ChecksumAlgorithm algorithm = ChecksumAlgorithm::kCrc64Nvme;
  ChecksumType type = ChecksumType::kFullObject;
  std::string value;  // Raw bytes. A composite's part count is the version's part count.

  bool operator==(const Checksum&) const = default;
};

}  // namespace rondel::model
