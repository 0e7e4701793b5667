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

// How a stream lies on disks. Values are stored: never renumber.
enum class Layout : uint8_t {
  kReplicated = 0,  // Each chunk is a blob with whole copies.
};

// [start, start + length) of a version (or part) is [offset, offset + length) of a stream.
// Plaintext offsets.
struct Extent {
  uint64_t start = 0;
  model::StreamId stream;
  // The whole stream as it is stored (ciphertext, when encrypted): its chunk count follows from it.
  uint64_t stream_size = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  Layout layout = Layout::kReplicated;

  bool operator==(const Extent&) const = default;
};

struct Part {
  uint32_t number = 0;  // 1 to 10,000.
  uint64_t size = 0;
  std::string etag;                        // 32 hexadecimal digits.
  std::vector<model::Checksum> checksums;  // What the part was uploaded with.
  SystemTime last_modified;

  bool operator==(const Part&) const = default;
};

using Headers = std::vector<std::pair<std::string, std::string>>;  // Lower-case names, raw values.

// Key and value of each, by key.
using Tags = std::vector<std::pair<std::string, std::string>>;

// Until when a version may not be removed. Source: "Locking objects with Object Lock", S3 user
// guide.
struct Retention {
  // Values are stored: never renumber.
  enum class Mode : uint8_t { kNone = 0, kGovernance = 1, kCompliance = 2 };
  Mode mode = Mode::kNone;
  SystemTime until;  // In milliseconds; meaningless with kNone.

  bool operator==(const Retention&) const = default;
};

// What a version carries beside its bytes and headers; most have none of it. Listings do not read
// it.
struct Attributes {
  std::string acl;  // Encoded by identity/access/acl.h; empty = the owner alone.
  Tags tags;
  Retention retention;
  std::optional<bool> legal_hold;  // Absent: never set.
  std::string encryption;          // Envelope of kms; empty = plaintext.

  bool operator==(const Attributes&) const = default;
};

struct ObjectVersion : Attributes {
  model::VersionId version;
  bool is_null = true;  // Shown as "null".
  bool delete_marker = false;
  uint64_t size = 0;
  std::string etag;          // Without quotes: 32 hexadecimal digits, "-N" behind for multipart.
  SystemTime last_modified;  // Shown in seconds; follows the version's clock.
  std::string owner_account;
  std::optional<model::Checksum> checksum;
  // Standard headers that are stored (content-type, cache-control, ...), x-amz-meta-*, storage
  // class.
  Headers headers;
  uint32_t part_count = 0;      // 0 = not multipart.
  std::vector<Part> parts;      // Filled where asked for.
  std::vector<Extent> extents;  // In order, without gaps; those of the asked range.
};

// Headers and attributes become the version's.
struct Upload : Attributes {
  model::UploadId id;
  int64_t bucket_id = 0;
  std::string key;
  std::string initiator_account;
  std::string owner_account;
  Headers headers;
  std::optional<model::ChecksumAlgorithm> checksum_algorithm;
  model::ChecksumType checksum_type = model::ChecksumType::kComposite;
  SystemTime initiated_at;
};

}  // namespace rondel::metadata
