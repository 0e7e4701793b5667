// LifecycleStore: what the lifecycle job reads, by age, and where it has got to. It removes through MetadataStore alone, so that
// every rule of a commit holds for it too.
//
// Cursors need no fence: whoever moves one has looked at all that lies behind it, and looking again changes nothing.
// Safe for concurrent use. Errors as those of MetadataStore.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/result.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"

namespace rondel::metadata {

struct LifecycleBucket {
  int64_t id = 0;
  int64_t settings_version = 0;
  Versioning versioning = Versioning::kNever;
  std::string owner_account;
  std::string document;             // SettingKind::kLifecycle.
};

struct LifecycleVersion {
  std::string key;
  model::VersionId version;
  uint64_t size = 0;
  Tags tags;
  bool current = true;
  bool delete_marker = false;
  bool lone = false;                // A current delete marker without versions behind it.
  SystemTime created;
  SystemTime replaced;              // Noncurrent: when a newer version took its place.
  uint32_t newer_noncurrent = 0;    // Noncurrent ones that are newer; counted to the limit asked for.
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
};

// The position behind this one of LifecycleStore::uploads().
std::string upload_position(const LifecycleUpload& upload);

enum class LifecycleScan : uint8_t { kCurrent = 1, kReplaced = 2, kArrived = 3 };

struct LifecycleQuery {
  int64_t bucket_id = 0;
  std::string position;             // Of the scan; empty = from the oldest (or first key).
  SystemTime until;                 // Inclusive.
  uint32_t newer = 0;               // How far newer noncurrent versions are counted.
  uint32_t max = 1000;
  Deadline deadline;
};

class LifecycleStore {
 public:
  virtual ~LifecycleStore() = default;

  // Buckets that have rules, by id.
  virtual async::Task<Result<std::vector<LifecycleBucket>>> buckets(int64_t after_id, uint32_t max, Deadline deadline) = 0;

  // `rule` is the rule's stored line: a changed rule begins anew. Empty = not begun.
  virtual async::Task<Result<std::string>> cursor(int64_t bucket_id, LifecycleScan scan, std::string rule, Deadline deadline) = 0;
  virtual async::Task<Result<void>> move_cursor(int64_t bucket_id, LifecycleScan scan, std::string rule, std::string position,
                                                Deadline deadline) = 0;
  // Forgets the cursors of other rules than these.
  virtual async::Task<Result<void>> keep_cursors(int64_t bucket_id, std::vector<std::string> rules, Deadline deadline) = 0;

  // Current versions, no markers, made until then: oldest first.
  virtual async::Task<Result<LifecyclePage>> current_by_age(LifecycleQuery query) = 0;
  // The same by key, below a prefix.
  virtual async::Task<Result<LifecyclePage>> current_by_key(LifecycleQuery query, std::string prefix) = 0;
  // Noncurrent versions that were replaced until then: in that order.
  virtual async::Task<Result<LifecyclePage>> replaced(LifecycleQuery query) = 0;
  // For each version that became noncurrent until then, in that order: the one that it pushed behind `newer` newer ones.
  virtual async::Task<Result<LifecyclePage>> pushed_back(LifecycleQuery query) = 0;
  virtual async::Task<Result<LifecyclePage>> lone_markers(LifecycleQuery query) = 0;
  // Begun until then, oldest first. `position`: upload_position() of the last one seen, which may be gone.
  virtual async::Task<Result<std::vector<LifecycleUpload>>> uploads(LifecycleQuery query) = 0;

  // Keys whose versions must be looked at again: their tags or locks changed, or a lock kept one.
  virtual async::Task<Result<std::vector<std::string>>> rechecks(int64_t bucket_id, SystemTime now, uint32_t max, Deadline deadline) = 0;
  virtual async::Task<Result<void>> forget_rechecks(int64_t bucket_id, std::vector<std::string> keys, SystemTime now, Deadline deadline) = 0;
  // Queues keys for then; what is queued for sooner stays so. Before 1970: marks them as being looked at, until they are queued again.
  virtual async::Task<Result<void>> recheck_later(int64_t bucket_id, std::vector<std::string> keys, SystemTime due, Deadline deadline) = 0;
  // All versions of these keys, at most `max`: in order of keys, the newest of each first.
  virtual async::Task<Result<std::vector<LifecycleVersion>>> versions_of(int64_t bucket_id, std::vector<std::string> keys, uint32_t max,
                                                                         Deadline deadline) = 0;
  // Noncurrent versions of this key that are older than `before`, at most `max`, the newest first. So many noncurrent ones are `newer`
  // than the first of them.
  virtual async::Task<Result<std::vector<LifecycleVersion>>> older_versions(int64_t bucket_id, std::string key, model::VersionId before,
                                                                            uint32_t newer, uint32_t max, Deadline deadline) = 0;
};

std::unique_ptr<LifecycleStore> make_postgres_lifecycle_store(std::string dsn);

}  // namespace rondel::metadata
