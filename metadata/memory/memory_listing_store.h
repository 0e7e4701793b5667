// ListingStore in memory.
#pragma once

#include "metadata/memory/memory_state.h"
#include "metadata/store/listing_store.h"

namespace rondel::metadata {

class MemoryListingStore final : public ListingStore {
 public:
  explicit MemoryListingStore(MemoryState& state) : state_(state) {}

  async::Task<Result<ListPage>> list(ListQuery query) override;
  async::Task<Result<ListUploadsPage>> list_uploads(ListUploadsQuery query) override;
  async::Task<Result<std::vector<ListedBucket>>> list_buckets(ListBucketsQuery query,
                                                              Deadline deadline) override;

 private:
  // Each under the state's lock.
  ListPage page_of(const ListQuery& query);
  ListUploadsPage page_of(const ListUploadsQuery& query);
  std::vector<ListedBucket> page_of(const ListBucketsQuery& query);

  MemoryState& state_;
};

}  // namespace rondel::metadata
