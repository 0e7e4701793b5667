// UploadStore in memory.
#pragma once

#include "metadata/memory/memory_state.h"
#include "metadata/model/version_clock.h"
#include "metadata/store/upload_store.h"

namespace rondel::metadata {

class MemoryUploadStore final : public UploadStore {
 public:
  // `versions`: the gateway's, which all of its stores share. `clock`: what uploads are stamped by,
  // if it is later than the database's.
  MemoryUploadStore(MemoryState& state, VersionClock& versions, const Clock& clock)
      : state_(state), versions_(versions), clock_(clock) {}

  async::Task<Committed<CommitStatus>> create_upload(CommitContext context, Upload upload) override;
  async::Task<CommitResult> put_part(PutPart request) override;
  async::Task<CommitResult> copy_part(CopyPart request) override;
  async::Task<Result<UploadLookup>> find_upload(UploadQuery query) override;
  async::Task<CommitResult> complete_upload(CompleteUpload request) override;
  async::Task<Committed<CommitStatus>> abort_upload(CommitContext context, model::UploadId upload,
                                                    std::string key) override;

 private:
  // Each under the state's lock.
  Committed<CommitStatus> create(const CommitContext& context, Upload upload);
  CommitOutcome put(const PutPart& request);
  CommitOutcome copy(const CopyPart& request);
  UploadLookup find(const UploadQuery& query);
  CommitOutcome complete(const CompleteUpload& request);
  // Takes the place of a part of the same number.
  CommitOutcome place_part(StoredUpload& upload, const Part& part, std::vector<Extent> extents);

  // By which what is new begins: the later of both clocks.
  SystemTime stamp(SystemTime of_gateway) const;

  MemoryState& state_;
  VersionClock& versions_;
  const Clock& clock_;
};

// The upload of that id, bucket and key; nullptr when there is none.
StoredUpload* find_stored(MemoryState& state, int64_t bucket_id, const model::UploadId& upload,
                          const std::string& key);
// Drops an upload with its parts. REQUIRES: it is there; the lock is held.
void drop_upload(MemoryState& state, const model::UploadId& upload);

}  // namespace rondel::metadata
