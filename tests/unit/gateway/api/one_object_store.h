// A store with one object behind every key of every bucket, which refuses every change and counts
// it: for tests of what is asked before anything is changed.
#pragma once

#include "metadata/store/object_store.h"
#include "tests/unit/gateway/api/fault.h"

namespace rondel::api {

using metadata::CommitContext;
using metadata::CommitOutcome;
using metadata::CommitResult;

class OneObjectStore : public metadata::ObjectStore {
 public:
  metadata::ObjectVersion object;  // Of the bucket with this id.
  int64_t bucket_id = 0;
  int64_t settings_version = 1;
  metadata::ObjectVersion public_object;  // Of every other.
  int changes = 0;
  Fault fault;                       // Of every call.
  bool bypassed_governance = false;  // As the last change asked.

  async::Task<CommitResult> put_object(metadata::PutObject) override {
    return commit<CommitOutcome>();
  }

  async::Task<CommitResult> delete_object(metadata::DeleteObject request) override {
    bypassed_governance = request.bypass_governance;
    return commit<CommitOutcome>();
  }

  async::Task<Result<metadata::ObjectLookup>> find_object(metadata::ObjectQuery query) override {
    CO_TRY_VOID(fault.check());
    metadata::ObjectLookup found;
    found.status = metadata::LookupStatus::kFound;
    found.bucket_id = query.bucket == "box"    ? bucket_id
                      : query.bucket == "open" ? bucket_id + 1
                                               : bucket_id + 2;
    found.settings_version = settings_version;
    found.object = query.bucket == "box" ? object : public_object;
    co_return found;
  }

  async::Task<metadata::Committed<std::vector<CommitOutcome>>> delete_objects(
      std::vector<metadata::DeleteObject> requests) override {
    if (requests.empty()) co_return std::vector<CommitOutcome>();
    if (auto failure = fault.check_commit()) co_return std::unexpected(*std::move(failure));
    bypassed_governance = requests.front().bypass_governance;
    ++changes;
    co_return std::unexpected(no_changes());
  }

  async::Task<CommitResult> copy_object(metadata::CopyObject) override {
    return commit<CommitOutcome>();
  }

  async::Task<CommitResult> append_object(metadata::AppendObject) override {
    return commit<CommitOutcome>();
  }

  async::Task<CommitResult> rename_object(metadata::RenameObject) override {
    return commit<CommitOutcome>();
  }

  async::Task<CommitResult> update_version(metadata::UpdateVersion request) override {
    bypassed_governance = request.bypass_governance;
    return commit<CommitOutcome>();
  }

 private:
  static metadata::CommitFailure no_changes() {
    return metadata::CommitFailure::did_not_happen({ErrorCode::kUnavailable, "no changes"});
  }

  template <class T>
  async::Task<metadata::Committed<T>> commit() {
    if (auto failure = fault.check_commit()) co_return std::unexpected(*std::move(failure));
    ++changes;
    co_return std::unexpected(no_changes());
  }
};

}  // namespace rondel::api
