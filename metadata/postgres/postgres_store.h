// PostgresStore: what requests ask, over one pool of connections. One .cc file a subject: objects
// in commits.cc and lookup.cc, uploads.cc, listing.cc, buckets.cc, identities.cc. Internal to
// metadata/postgres.
#pragma once

#include <utility>

#include "metadata/connection/pg_call.h"
#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_function.h"
#include "metadata/connection/pg_held.h"
#include "metadata/connection/sql_names.h"
#include "metadata/connection/version_attributes.h"
#include "metadata/model/version_clock.h"
#include "metadata/postgres/postgres_metadata.h"

namespace rondel::metadata {

using PutJob = RequestJob<PutObject, CommitResult>;
using DeleteJob = RequestJob<DeleteObject, CommitResult>;
using FindJob = RequestJob<ObjectQuery, Result<ObjectLookup>>;

class PostgresStore final : public Availability,
                            public ObjectStore,
                            public UploadStore,
                            public ListingStore,
                            public BucketStore,
                            public IdentityStore {
 public:
  // `shares`: how many connections each of its pools has, beside the one that watches. Without
  // those for `listings` and `held` the one for requests is for all, and what is locked is waited
  // for.
  struct Shares {
    size_t requests = 1;
    size_t listings = 0;
    size_t held = 0;
  };

  PostgresStore(PostgresOptions options, Shares shares, bool watch);
  ~PostgresStore() override;

  bool available() const override { return !workers_.away(); }

  async::Task<CommitResult> put_object(PutObject request) override;
  async::Task<CommitResult> delete_object(DeleteObject request) override;
  async::Task<Result<ObjectLookup>> find_object(ObjectQuery query) override;
  async::Task<Committed<std::vector<CommitOutcome>>> delete_objects(
      std::vector<DeleteObject> requests) override;
  async::Task<CommitResult> copy_object(CopyObject request) override;
  async::Task<CommitResult> append_object(AppendObject request) override;
  async::Task<CommitResult> rename_object(RenameObject request) override;
  async::Task<CommitResult> update_version(UpdateVersion request) override;
  async::Task<Result<ListPage>> list(ListQuery query) override;
  async::Task<Committed<CommitStatus>> create_upload(CommitContext context, Upload upload) override;
  async::Task<CommitResult> put_part(PutPart request) override;
  async::Task<CommitResult> copy_part(CopyPart request) override;
  async::Task<Result<UploadLookup>> find_upload(UploadQuery query) override;
  async::Task<Result<ListUploadsPage>> list_uploads(ListUploadsQuery query) override;
  async::Task<CommitResult> complete_upload(CompleteUpload request) override;
  async::Task<Committed<CommitStatus>> abort_upload(CommitContext context, model::UploadId upload,
                                                    std::string key) override;
  async::Task<Result<BucketOutcome>> create_bucket(CreateBucket request,
                                                   Deadline deadline) override;
  async::Task<Result<BucketOutcome>> delete_bucket(CommitContext context) override;
  async::Task<Result<BucketOutcome>> find_bucket(std::string name, Deadline deadline) override;
  async::Task<Result<std::vector<ListedBucket>>> list_buckets(ListBucketsQuery query,
                                                              Deadline deadline) override;
  async::Task<Result<StoredSetting>> find_setting(int64_t bucket_id, SettingKind kind,
                                                  Deadline deadline) override;
  async::Task<Result<BucketOutcome>> set_bucket_setting(
      CommitContext context, SettingKind kind, std::optional<std::string> document) override;
  async::Task<Result<BucketOutcome>> set_bucket_versioning(CommitContext context,
                                                           Versioning versioning) override;
  async::Task<Result<BucketOutcome>> set_object_lock(CommitContext context,
                                                     std::string document) override;
  async::Task<Result<BucketUsage>> bucket_usage(int64_t bucket_id, Deadline deadline) override;
  async::Task<Result<Credential>> create_account(CreateAccount request, Deadline deadline) override;
  async::Task<Result<std::optional<Account>>> find_account(AccountName name,
                                                           Deadline deadline) override;
  async::Task<Result<std::vector<Account>>> list_accounts(Deadline deadline) override;
  async::Task<Result<bool>> change_account(std::string account_id, AccountChange change,
                                           Deadline deadline) override;
  async::Task<Result<AccessKey>> create_key(std::string account_id, std::string access_key,
                                            std::string secret, Deadline deadline) override;
  async::Task<Result<std::vector<AccessKey>>> list_keys(std::string account_id,
                                                        Deadline deadline) override;
  async::Task<Result<bool>> set_key_enabled(std::string access_key, bool enabled, LastKey last,
                                            Deadline deadline) override;
  async::Task<Result<bool>> delete_key(std::string access_key, LastKey last,
                                       Deadline deadline) override;
  async::Task<Result<std::optional<Credential>>> find_credential(std::string access_key,
                                                                 Deadline deadline) override;

  PostgresStatus status() const;

  PgWorkers& workers() { return workers_; }

 private:
  // What a row does that needs what somebody else holds, as SQL says it: `waits`, `careful`.
  struct Meeting {
    bool waits = false;
    bool careful = false;
  };

  // What a DELETE of many answered, and of which of them somebody held what they need.
  struct PartlyDeleted {
    std::vector<CommitOutcome> outcomes;
    std::vector<size_t> held;
  };

  void run_batch(Lane lane, PgConnection& connection, PgWorkers::Batch batch);
  void find_batch(PgConnection& connection, std::vector<FindJob*> jobs);
  Committed<PgResult> put_rows(PgConnection& connection, const std::vector<PutJob*>& jobs,
                               Meeting meeting);
  Committed<PgResult> delete_rows(PgConnection& connection, const std::vector<DeleteJob*>& jobs,
                                  Meeting meeting);
  Committed<PartlyDeleted> delete_many(PgConnection& connection,
                                       const std::vector<DeleteObject>& all, Deadline until);
  async::Task<CommitResult> delete_held(DeleteObject request);
  async::Task<CommitResult> put_copied(PutObject request);

  // Runs a batch that nobody of it waits in; who is left out waits in held_.
  template <class Job, class Rows>
  void leave_out(Lane lane, PgConnection& connection, PgWorkers::Batch batch, Rows rows);
  // The same of those that are under one credential epoch.
  template <class Job, class Rows>
  void leave_out_under_one(Lane lane, PgConnection& connection, PgWorkers::Batch batch, Rows& rows);
  // Runs a batch that waits for what is held: there is no lane for that.
  template <class Job, class Rows>
  void wait_for_all(PgConnection& connection, const PgWorkers::Batch& batch, Rows rows);
  template <class Job, class Rows>
  bool try_alone(PgConnection& connection, PgJob& job, Rows rows);
  bool try_held(Lane lane, PgConnection& connection, PgJob& job);
  // Those of a batch whose keys nobody waits for yet; the others wait behind them.
  PgWorkers::Batch without_known(Lane lane, PgWorkers::Batch batch);
  void hold(HeldBy by, Lane lane, std::unique_ptr<PgJob> job);
  // For a second after a batch failed of a lock its successors are careful.
  bool careful() const;

  const PostgresOptions options_;
  VersionClock clock_;
  std::atomic<SteadyTime> careful_until_{};
  // Last: their threads use the rest. What is held is given to the first by the second, which is
  // there as long as any of its threads.
  std::unique_ptr<PgHeld> held_;
  const std::unique_ptr<PgWorkers> own_workers_;
  PgWorkers& workers_;
  const std::unique_ptr<PgWorkers> own_listings_;
  PgWorkers& listings_;  // workers_, when there are none for them.
};

// A sortable name of a row: what two writers of the same key have in common.
std::string row_key(int64_t bucket, std::string_view key);

// Runs `statement`, again while it meets lock time-outs, deadlocks or serialisation failures
// (everything rolled back then).
template <class Statement>
Committed<PgResult> with_retries(Statement statement, int attempts = 4) {
  auto result = statement();
  for (int i = 1; i < attempts && !result && result.error().code == ErrorCode::kCancelled; ++i) {
    result = statement();
  }
  if (!result && result.error().code == ErrorCode::kCancelled) {
    result.error().code = ErrorCode::kResourceExhausted;
  }
  return result;
}

// Whether a call was rolled back because something was taken from credentials (PgFunction::under).
inline bool credential_changed(const CommitFailure& failure) {
  return failure.kind == CommitFailure::Kind::kDidNotHappen &&
         failure.code == ErrorCode::kPermissionDenied;
}

template <class T>
bool credential_changed(const Committed<T>& result) {
  return !result && credential_changed(result.error());
}

// Whether a statement failed for good, and nothing of it happened, on a connection that is still of
// use: a row of it may be why.
inline bool may_be_one_rows_fault(const Committed<PgResult>& result,
                                  const PgConnection& connection) {
  return !result && !credential_changed(result) && !connection.broken() &&
         result.error().kind == CommitFailure::Kind::kDidNotHappen;
}

// Runs the statement for all jobs, and answers each. When it fails, each row runs by itself, so
// that one that fails fails alone; those that met a lock come last, as each of them waits its time.
// `run`: makes the statement of some jobs; `answer`: completes those with its result.
template <class Job, class Run, class Answer>
void run_rows(const PgConnection& connection, const std::vector<Job*>& jobs, Run run,
              Answer answer) {
  using Jobs = std::vector<Job*>;
  const bool alone = jobs.size() == 1;
  auto result = with_retries([&] { return run(jobs); }, alone ? 4 : 2);
  if (alone || !may_be_one_rows_fault(result, connection)) return answer(jobs, result);
  Jobs waiting = jobs;
  for (const int attempts : {1, 4}) {
    for (Job* const job : std::exchange(waiting, {})) {
      if (job->expired() || connection.broken()) {
        job->fail({ErrorCode::kUnavailable, "its batch failed"});
        continue;
      }
      const Jobs one{job};
      auto again = with_retries([&] { return run(one); }, attempts);
      const bool locked = !again && again.error().code == ErrorCode::kResourceExhausted;
      locked&& attempts == 1 ? waiting.push_back(job) : answer(one, again);
    }
  }
}

// The statement that finds the current versions of a batch of keys: buckets, keys, kinds, firsts,
// lasts as arrays.
const std::string& find_current_sql();

// Which version a request means that names one, or the null version, or neither.
inline VersionChoice choice_of(const std::optional<model::VersionId>& named, bool null_version) {
  if (null_version) return VersionChoice::kNull;
  return named ? VersionChoice::kNamed : VersionChoice::kCurrent;
}

// The single outcome row of a commit function. Not known: it committed without one.
CommitResult one_outcome(Committed<PgResult> result);

}  // namespace rondel::metadata
