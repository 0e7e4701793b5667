#include "metadata/store/lifecycle_rechecks.h"

#include <algorithm>
#include <set>

#include "metadata/memory/lifecycle_rows.h"
#include "metadata/memory/memory_stores.h"

namespace rondel::metadata {
namespace {

constexpr int64_t kLookedAt = -1;  // Since it is, until it is queued again.

int64_t to_milliseconds(SystemTime time) {
  return std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
}

class MemoryLifecycleRechecks final : public LifecycleRechecks {
 public:
  explicit MemoryLifecycleRechecks(MemoryState& state) : state_(state) {}

  async::Task<Result<std::vector<std::string>>> rechecks(int64_t bucket_id, SystemTime now,
                                                         uint32_t max, Deadline) override {
    using Keys = std::vector<std::string>;
    return state_.run<Result<Keys>>([=, this]() -> Result<Keys> {
      std::multimap<int64_t, std::string> due;
      if (const StoredBucket* const bucket = state_.find_bucket(bucket_id)) {
        for (const auto& [key, at] : bucket->rechecks) {
          if (at <= to_milliseconds(now)) due.emplace(at, key);
        }
      }
      Keys keys;
      for (auto& [at, key] : due) {
        if (keys.size() < max) keys.push_back(key);
      }
      return keys;
    });
  }

  async::Task<Result<void>> forget_rechecks(int64_t bucket_id, std::vector<std::string> keys,
                                            SystemTime now, Deadline) override {
    return state_.run<Result<void>>(
        [this, bucket_id, keys = std::move(keys), now]() -> Result<void> {
          StoredBucket* const bucket = state_.find_bucket(bucket_id);
          if (!bucket) return {};
          for (const std::string& key : keys) {
            const auto queued = bucket->rechecks.find(key);
            const bool is_due =
                queued != bucket->rechecks.end() && queued->second <= to_milliseconds(now);
            if (is_due) bucket->rechecks.erase(queued);
          }
          return {};
        });
  }

  async::Task<Result<void>> recheck_later(int64_t bucket_id, std::vector<std::string> keys,
                                          SystemTime due, Deadline) override {
    return state_.run<Result<void>>(
        [this, bucket_id, keys = std::move(keys), due]() -> Result<void> {
          StoredBucket* const bucket = state_.find_bucket(bucket_id);
          if (!bucket) return {};
          for (const std::string& key : keys) {
            const auto [queued, added] = bucket->rechecks.emplace(key, to_milliseconds(due));
            if (!added) queued->second = sooner(queued->second, to_milliseconds(due));
          }
          return {};
        });
  }

  async::Task<Result<std::vector<LifecycleVersion>>> versions_of(int64_t bucket_id,
                                                                 std::vector<std::string> keys,
                                                                 uint32_t max, Deadline) override {
    using Versions = std::vector<LifecycleVersion>;
    return state_.run<Result<Versions>>(
        [this, bucket_id, max, keys = std::move(keys)]() -> Result<Versions> {
          Versions found;
          for (const std::string& key : std::set(keys.begin(), keys.end())) {
            const KeyVersions* const versions = state_.find_key(bucket_id, key);
            if (versions) add(found, key, *versions, versions->begin(), 0, max);
          }
          return found;
        });
  }

  async::Task<Result<std::vector<LifecycleVersion>>> older_versions(int64_t bucket_id,
                                                                    std::string key,
                                                                    model::VersionId before,
                                                                    uint32_t newer, uint32_t max,
                                                                    Deadline) override {
    using Versions = std::vector<LifecycleVersion>;
    return state_.run<Result<Versions>>([=, this, key = std::move(key)]() -> Result<Versions> {
      Versions found;
      const KeyVersions* const versions = state_.find_key(bucket_id, key);
      if (!versions) return found;
      auto first = versions->upper_bound(before);
      if (first == versions->begin()) first = history_of(*versions);
      add(found, key, *versions, first, newer, max);
      return found;
    });
  }

 private:
  static int64_t sooner(int64_t queued, int64_t due) {
    return due > 0 && queued != kLookedAt ? std::min(queued, due) : due;
  }

  // From there to the oldest, while `found` has room. So many noncurrent ones are `newer` than the
  // first noncurrent one of them.
  static void add(std::vector<LifecycleVersion>& found, const std::string& key,
                  const KeyVersions& versions, KeyVersions::const_iterator version, uint32_t newer,
                  uint32_t max) {
    for (; version != versions.end() && found.size() < max; ++version) {
      found.push_back(lifecycle_version(key, versions, version));
      if (!found.back().current) found.back().newer_noncurrent = newer++;
    }
  }

  MemoryState& state_;
};

}  // namespace

std::unique_ptr<LifecycleRechecks> make_lifecycle_rechecks(MemoryState& state) {
  return std::make_unique<MemoryLifecycleRechecks>(state);
}

}  // namespace rondel::metadata
