// LifecycleStore: what the lifecycle job reads, by age. It removes through ObjectStore and
// UploadStore alone, so that every rule of a commit holds for it too. Where it has got to:
// lifecycle_cursors.h; what it looks at again: lifecycle_rechecks.h.
//
// Read without locks, at most `max` rows a page. Errors as commit_context.h says of every seam.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"
#include "metadata/store/lifecycle_version.h"

namespace rondel::metadata {

struct LifecycleBucket {
  int64_t id = 0;
  int64_t settings_version = 0;
  Versioning versioning = Versioning::kNever;
  std::string owner_account;
  std::string document;  // SettingKind::kLifecycle.
};

// At most `max` were looked at; `position` is where the next page begins.
struct LifecyclePage {
  std::vector<LifecycleVersion> versions;
  std::string position;
  bool more = false;
};

struct LifecycleUpload {
  model::UploadId id;
  std::string key;
  SystemTime initiated;
  std::string position = {};  // Where the page behind it begins, also when it is gone by then.
};

struct LifecycleQuery {
  int64_t bucket_id = 0;
  std::string position;  // Of the scan; empty = from the oldest (or first key).
  SystemTime until;      // Inclusive.
  uint32_t newer = 0;    // How far newer noncurrent versions are counted.
  uint32_t max = 1000;
  Deadline deadline;
};

class LifecycleStore {
 public:
  virtual ~LifecycleStore() = default;

  // Accounts that own buckets with rules, by id.
  virtual async::Task<Result<std::vector<std::string>>> accounts(std::string after_account,
                                                                 uint32_t max,
                                                                 Deadline deadline) = 0;
  // Buckets of an account that have rules, by id.
  virtual async::Task<Result<std::vector<LifecycleBucket>>> buckets(std::string account,
                                                                    int64_t after_id, uint32_t max,
                                                                    Deadline deadline) = 0;

  // Current versions, no markers, made until then: oldest first, which is in order of ids.
  // `position`: the bytes of an id, so that who has looked at all up to a time can make one.
  virtual async::Task<Result<LifecyclePage>> current_by_age(LifecycleQuery query) = 0;
  // The same by key, below a prefix.
  virtual async::Task<Result<LifecyclePage>> current_by_key(LifecycleQuery query,
                                                            std::string prefix) = 0;
  // Noncurrent versions that were replaced until then: in that order.
  virtual async::Task<Result<LifecyclePage>> replaced(LifecycleQuery query) = 0;
  // For each version that became noncurrent until then, in that order: the one that it pushed
  // behind `newer` newer ones.
  virtual async::Task<Result<LifecyclePage>> pushed_back(LifecycleQuery query) = 0;
  virtual async::Task<Result<LifecyclePage>> lone_markers(LifecycleQuery query) = 0;
  // Begun until then, oldest first. `position`: that of the last one seen.
  virtual async::Task<Result<std::vector<LifecycleUpload>>> uploads(LifecycleQuery query) = 0;
};

}  // namespace rondel::metadata
