// ListingStore: pages of what there is, in order. A page costs what it answers, however much lies
// around it.
//
// A listing is read without locks: it holds what was committed when it was asked. The rest as
// commit_context.h says of every seam.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"

namespace rondel::metadata {

struct ListQuery {
  int64_t bucket_id = 0;
  std::string prefix;
  std::string delimiter;  // Any length; empty = none.
  std::string after_key;  // Exclusive.
  // Exclusive common prefix: everything that begins with it was already answered.
  std::string after_prefix;
  uint32_t max = 1000;
  bool versions = false;  // ListObjectVersions: all versions and markers, newest first per key.
  std::optional<model::VersionId> after_version;  // With versions: after this version of after_key.
  Deadline deadline;
};

struct ListedVersion {
  std::string key;
  ObjectVersion object;  // Without headers, parts and extents.
  bool latest = true;
};

struct ListPage {
  std::vector<ListedVersion> entries;  // In key order.
  std::vector<std::string> common_prefixes;
  bool truncated = false;
  // Where to go on: the last answered entry in order is this key or this prefix.
  std::string next_key;
  std::string next_prefix;
  model::VersionId next_version;
};

struct ListUploadsQuery {
  int64_t bucket_id = 0;
  std::string prefix;
  std::string delimiter;
  std::string after_key;
  // Of after_key; absent = all of after_key are passed over.
  std::optional<model::UploadId> after_upload;
  std::string after_prefix;
  uint32_t max = 1000;
  Deadline deadline;
};

struct ListUploadsPage {
  std::vector<Upload> uploads;  // By key, then by time of initiation (and id).
  std::vector<std::string> common_prefixes;
  bool truncated = false;
  std::string next_key;
  model::UploadId next_upload;
  std::string next_prefix;
};

struct ListBucketsQuery {
  std::string owner_account;
  std::string prefix;
  std::string region;  // Empty = any.
  std::string after_name;
  uint32_t max = 10'000;
};

// What a list of buckets says of each: their settings are not read.
struct ListedBucket {
  std::string name;
  std::string region;
  SystemTime created_at;
};

class ListingStore {
 public:
  virtual ~ListingStore() = default;

  // Current versions, or all of them: ListQuery::versions.
  virtual async::Task<Result<ListPage>> list(ListQuery query) = 0;
  virtual async::Task<Result<ListUploadsPage>> list_uploads(ListUploadsQuery query) = 0;
  // By name.
  virtual async::Task<Result<std::vector<ListedBucket>>> list_buckets(ListBucketsQuery query,
                                                                      Deadline deadline) = 0;
};

}  // namespace rondel::metadata
