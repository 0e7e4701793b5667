#include "metadata/postgres/postgres_store.h"

namespace rondel::metadata {
namespace {

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

}  // namespace

PostgresStore::PostgresStore(PostgresOptions options, bool watch)
    : options_(std::move(options)),
      clock_(*options_.clock, options_.site),
      workers_({options_.dsn, options_.connections, options_.batch_max, options_.queue_max, watch},
               [this](Lane lane, PgConnection& connection, PgWorkers::Batch batch) {
                 run_batch(lane, connection, std::move(batch));
               }) {}

void PostgresStore::run_batch(Lane lane, PgConnection& connection, PgWorkers::Batch batch) {
  if (options_.on_batch) options_.on_batch(lane_name(lane), batch.size());
  switch (lane) {
    case Lane::kPut: return put_batch(connection, cast<PutJob>(batch));
    case Lane::kDelete: return delete_batch(connection, cast<DeleteJob>(batch));
    case Lane::kFind: return find_batch(connection, cast<FindJob>(batch));
    case Lane::kSingle:
      for (const auto& job : batch) static_cast<ConnectionJob*>(job.get())->run(connection);
  }
}

PostgresStatus PostgresStore::status() const {
  const PgWorkerStatus status = workers_.status();
  size_t queued = 0;
  for (const size_t waiting : status.queued) queued += waiting;
  return {status.connections, status.busy, queued, status.errors, status.connected};
}

std::string row_key(int64_t bucket, std::string_view key) {
  std::string out(8, '\0');
  store_be(reinterpret_cast<std::byte*>(out.data()), static_cast<uint64_t>(bucket));
  return out.append(key);
}

CommitResult one_outcome(Committed<PgResult> result) {
  if (!result) return std::unexpected(result.error());
  if (result->rows() != 1) {
    return std::unexpected(CommitFailure::not_known({ErrorCode::kOutcomeUnknown, "a commit function answered no row"}));
  }
  return read_outcome(*result, 0);
}

}  // namespace rondel::metadata
