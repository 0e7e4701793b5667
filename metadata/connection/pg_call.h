// Requests as jobs of PgWorkers: each carries its own question and the slot its asker waits on.
// Internal to metadata/postgres.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "common/async/one_shot.h"
#include "metadata/connection/pg_workers.h"
#include "metadata/store/commit_result.h"

namespace rondel::metadata {

// What a job answers that never ran: Result<T> or Committed<T>.
template <class Answer>
Answer never_ran(const Error& error) {
  if constexpr (std::is_same_v<typename Answer::error_type, CommitFailure>) {
    return std::unexpected(CommitFailure::did_not_happen(error));
  } else {
    return std::unexpected(error);
  }
}

// A request of a batched lane. `Answer`: Result<T> or Committed<T>.
template <class Request, class Answer>
class RequestJob final : public PgJob {
 public:
  using Slot = async::OneShot<Answer>;

  RequestJob(Request request_, std::string key, Deadline deadline)
      : request(std::move(request_)),
        slot(Slot::make()),
        deadline_(deadline),
        key_(std::move(key)) {}

  const std::string& exclusive_key() const override { return key_; }

  bool expired() const override { return slot->is_expired(); }

  bool begin() override { return slot->claim(); }

  void rolled_back() override { slot->disclaim(); }

  Deadline deadline() const override { return deadline_; }

  void fail(const Error& error) override { slot->set(never_ran<Answer>(error)); }

  Request request;
  std::shared_ptr<Slot> slot;

 private:
  Deadline deadline_;
  std::string key_;
};

// A request that has a connection for itself.
class ConnectionJob : public PgJob {
 public:
  const std::string& exclusive_key() const override { return no_key_; }

  // One try. False: it met a lock time-out, deadlock or serialisation failure, so everything was
  // rolled back, and it is not answered.
  virtual bool run(PgConnection& connection) = 0;

 private:
  std::string no_key_;
};

// PgWorkers::Run where every job is one: what meets a lock is tried again at once, four times in
// all.
inline void run_singles(Lane, PgConnection& connection, PgWorkers::Batch batch) {
  constexpr int kTries = 4;
  for (const auto& job : batch) {
    bool answered = false;
    for (int i = 0; i < kTries && !answered; ++i) {
      answered = static_cast<ConnectionJob*>(job.get())->run(connection);
    }
    if (!answered) job->fail({ErrorCode::kResourceExhausted, "somebody else holds what it needs"});
  }
}

template <class Answer>
class SingleJob final : public ConnectionJob {
 public:
  using Work = std::move_only_function<Answer(PgConnection&, Deadline)>;
  using Slot = async::OneShot<Answer>;

  SingleJob(Work work, Deadline deadline)
      : slot(Slot::make()), work_(std::move(work)), deadline_(deadline) {}

  bool expired() const override { return slot->is_expired(); }

  bool begin() override { return slot->claim(); }

  void rolled_back() override { slot->disclaim(); }

  Deadline deadline() const override { return deadline_; }

  void fail(const Error& error) override { slot->set(never_ran<Answer>(error)); }

  bool run(PgConnection& connection) override {
    Answer answer = work_(connection, deadline_);
    if (!answer && answer.error().code == ErrorCode::kCancelled && !connection.broken()) {
      return false;
    }
    if (!answer && answer.error().code == ErrorCode::kCancelled) {
      answer.error().code = ErrorCode::kResourceExhausted;
    }
    slot->set(std::move(answer));
    return true;
  }

  std::shared_ptr<Slot> slot;

 private:
  Work work_;
  Deadline deadline_;
};

// Waits for what a job that somebody took is answered. A commit whose waiter gives up is not known
// once it was begun, and never happens before.
template <class Answer>
async::Task<Answer> answer_of(std::shared_ptr<async::OneShot<Answer>> slot, Deadline deadline) {
  auto answer = co_await slot->wait_until(deadline);
  if (answer) co_return std::move(*answer);
  if constexpr (std::is_same_v<typename Answer::error_type, CommitFailure>) {
    if (slot->is_claimed()) co_return std::unexpected(CommitFailure::not_known(answer.error()));
  }
  co_return never_ran<Answer>(answer.error());
}

template <class Answer, class Job>
async::Task<Answer> run_job(PgWorkers& workers, Lane lane, std::unique_ptr<Job> job,
                            Deadline deadline) {
  auto slot = job->slot;
  std::unique_ptr<PgJob> base = std::move(job);
  if (!workers.submit(lane, base)) {
    const ErrorCode code = workers.away() ? ErrorCode::kUnavailable : ErrorCode::kResourceExhausted;
    co_return never_ran<Answer>({code, "too many wait for PostgreSQL"});
  }
  co_return co_await answer_of<Answer>(std::move(slot), deadline);
}

template <class Response>
async::Task<Result<Response>> run_single(PgWorkers& workers, Deadline deadline,
                                         typename SingleJob<Result<Response>>::Work work) {
  using Answer = Result<Response>;
  return run_job<Answer>(workers, Lane::kSingle,
                         std::make_unique<SingleJob<Answer>>(std::move(work), deadline), deadline);
}

template <class Response>
async::Task<Committed<Response>> commit_single(PgWorkers& workers, Deadline deadline,
                                               typename SingleJob<Committed<Response>>::Work work) {
  using Answer = Committed<Response>;
  return run_job<Answer>(workers, Lane::kSingle,
                         std::make_unique<SingleJob<Answer>>(std::move(work), deadline), deadline);
}

template <class Response, class Request>
async::Task<Result<Response>> run_batched(PgWorkers& workers, Lane lane, Request request,
                                          std::string key, Deadline deadline) {
  using Answer = Result<Response>;
  auto job =
      std::make_unique<RequestJob<Request, Answer>>(std::move(request), std::move(key), deadline);
  return run_job<Answer>(workers, lane, std::move(job), deadline);
}

template <class Response, class Request>
async::Task<Committed<Response>> commit_batched(PgWorkers& workers, Lane lane, Request request,
                                                std::string key, Deadline deadline) {
  using Answer = Committed<Response>;
  auto job =
      std::make_unique<RequestJob<Request, Answer>>(std::move(request), std::move(key), deadline);
  return run_job<Answer>(workers, lane, std::move(job), deadline);
}

}  // namespace rondel::metadata
