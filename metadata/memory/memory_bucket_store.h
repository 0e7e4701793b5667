// BucketStore in memory.
#pragma once

#include "metadata/memory/memory_state.h"
#include "metadata/store/bucket_store.h"

namespace rondel::metadata {

class MemoryBucketStore final : public BucketStore {
 public:
  explicit MemoryBucketStore(MemoryState& state) : state_(state) {}

  async::Task<Result<BucketOutcome>> create_bucket(CreateBucket request,
                                                   Deadline deadline) override;
  async::Task<Result<BucketOutcome>> delete_bucket(CommitContext context) override;
  async::Task<Result<BucketOutcome>> find_bucket(std::string name, Deadline deadline) override;
  async::Task<Result<StoredSetting>> find_setting(int64_t bucket_id, SettingKind kind,
                                                  Deadline deadline) override;
  async::Task<Result<BucketOutcome>> set_bucket_setting(
      CommitContext context, SettingKind kind, std::optional<std::string> document) override;
  async::Task<Result<BucketOutcome>> set_bucket_versioning(CommitContext context,
                                                           Versioning versioning) override;
  async::Task<Result<BucketOutcome>> set_object_lock(CommitContext context,
                                                     std::string document) override;
  async::Task<Result<BucketUsage>> bucket_usage(int64_t bucket_id, Deadline deadline) override;

 private:
  // Each under the state's lock.
  Result<BucketOutcome> create(const CreateBucket& request);
  // kOk, or why a change that was decided under these may not be.
  BucketStatus check_ground(const CommitContext& context);
  BucketStatus remove(int64_t bucket_id);
  BucketUsage usage(int64_t bucket_id);
  // `change` answers kOk when it changed the bucket, whose settings version rises then.
  template <class Change>
  async::Task<Result<BucketOutcome>> change_bucket(CommitContext context, Change change);

  MemoryState& state_;
};

}  // namespace rondel::metadata
