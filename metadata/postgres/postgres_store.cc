#include "metadata/postgres/postgres_store.h"

#include <algorithm>
#include <functional>

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

std::string_view lane_name(Lane lane) {
  switch (lane) {
    case Lane::kPut: return "put";
    case Lane::kDelete: return "delete";
    case Lane::kFind: return "find";
    case Lane::kSingle: return "single";
  }
  return "single";
}

template <class Job>
std::vector<Job*> cast(const PgWorkers::Batch& batch) {
  std::vector<Job*> jobs;
  for (const auto& job : batch) jobs.push_back(static_cast<Job*>(job.get()));
  return jobs;
}

// How long a lock is waited for in place, and in a try of a held one: a request has time for many.
std::chrono::milliseconds part_of(Duration timeout, std::chrono::milliseconds most) {
  const auto tenth = std::chrono::duration_cast<std::chrono::milliseconds>(timeout / 10);
  return std::clamp(tenth, std::chrono::milliseconds(1), most);
}

PgPatience patience_for(Duration timeout, std::chrono::milliseconds lock) {
  const auto statement = std::chrono::duration_cast<std::chrono::milliseconds>(timeout);
  return {lock, std::max(statement, std::chrono::milliseconds(1))};
}

constexpr auto kInPlace = 20ms;
constexpr auto kTry = 100ms;
constexpr auto kCareful = 1s;

PgWorkerOptions worker_options(const PostgresOptions& options, size_t connections) {
  return {.dsn = options.dsn,
          .connections = connections,
          .batch_max = options.batch_max,
          .queue_max = options.queue_max};
}

// Without a lane for what is held, locks are waited for as long as elsewhere.
PgWorkerOptions request_options(const PostgresOptions& options, PostgresStore::Shares shares,
                                bool watch) {
  PgWorkerOptions made = worker_options(options, shares.requests);
  made.watch = watch;
  if (shares.held > 0) {
    made.patience = patience_for(options.timeout, part_of(options.timeout, kInPlace));
  }
  return made;
}

}  // namespace

PostgresStore::PostgresStore(PostgresOptions options, Shares shares, bool watch)
    : options_(std::move(options)),
      clock_(*options_.clock, options_.site),
      own_workers_(std::make_unique<PgWorkers>(
          request_options(options_, shares, watch),
          [this](Lane lane, PgConnection& connection, PgWorkers::Batch batch) {
            run_batch(lane, connection, std::move(batch));
          })),
      workers_(*own_workers_),
      own_listings_(shares.listings == 0 ? nullptr : [&] {
        PgWorkerOptions made = worker_options(options_, shares.listings);
        made.patience = patience_for(options_.timeout, part_of(options_.timeout, kTry));
        made.kept_for_batches = 0;
        return std::make_unique<PgWorkers>(
            made, [this](Lane lane, PgConnection& connection, PgWorkers::Batch batch) {
              if (options_.on_batch) options_.on_batch("list", batch.size());
              run_singles(lane, connection, std::move(batch));
            });
      }()),
      listings_(own_listings_ ? *own_listings_ : workers_) {
  if (shares.held == 0) return;
  held_ = std::make_unique<PgHeld>(
      PgHeldOptions{options_.dsn, shares.held, options_.queue_max,
                    patience_for(options_.timeout, part_of(options_.timeout, kTry))},
      workers_.availability(),
      [this](Lane lane, PgConnection& connection, PgJob& job) {
        return try_held(lane, connection, job);
      },
      [this](Lane lane, std::unique_ptr<PgJob>& job) { return workers_.submit(lane, job); });
}

PostgresStore::~PostgresStore() {
  if (held_) held_->stop();
}

bool PostgresStore::careful() const {
  return std::chrono::steady_clock::now() < careful_until_.load(std::memory_order_relaxed);
}

void PostgresStore::hold(HeldBy by, Lane lane, std::unique_ptr<PgJob> job) {
  job->rolled_back();
  if (held_->submit(std::move(by), lane, job)) return;
  job->fail({ErrorCode::kResourceExhausted, "too many wait for what somebody else holds"});
}

PgWorkers::Batch PostgresStore::without_known(Lane lane, PgWorkers::Batch batch) {
  if (held_->waiting() == 0) return batch;
  PgWorkers::Batch left;
  for (std::unique_ptr<PgJob>& job : batch) {
    job->rolled_back();  // It was begun, and nothing was sent.
    if (held_->join(job->exclusive_key(), lane, job)) continue;
    if (job->begin()) left.push_back(std::move(job));
  }
  return left;
}

