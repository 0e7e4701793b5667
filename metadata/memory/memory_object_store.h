// ObjectStore in memory: what the functions of migrations/ decide, as plain code.
#pragma once

#include "metadata/memory/memory_state.h"
#include "metadata/model/version_clock.h"
#include "metadata/store/object_store.h"

namespace rondel::metadata {

class MemoryObjectStore final : public ObjectStore {
 public:
  // `versions`: the gateway's, which all of its stores share. `lock_clock`: what object locks end
  // by, if it is earlier than the database's.
  MemoryObjectStore(MemoryState& state, VersionClock& versions, const Clock& lock_clock)
      : state_(state), versions_(versions), lock_clock_(lock_clock) {}

  async::Task<CommitResult> put_object(PutObject request) override;
  async::Task<CommitResult> delete_object(DeleteObject request) override;
  async::Task<Committed<std::vector<CommitOutcome>>> delete_objects(
      std::vector<DeleteObject> requests) override;
  async::Task<CommitResult> copy_object(CopyObject request) override;
  async::Task<CommitResult> append_object(AppendObject request) override;
  async::Task<CommitResult> rename_object(RenameObject request) override;
  async::Task<CommitResult> update_version(UpdateVersion request) override;
  async::Task<Result<ObjectLookup>> find_object(ObjectQuery query) override;

 private:
  // Each under the state's lock.
  CommitOutcome put(const PutObject& request);
  CommitOutcome remove(const DeleteObject& request);
  CommitOutcome remove_current(StoredBucket& bucket, const DeleteObject& request);
  CommitOutcome remove_named(StoredBucket& bucket, const DeleteObject& request);
  CommitOutcome copy(const CopyObject& request);
  CommitOutcome append(const AppendObject& request);
  CommitOutcome extend(StoredBucket& bucket, const AppendObject& request);
  CommitOutcome rename(const RenameObject& request);
  CommitOutcome update(const UpdateVersion& request);
  ObjectLookup find(const ObjectQuery& query);

  // By which locks end: the earlier of both clocks.
  SystemTime lock_time() const;

  MemoryState& state_;
  VersionClock& versions_;
  const Clock& lock_clock_;
};

}  // namespace rondel::metadata
