#include "common/model/checksum.h"

#include <strings.h>

#include <array>

namespace rondel::model {
namespace {

struct Row {
  ChecksumAlgorithm algorithm;
  std::string_view name;
  std::string_view header;
  size_t raw_size;
};

constexpr std::array kRows{
    Row{ChecksumAlgorithm::kCrc32, "CRC32", "x-amz-checksum-crc32", 4},
    Row{ChecksumAlgorithm::kCrc32c, "CRC32C", "x-amz-checksum-crc32c", 4},
    Row{ChecksumAlgorithm::kSha1, "SHA1", "x-amz-checksum-sha1", 20},
    Row{ChecksumAlgorithm::kSha256, "SHA256", "x-amz-checksum-sha256", 32},
    Row{ChecksumAlgorithm::kCrc64Nvme, "CRC64NVME", "x-amz-checksum-crc64nvme", 8},
};

const Row& row(ChecksumAlgorithm algorithm) {
  for (const Row& candidate : kRows) {
    if (candidate.algorithm == algorithm) return candidate;
  }
  return kRows.back();
}

}  // namespace

std::string_view to_string(ChecksumAlgorithm algorithm) { return row(algorithm).name; }

std::optional<ChecksumAlgorithm> parse_checksum_algorithm(std::string_view name) {
  for (const Row& candidate : kRows) {
    if (name.size() == candidate.name.size() &&
        strncasecmp(name.data(), candidate.name.data(), name.size()) == 0) {
      return candidate.algorithm;
    }
  }
  return std::nullopt;
}

std::string_view header_name(ChecksumAlgorithm algorithm) { return row(algorithm).header; }

size_t raw_size(ChecksumAlgorithm algorithm) { return row(algorithm).raw_size; }

std::string_view to_string(ChecksumType type) {
  return type == ChecksumType::kFullObject ? "FULL_OBJECT" : "COMPOSITE";
}

}  // namespace rondel::model
