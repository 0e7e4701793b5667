// The cluster's metadata as a gateway has it: the stores in PostgreSQL, what of them is kept in
// memory, and the ages that garbage reaches before it is removed.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "cluster/membership/age_clock.h"
#include "common/base/clock.h"
#include "common/config/config.h"
#include "common/metrics/metrics.h"
#include "common/model/ids.h"
#include "metadata/cache/bucket_cache.h"
#include "metadata/cache/identity_cache.h"
#include "metadata/postgres/directory_feed.h"
#include "metadata/postgres/postgres_metadata.h"

namespace rondel::gateway {

class ClusterMetadata {
 public:
  // Waits half a minute for a database that starts or recovers. Blocking. Errors, in one line: the
  // database cannot be asked, does not flush, has another schema, or is of a cluster with another
  // master key; Vault is another than the cluster's. What is given outlives it.
  static Result<std::unique_ptr<ClusterMetadata>> connect(const config::Settings& settings,
                                                          const Clock& clock,
                                                          metrics::Registry& registry);

  const metadata::Stores& stores() const { return postgres_->stores(); }

  const metadata::PostgresMetadata& postgres() const { return *postgres_; }

  const model::ClusterId& cluster() const { return cluster_; }

  const std::string& master_key() const { return master_key_; }

  membership::AgeClock& ages() { return ages_; }

  // This gateway's own; the cluster goes by the greatest of all.
  const metadata::GarbageAges& garbage_ages() const { return garbage_ages_; }

  metadata::BucketCache& buckets() { return *buckets_; }

  metadata::IdentityCache& identities() { return *identities_; }

 private:
  ClusterMetadata(const config::Settings& settings, std::string master_key, const Clock& clock,
                  metrics::Registry& registry);

  Result<void> join_garbage_ages();
  void start_caches(const config::Settings& settings, const Clock& clock);

  const std::string master_key_;
  const metadata::GarbageAges garbage_ages_;
  membership::AgeClock ages_;
  std::map<std::string_view, metrics::Histogram*> batches_;  // By lane.
  std::unique_ptr<metadata::PostgresMetadata> postgres_;
  model::ClusterId cluster_;
  std::unique_ptr<metadata::BucketCache> buckets_;
  std::unique_ptr<metadata::IdentityCache> identities_;
  std::unique_ptr<metadata::DirectoryFeed> feed_;  // Tells both caches.
};

}  // namespace rondel::gateway
