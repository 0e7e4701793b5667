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
    Row{ChecksumAlgorithm::kMd5, "MD5", "x-amz-checksum-md5", 16},
    Row{ChecksumAlgorithm::kSha512, "SHA512", "x-amz-checksum-sha512", 64},
    Row{ChecksumAlgorithm::kXxhash64, "XXHASH64", "x-amz-checksum-xxhash64", 8},
    Row{ChecksumAlgorithm::kXxhash3, "XXHASH3", "x-amz-checksum-xxhash3", 8},
    Row{ChecksumAlgorithm::kXxhash128, "XXHASH128", "x-amz-checksum-xxhash128", 16},
};

constexpr std::array kAlgorithms = [] {
  std::array<ChecksumAlgorithm, kRows.size()> all{};
  for (size_t i = 0; i < all.size(); ++i) all[i] = kRows[i].algorithm;
  return all;
}();

const Row& row(ChecksumAlgorithm algorithm) {
  for (const Row& candidate : kRows) {
    if (candidate.algorithm == algorithm) return candidate;
  }
  return kRows.front();
}

}  // namespace

std::span<const ChecksumAlgorithm> all_checksum_algorithms() { return kAlgorithms; }

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

bool has_full_object_form(ChecksumAlgorithm algorithm) {
  return algorithm == ChecksumAlgorithm::kCrc32 || algorithm == ChecksumAlgorithm::kCrc32c ||
         algorithm == ChecksumAlgorithm::kCrc64Nvme;
}

bool has_composite_form(ChecksumAlgorithm algorithm) {
  return algorithm != ChecksumAlgorithm::kCrc64Nvme;
}

std::string_view to_string(ChecksumType type) {
  return type == ChecksumType::kFullObject ? "FULL_OBJECT" : "COMPOSITE";
}

}  // namespace rondel::model
