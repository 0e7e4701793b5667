// Requests as jobs of PgWorkers: each carries its own question and the slot its asker waits on. Internal to metadata/store.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/async/one_shot.h"
#include "metadata/store/pg_workers.h"

namespace rondel::metadata {

// A request of a batched lane.
template <class Request, class Response>
class RequestJob final : public PgJob {
 public:
  using Slot = async::OneShot<Result<Response>>;

  RequestJob(Request request_, std::string key, Deadline deadline_)
      : request(std::move(request_)), deadline(deadline_), slot(Slot::make()), key_(std::move(key)) {}

  const std::string& exclusive_key() const override { return key_; }
  bool expired() const override { return slot->is_expired(); }
  void fail(const Error& error) override { slot->set(std::unexpected(error)); }

  Request request;
  Deadline deadline;
  std::shared_ptr<Slot> slot;

 private:
  std::string key_;
};

// A request that has a connection for itself.
class ConnectionJob : public PgJob {
 public:
  const std::string& exclusive_key() const override { return no_key_; }
  virtual void run(PgConnection& connection) = 0;

 private:
  std::string no_key_;
};

template <class Response>
class SingleJob final : public ConnectionJob {
 public:
  using Work = std::move_only_function<Result<Response>(PgConnection&, Deadline)>;
  using Slot = async::OneShot<Result<Response>>;

  SingleJob(Work work, Deadline deadline) : slot(Slot::make()), work_(std::move(work)), deadline_(deadline) {}

  bool expired() const override { return slot->is_expired(); }
  void fail(const Error& error) override { slot->set(std::unexpected(error)); }

  // A lock time-out, deadlock or serialisation failure rolled everything back: it is tried again.
  void run(PgConnection& connection) override {
    constexpr int kAttempts = 4;
    Result<Response> answer = work_(connection, deadline_);
    for (int i = 1; i < kAttempts && !answer && answer.error().code == ErrorCode::kCancelled; ++i) {
      answer = work_(connection, deadline_);
    }
    if (!answer && answer.error().code == ErrorCode::kCancelled) answer.error().code = ErrorCode::kResourceExhausted;
    slot->set(std::move(answer));
  }

  std::shared_ptr<Slot> slot;

 private:
  Work work_;
  Deadline deadline_;
};

template <class Response>
async::Task<Result<Response>> run_single(PgWorkers& workers, Deadline deadline, typename SingleJob<Response>::Work work) {
  auto job = std::make_unique<SingleJob<Response>>(std::move(work), deadline);
  auto slot = job->slot;
  std::unique_ptr<PgJob> base = std::move(job);
  if (!workers.submit(Lane::kSingle, base)) co_return rondel::fail(ErrorCode::kResourceExhausted, "too many wait for PostgreSQL");
  auto answer = co_await slot->wait_until(deadline);
  if (!answer) co_return std::unexpected(answer.error());
  co_return std::move(*answer);
}

template <class Response, class Request>
async::Task<Result<Response>> run_batched(PgWorkers& workers, Lane lane, Request request, std::string key, Deadline deadline) {
  auto job = std::make_unique<RequestJob<Request, Response>>(std::move(request), std::move(key), deadline);
  auto slot = job->slot;
  std::unique_ptr<PgJob> base = std::move(job);
  if (!workers.submit(lane, base)) co_return rondel::fail(ErrorCode::kResourceExhausted, "too many wait for PostgreSQL");
  auto answer = co_await slot->wait_until(deadline);
  if (!answer) co_return std::unexpected(answer.error());
  co_return std::move(*answer);
}

}  // namespace rondel::metadata
