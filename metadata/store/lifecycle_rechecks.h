// LifecycleRechecks: keys whose versions are looked at again, and what is read of them then.
//
// Commits queue a key by themselves when they change what a rule goes by. Errors as
// commit_context.h says of every seam. A bucket that is gone has no queue, and none is made.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "metadata/store/lifecycle_version.h"

namespace rondel::metadata {

class LifecycleRechecks {
 public:
  virtual ~LifecycleRechecks() = default;

  // Keys whose versions must be looked at again: their tags or locks changed, or a lock kept one.
  virtual async::Task<Result<std::vector<std::string>>> rechecks(int64_t bucket_id, SystemTime now,
                                                                 uint32_t max,
                                                                 Deadline deadline) = 0;
  virtual async::Task<Result<void>> forget_rechecks(int64_t bucket_id,
                                                    std::vector<std::string> keys, SystemTime now,
                                                    Deadline deadline) = 0;
  // Queues keys for then; what is queued for sooner stays so. Before 1970: marks them as being
  // looked at, until they are queued again.
  virtual async::Task<Result<void>> recheck_later(int64_t bucket_id, std::vector<std::string> keys,
                                                  SystemTime due, Deadline deadline) = 0;
  // All versions of these keys, at most `max`: in order of keys, the newest of each first.
  virtual async::Task<Result<std::vector<LifecycleVersion>>> versions_of(
      int64_t bucket_id, std::vector<std::string> keys, uint32_t max, Deadline deadline) = 0;
  // Noncurrent versions of this key that are older than `before`, at most `max`, the newest first.
  // So many noncurrent ones are `newer` than the first of them.
  virtual async::Task<Result<std::vector<LifecycleVersion>>> older_versions(
      int64_t bucket_id, std::string key, model::VersionId before, uint32_t newer, uint32_t max,
      Deadline deadline) = 0;
};

}  // namespace rondel::metadata
