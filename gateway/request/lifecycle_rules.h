// LifecycleRules: the decoded lifecycle rules of buckets, kept from one request to the next.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/async/one_shot.h"
#include "common/base/mutex.h"
#include "gateway/request/compiled_settings.h"
#include "jobs/lifecycle/decision.h"
#include "jobs/lifecycle/rule.h"
#include "metadata/model/bucket.h"
#include "metadata/store/bucket_store.h"

namespace rondel::request {

// Safe for concurrent use.
class LifecycleRules {
 public:
  using Rules = std::shared_ptr<const lifecycle::Configuration>;

  static constexpr size_t kBytesMax = 32 << 20;

  // Null: the bucket has none. Reads them when they are not known of this version of its settings,
  // once for all that ask meanwhile. Errors: those of BucketStore::find_setting(); kCorruption.
  // `beside` decodes those that a loop would be long at.
  async::Task<Result<Rules>> of(metadata::BucketStore& store, async::BlockingPool& beside,
                                const metadata::Bucket& bucket, Deadline deadline);

  size_t bytes() const { return rules_.bytes(); }

 private:
  using Version = std::pair<int64_t, int64_t>;  // Bucket and version of its settings.
  using Waiter = std::shared_ptr<async::OneShot<Result<Rules>>>;

  // Whoever reads tells the others, however that ends.
  class Reading {
   public:
    Reading(LifecycleRules& rules, Version version) : rules_(rules), version_(version) {}

    Reading(const Reading&) = delete;
    ~Reading();
    Result<Rules> outcome = fail(ErrorCode::kCancelled, "who read the lifecycle rules gave up");

   private:
    LifecycleRules& rules_;
    const Version version_;
  };

  async::Task<Result<Rules>> read(metadata::BucketStore& store, async::BlockingPool& beside,
                                  Version version, Deadline deadline);

  CompiledSettings<lifecycle::Configuration> rules_{kBytesMax};
  Mutex mutex_;
  std::map<Version, std::vector<Waiter>> reading_ GUARDED_BY(mutex_);
};

}  // namespace rondel::request
