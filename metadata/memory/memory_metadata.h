// MemoryMetadata: every seam of metadata/store over a database in memory, as one gateway has them.
#pragma once

#include "metadata/memory/memory_bucket_store.h"
#include "metadata/memory/memory_cluster.h"
#include "metadata/memory/memory_identity_store.h"
#include "metadata/memory/memory_key_store.h"
#include "metadata/memory/memory_listing_store.h"
#include "metadata/memory/memory_object_store.h"
#include "metadata/memory/memory_state.h"
#include "metadata/memory/memory_upload_store.h"
#include "metadata/store/stores.h"

namespace rondel::metadata {

struct MemoryOptions {
  uint16_t site = 1;
  // What versions and uploads are stamped by, if it is later than the database's.
  const Clock* clock = &real_clock();
  // What object locks end by, if it is earlier than the database's.
  const Clock* lock_clock = &real_clock();
};

// Safe for concurrent use. A second one over the same state is another gateway.
class MemoryMetadata {
 public:
  // `state` outlives it, and so do the clocks.
  explicit MemoryMetadata(MemoryState& state, MemoryOptions options = {});

  const Stores& stores() const { return stores_; }

 private:
  class MemoryAvailability final : public Availability {
   public:
    explicit MemoryAvailability(const MemoryState& state) : state_(state) {}

    bool available() const override { return !state_.is_away(); }

   private:
    const MemoryState& state_;
  };

  VersionClock versions_;
  MemoryAvailability availability_;
  MemoryObjectStore objects_;
  MemoryUploadStore uploads_;
  MemoryListingStore listing_;
  MemoryBucketStore buckets_;
  MemoryIdentityStore identities_;
  MemoryKeyStore keys_;
  MemoryCluster cluster_;
  const Stores stores_;
};

}  // namespace rondel::metadata
