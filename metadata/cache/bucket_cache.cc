#include "metadata/cache/bucket_cache.h"

namespace rondel::metadata {

async::Task<Result<std::shared_ptr<const Bucket>>> BucketCache::find_bucket(std::string name,
                                                                            Deadline deadline) {
  if (!can_be_bucket_name(name)) co_return std::shared_ptr<const Bucket>();
  auto known = buckets_.find(name);
  if (known.found) co_return known.value;
  CO_TRY(BucketOutcome outcome, co_await store_.find_bucket(name, deadline));
  std::shared_ptr<const Bucket> value;
  if (outcome.status == BucketStatus::kOk) {
    value = std::make_shared<const Bucket>(std::move(outcome.bucket));
  }
  buckets_.store(name, value, known.generation);
  co_return value;
}

bool BucketCache::doubt_bucket(const std::string& name) {
  constexpr auto kUndoubted = std::chrono::milliseconds(1);
  return buckets_.forget_older(name, kUndoubted);
}

void BucketCache::hear(const DirectoryChange& change) {
  switch (change.kind) {
    case DirectoryChange::Kind::kBucket: return buckets_.forget(change.name);
    case DirectoryChange::Kind::kAccessKey: return;
    case DirectoryChange::Kind::kAccount: return buckets_.clear();  // Of some it is the owner.
    case DirectoryChange::Kind::kHeard: return buckets_.set_heard(true);
    case DirectoryChange::Kind::kNotHeard: return buckets_.set_heard(false);
  }
}

}  // namespace rondel::metadata
