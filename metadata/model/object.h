// Object versions, their parts and extents; multipart uploads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/model/checksum.h"
#include "common/model/ids.h"

namespace rondel::metadata {

// [start, start + length) of a version (or part) is [offset, offset + length) of a stream. Plaintext offsets.
struct Extent {
  uint64_t start = 0;
  model::StreamId stream;
  uint64_t stream_size = 0;   // Whole stream: its chunk count follows from it.
  uint64_t offset = 0;
  uint64_t length = 0;

  bool operator==(const Extent&) const = default;
};

struct Part {
  uint32_t number = 0;        // 1 to 10,000.
  uint64_t size = 0;
  std::string etag;           // 32 hexadecimal digits.
  std::vector<model::Checksum> checksums;  // What the part was uploaded with.
  SystemTime last_modified;

  bool operator==(const Part&) const = default;
};

using Headers = std::vector<std::pair<std::string, std::string>>;  // Lower-case names, raw values.

struct ObjectVersion {
  model::VersionId version;
  bool is_null = true;        // Shown as "null".
  bool delete_marker = false;
  uint64_t size = 0;
  std::string etag;           // Without quotes: 32 hexadecimal digits, "-N" behind for multipart.
  SystemTime last_modified;   // Shown in seconds; follows the version's clock.
  std::string owner_account;
  std::optional<model::Checksum> checksum;
  // Standard headers that are stored (content-type, cache-control, ...), x-amz-meta-*, storage class.
  Headers headers;
  uint32_t part_count = 0;    // 0 = not multipart.
  std::vector<Part> parts;    // Filled where asked for.
  std::vector<Extent> extents;  // In order, without gaps; those of the asked range.
};

struct Upload {
  model::UploadId id;
  int64_t bucket_id = 0;
  std::string key;
  std::string initiator_account;
  std::string owner_account;
  Headers headers;            // Become the version's.
  std::optional<model::ChecksumAlgorithm> checksum_algorithm;
  model::ChecksumType checksum_type = model::ChecksumType::kComposite;
  SystemTime initiated_at;
};

}  // namespace rondel::metadata