namespace {

std::string bucket_of(const PutJob& job) { return row_key(job.request.context.bucket_id, ""); }

std::string bucket_of(const DeleteJob& job) { return row_key(job.request.context.bucket_id, ""); }

template <class Job>
void fail_job(Job& job, const CommitFailure& failure) {
  if (credential_changed(failure)) {
    job.slot->set(CommitOutcome{.status = CommitStatus::kCredentialChanged});
    return;
  }
  CommitFailure told = failure;
  if (told.code == ErrorCode::kCancelled) told.code = ErrorCode::kResourceExhausted;
  job.slot->set(std::unexpected(std::move(told)));
}

// Committed, and not known what: nobody may take these streams for unused.
CommitFailure lost_a_row() {
  return CommitFailure::not_known({ErrorCode::kOutcomeUnknown, "a batch lost a row"});
}

// A statement is confirmed under one epoch. Nearly always all of a batch have the same: it moves
// with what is taken from credentials alone. The order within each stays. `epoch_of`: of one.
template <class T, class EpochOf>
std::vector<std::vector<T>> by_credential_epoch(std::vector<T> jobs, EpochOf epoch_of) {
  std::vector<std::vector<T>> groups;
  while (!jobs.empty()) {
    const int64_t first = epoch_of(jobs.front());
    const auto others =
        std::ranges::stable_partition(jobs, [&](const T& job) { return epoch_of(job) == first; });
    std::vector<T> rest(std::make_move_iterator(others.begin()),
                        std::make_move_iterator(others.end()));
    jobs.erase(others.begin(), others.end());
    groups.push_back(std::exchange(jobs, std::move(rest)));
  }
  return groups;
}

bool met_a_lock(const Committed<PgResult>& result, const PgConnection& connection) {
  return may_be_one_rows_fault(result, connection) && result.error().code == ErrorCode::kCancelled;
}

}  // namespace

template <class Job, class Rows>
void PostgresStore::leave_out(Lane lane, PgConnection& connection, PgWorkers::Batch batch,
                              Rows rows) {
  const auto epoch_of = [](const std::unique_ptr<PgJob>& job) {
    return static_cast<const Job&>(*job).request.context.credential_epoch;
  };
  for (auto& some : by_credential_epoch(without_known(lane, std::move(batch)), epoch_of)) {
    leave_out_under_one<Job>(lane, connection, std::move(some), rows);
  }
}

template <class Job, class Rows>
void PostgresStore::leave_out_under_one(Lane lane, PgConnection& connection, PgWorkers::Batch batch,
                                        Rows& rows) {
  // One order of locks for all.
  std::ranges::sort(batch, {}, [](const auto& job) { return job->exclusive_key(); });

  const auto run = [&](const std::vector<Job*>& jobs) {
    auto result = rows(connection, jobs, Meeting{false, careful()});
    if (!met_a_lock(result, connection)) return result;
    careful_until_.store(deadline_in(kCareful), std::memory_order_relaxed);
    return rows(connection, jobs, Meeting{false, true});
  };
  // Row `i` of a result is the answer of a job, unless it was left out.
  const auto answer = [&](std::unique_ptr<PgJob>& job, const PgResult& result, size_t i) {
    Job& own = static_cast<Job&>(*job);
    const auto held = held_of(result, i);
    if (!held) {
      own.slot->set(read_outcome(result, i));
    } else if (*held == Held::kBucket) {
      hold({HeldBy::Kind::kBucket, bucket_of(own)}, lane, std::move(job));
    } else {
      hold({HeldBy::Kind::kKey, own.exclusive_key()}, lane, std::move(job));
    }
  };

  const std::vector<Job*> jobs = cast<Job>(batch);
  const auto result = run(jobs);
  if (result && result->rows() == jobs.size()) {
    for (size_t i = 0; i < batch.size(); ++i) answer(batch[i], *result, i);
    return;
  }
  if (!may_be_one_rows_fault(result, connection)) {
    for (Job* job : jobs) fail_job(*job, result ? lost_a_row() : result.error());
    return;
  }
  const auto end = [&](std::unique_ptr<PgJob>& job, const Committed<PgResult>& alone) {
    if (alone && alone->rows() == 1) {
      answer(job, *alone, 0);
    } else if (met_a_lock(alone, connection)) {
      hold({HeldBy::Kind::kKey, job->exclusive_key()}, lane, std::move(job));
    } else {
      fail_job(static_cast<Job&>(*job), alone ? lost_a_row() : alone.error());
    }
  };
  if (batch.size() == 1) return end(batch.front(), result);
  // A row of it may be why: each by itself, so that one that fails fails alone.
  for (std::unique_ptr<PgJob>& job : batch) {
    if (job->expired() || connection.broken()) {
      job->fail({ErrorCode::kUnavailable, "its batch failed"});
      continue;
    }
    const std::vector<Job*> one{static_cast<Job*>(job.get())};
    end(job, rows(connection, one, Meeting{false, true}));
  }
}

