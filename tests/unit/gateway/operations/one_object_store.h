// A store with one object behind every key of every bucket and one upload, which refuses every change and counts it: for tests
// of what is asked before anything is changed.
#pragma once

#include "metadata/store/metadata_store.h"

namespace rondel::operations {

using metadata::CommitContext;
using metadata::CommitOutcome;
using metadata::CommitResult;

class OneObjectStore : public metadata::MetadataStore {
 public:
  metadata::ObjectVersion object;             // Of the bucket with this id.
  int64_t bucket_id = 0;
  int64_t settings_version = 1;
  metadata::ObjectVersion public_object;      // Of every other.
  std::vector<metadata::Part> parts;          // Of the upload.
  std::string initiator_account;
  int changes = 0;
  std::optional<Error> broken;                // Every call fails with it.
  int calls = 0;                              // While it is broken.
  bool bypassed_governance = false;           // As the last change asked.

  bool available() const override { return true; }
  async::Task<CommitResult> put_object(metadata::PutObject) override { return commit<CommitOutcome>(); }
  async::Task<CommitResult> delete_object(metadata::DeleteObject request) override {
    bypassed_governance = request.bypass_governance;
    return commit<CommitOutcome>();
  }
  async::Task<Result<metadata::ObjectLookup>> find_object(metadata::ObjectQuery query) override {
    CO_TRY_VOID(check());
    metadata::ObjectLookup found;
    found.status = metadata::LookupStatus::kFound;
    found.bucket_id = query.bucket == "box" ? bucket_id : query.bucket == "open" ? bucket_id + 1 : bucket_id + 2;
    found.settings_version = settings_version;
    found.object = query.bucket == "box" ? object : public_object;
    co_return found;
  }
  async::Task<metadata::Committed<std::vector<CommitOutcome>>> delete_objects(std::vector<metadata::DeleteObject> requests) override {
    if (requests.empty()) co_return std::vector<CommitOutcome>();
    if (const auto known = check(); !known) co_return std::unexpected(failed(known.error()));
    bypassed_governance = requests.front().bypass_governance;
    ++changes;
    co_return std::unexpected(no_changes());
  }
  async::Task<CommitResult> copy_object(metadata::CopyObject) override { return commit<CommitOutcome>(); }
  async::Task<CommitResult> append_object(metadata::AppendObject) override { return commit<CommitOutcome>(); }
  async::Task<CommitResult> rename_object(metadata::RenameObject) override { return commit<CommitOutcome>(); }
  async::Task<CommitResult> update_version(metadata::UpdateVersion request) override {
    bypassed_governance = request.bypass_governance;
    return commit<CommitOutcome>();
  }
  async::Task<Result<metadata::ListPage>> list(metadata::ListQuery) override {
    CO_TRY_VOID(check());
    co_return metadata::ListPage();
  }
  async::Task<metadata::Committed<metadata::CommitStatus>> create_upload(CommitContext, metadata::Upload) override { return commit<metadata::CommitStatus>(); }
  async::Task<CommitResult> put_part(metadata::PutPart) override { return commit<CommitOutcome>(); }
  async::Task<CommitResult> copy_part(metadata::CopyPart) override { return commit<CommitOutcome>(); }
  async::Task<Result<metadata::UploadLookup>> find_upload(metadata::UploadQuery query) override {
    CO_TRY_VOID(check());
    metadata::UploadLookup found;
    found.status = metadata::LookupStatus::kFound;
    found.upload.key = query.key;
    found.parts = parts;
    found.upload.initiator_account = initiator_account;
    found.upload.owner_account = initiator_account;
    co_return found;
  }
  async::Task<Result<metadata::ListUploadsPage>> list_uploads(metadata::ListUploadsQuery) override {
    CO_TRY_VOID(check());
    co_return metadata::ListUploadsPage();
  }
  async::Task<CommitResult> complete_upload(metadata::CompleteUpload) override { return commit<CommitOutcome>(); }
  async::Task<metadata::Committed<metadata::CommitStatus>> abort_upload(CommitContext, model::UploadId, std::string) override { return commit<metadata::CommitStatus>(); }
  async::Task<Result<void>> release_streams(std::vector<metadata::Extent>, Deadline) override { co_return Result<void>{}; }
  async::Task<Result<metadata::BucketOutcome>> create_bucket(metadata::CreateBucket, Deadline) override { return change<metadata::BucketOutcome>(); }
  async::Task<Result<metadata::BucketOutcome>> delete_bucket(int64_t, Deadline) override { return change<metadata::BucketOutcome>(); }
  async::Task<Result<metadata::BucketOutcome>> find_bucket(std::string, Deadline) override { co_return fail(ErrorCode::kUnavailable, "ask the directory"); }
  async::Task<Result<std::vector<metadata::Bucket>>> list_buckets(metadata::ListBucketsQuery, Deadline) override {
    CO_TRY_VOID(check());
    co_return std::vector<metadata::Bucket>();
  }
  async::Task<Result<metadata::BucketOutcome>> set_bucket_setting(int64_t, metadata::SettingKind, std::optional<std::string>, Deadline) override {
    return change<metadata::BucketOutcome>();
  }
  async::Task<Result<metadata::BucketOutcome>> set_bucket_versioning(int64_t, metadata::Versioning, Deadline) override { return change<metadata::BucketOutcome>(); }
  async::Task<Result<metadata::BucketOutcome>> set_object_lock(int64_t, std::string, Deadline) override { return change<metadata::BucketOutcome>(); }
  async::Task<Result<metadata::BucketUsage>> bucket_usage(int64_t, Deadline) override {
    CO_TRY_VOID(check());
    co_return metadata::BucketUsage();
  }
  async::Task<Result<std::optional<metadata::Account>>> find_account(metadata::AccountName, Deadline) override {
    CO_TRY_VOID(check());
    co_return std::optional<metadata::Account>();
  }
  async::Task<Result<bool>> set_account_public_access_block(std::string, uint8_t, Deadline) override { return change<bool>(); }
  async::Task<Result<std::optional<metadata::Credential>>> find_credential(std::string, Deadline) override {
    CO_TRY_VOID(check());
    co_return std::optional<metadata::Credential>();
  }

 private:
  static metadata::CommitFailure no_changes() { return metadata::CommitFailure::did_not_happen({ErrorCode::kUnavailable, "no changes"}); }
  static metadata::CommitFailure failed(Error cause) {
    const bool lost = cause.code == ErrorCode::kOutcomeUnknown;
    return lost ? metadata::CommitFailure::not_known(std::move(cause))
                : metadata::CommitFailure::did_not_happen(std::move(cause));
  }
  Result<void> check() {
    if (!broken) return {};
    ++calls;
    return std::unexpected(*broken);
  }
  template <class T>
  async::Task<metadata::Committed<T>> commit() {
    if (const auto known = check(); !known) co_return std::unexpected(failed(known.error()));
    ++changes;
    co_return std::unexpected(no_changes());
  }
  template <class T>
  async::Task<Result<T>> change() {
    CO_TRY_VOID(check());
    ++changes;
    co_return fail(ErrorCode::kUnavailable, "no changes");
  }
};

}  // namespace rondel::operations
