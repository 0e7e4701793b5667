// BucketCache: buckets as a gateway sees them, cached over a BucketStore and kept fresh.
//
// A change made through any gateway is seen by all within 1 s: who follows changes
// (directory_change.h) tells hear() of each, and while nobody does every entry is read again after
// 1 s. Unknown names are cached too; what no bucket can be called is asked nobody. At most
// kBytesMax. Safe for concurrent use.
#pragma once

#include <memory>
#include <string>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "metadata/cache/named_cache.h"
#include "metadata/model/bucket.h"
#include "metadata/store/bucket_store.h"
#include "metadata/store/directory_change.h"

namespace rondel::metadata {

class BucketCache {
 public:
  static constexpr size_t kBytesMax = 64 << 20;

  // Both outlive it. By `clock` entries grow old.
  BucketCache(BucketStore& store, const Clock& clock) : store_(store), buckets_(clock, kBytesMax) {}

  // Null pointer: no such bucket. Errors are those of BucketStore::find_bucket, and are not cached.
  async::Task<Result<std::shared_ptr<const Bucket>>> find_bucket(std::string name,
                                                                 Deadline deadline);

  // After a commit said the cached settings are old, or after this gateway changed the bucket.
  void forget_bucket(const std::string& name) { buckets_.forget(name); }

  // Before a refusal that rests on what is cached. True: it was cached for more than a millisecond
  // and is forgotten, so ask again; refusals by the thousand read a bucket no more often than that.
  bool doubt_bucket(const std::string& name);
  void hear(const DirectoryChange& change);

  size_t bytes() const { return buckets_.bytes(); }

 private:
  BucketStore& store_;
  NamedCache<Bucket> buckets_;
};

}  // namespace rondel::metadata