template <class Job, class Rows>
void PostgresStore::wait_for_all(PgConnection& connection, const PgWorkers::Batch& batch,
                                 Rows rows) {
  const auto run = [&](const std::vector<Job*>& some) {
    return rows(connection, some, Meeting{true, true});
  };
  const auto answer = [](const std::vector<Job*>& some, const Committed<PgResult>& result) {
    const bool whole = result && result->rows() == some.size();
    for (size_t i = 0; i < some.size(); ++i) {
      whole ? (void)some[i]->slot->set(read_outcome(*result, i))
            : fail_job(*some[i], result ? lost_a_row() : result.error());
    }
  };
  const auto epoch_of = [](const Job* job) { return job->request.context.credential_epoch; };
  for (auto& jobs : by_credential_epoch(cast<Job>(batch), epoch_of)) {
    std::ranges::sort(jobs, {}, [](const Job* job) { return job->exclusive_key(); });
    run_rows(connection, jobs, run, answer);
  }
}

template <class Job, class Rows>
bool PostgresStore::try_alone(PgConnection& connection, PgJob& job, Rows rows) {
  Job& own = static_cast<Job&>(job);
  const auto result = rows(connection, std::vector<Job*>{&own}, Meeting{true, true});
  if (met_a_lock(result, connection)) return false;
  if (result && result->rows() == 1) {
    own.slot->set(read_outcome(*result, 0));
  } else {
    fail_job(own, result ? lost_a_row() : result.error());
  }
  return true;
}

bool PostgresStore::try_held(Lane lane, PgConnection& connection, PgJob& job) {
  if (options_.on_batch) options_.on_batch("held", 1);
  switch (lane) {
    case Lane::kPut:
      return try_alone<PutJob>(connection, job, std::bind_front(&PostgresStore::put_rows, this));
    case Lane::kDelete:
      return try_alone<DeleteJob>(connection, job,
                                  std::bind_front(&PostgresStore::delete_rows, this));
    case Lane::kFind:
    case Lane::kSingle: break;
  }
  return static_cast<ConnectionJob&>(job).run(connection);
}

void PostgresStore::run_batch(Lane lane, PgConnection& connection, PgWorkers::Batch batch) {
  if (options_.on_batch) options_.on_batch(lane_name(lane), batch.size());
  const auto put = std::bind_front(&PostgresStore::put_rows, this);
  const auto remove = std::bind_front(&PostgresStore::delete_rows, this);
  switch (lane) {
    case Lane::kPut:
      return held_ ? leave_out<PutJob>(lane, connection, std::move(batch), put)
                   : wait_for_all<PutJob>(connection, batch, put);
    case Lane::kDelete:
      return held_ ? leave_out<DeleteJob>(lane, connection, std::move(batch), remove)
                   : wait_for_all<DeleteJob>(connection, batch, remove);
    case Lane::kFind: return find_batch(connection, cast<FindJob>(batch));
    case Lane::kSingle: break;
  }
  if (!held_) return run_singles(lane, connection, std::move(batch));
  for (auto& job : batch) {
    if (static_cast<ConnectionJob*>(job.get())->run(connection)) continue;
    hold({HeldBy::Kind::kAlone, {}}, lane, std::move(job));
  }
}

PostgresStatus PostgresStore::status() const {
  PostgresStatus all;
  const auto add = [&all](const PgWorkerStatus& of) {
    all.connections += of.connections;
    all.busy += of.busy;
    for (const size_t waiting : of.queued) all.queued += waiting;
    all.connections_lost += of.errors;
  };
  const PgWorkerStatus requests = workers_.status();
  add(requests);
  if (own_listings_) add(own_listings_->status());
  if (held_) {
    all.connections += held_->connections();
    all.busy += held_->busy();
    all.queued += held_->waiting();
    all.connections_lost += held_->counts().lost.load();
  }
  all.connected = requests.connected;
  return all;
}

std::string row_key(int64_t bucket, std::string_view key) {
  std::string out(8, '\0');
  store_be(reinterpret_cast<std::byte*>(out.data()), static_cast<uint64_t>(bucket));
  return out.append(key);
}

CommitResult one_outcome(Committed<PgResult> result) {
  if (credential_changed(result)) return CommitOutcome{.status = CommitStatus::kCredentialChanged};
  if (!result) return std::unexpected(result.error());
  if (result->rows() != 1) {
    return std::unexpected(CommitFailure::not_known(
        {ErrorCode::kOutcomeUnknown, "a commit function answered no row"}));
  }
  return read_outcome(*result, 0);
}

}  // namespace rondel::metadata
