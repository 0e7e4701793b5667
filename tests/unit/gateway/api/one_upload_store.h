// A store with one upload behind every id, which refuses every change and counts it.
#pragma once

#include "metadata/store/upload_store.h"
#include "tests/unit/gateway/api/fault.h"

namespace rondel::api {

class OneUploadStore : public metadata::UploadStore {
 public:
  template <class T>
  using Commit = async::Task<metadata::Committed<T>>;

  std::vector<metadata::Part> parts;
  std::string initiator_account;
  int refused = 0;
  Fault fault;  // Of every call.

  Commit<metadata::CommitStatus> create_upload(metadata::CommitContext, metadata::Upload) override {
    return refuse<metadata::CommitStatus>();
  }

  Commit<metadata::CommitOutcome> put_part(metadata::PutPart) override {
    return refuse<metadata::CommitOutcome>();
  }

  Commit<metadata::CommitOutcome> copy_part(metadata::CopyPart) override {
    return refuse<metadata::CommitOutcome>();
  }

  async::Task<Result<metadata::UploadLookup>> find_upload(metadata::UploadQuery query) override {
    CO_TRY_VOID(fault.check());
    metadata::UploadLookup found;
    found.status = metadata::LookupStatus::kFound;
    found.upload.key = query.key;
    found.parts = parts;
    found.upload.initiator_account = initiator_account;
    found.upload.owner_account = initiator_account;
    co_return found;
  }

  Commit<metadata::CommitOutcome> complete_upload(metadata::CompleteUpload) override {
    return refuse<metadata::CommitOutcome>();
  }

  Commit<metadata::CommitStatus> abort_upload(metadata::CommitContext, model::UploadId,
                                              std::string) override {
    return refuse<metadata::CommitStatus>();
  }

 private:
  template <class T>
  Commit<T> refuse() {
    if (auto failure = fault.check_commit()) co_return std::unexpected(*std::move(failure));
    ++refused;
    co_return std::unexpected(
        metadata::CommitFailure::did_not_happen({ErrorCode::kUnavailable, "no changes"}));
  }
};

}  // namespace rondel::api
