#include "gateway/main/database_watch.h"

#include "common/log/log.h"

namespace rondel::gateway {

using namespace std::chrono_literals;
using metadata::ServerHealth;
using metrics::Sample;
using metrics::Type;

namespace {

constexpr auto kPatience = 2s;
constexpr auto kHealthPatience = 3s;

double seconds_of(SystemTime at) {
  return std::chrono::duration<double>(at.time_since_epoch()).count();
}

}  // namespace

DatabaseWatch::DatabaseWatch(const metadata::PostgresMetadata& metadata,
                             const jobs::LeaseHolder& lease, DatabaseWatchOptions options,
                             metrics::Registry& registry)
    : metadata_(metadata), lease_(lease), options_(std::move(options)) {
  registry.callback(Type::kGauge, "rondel_metadata_connected",
                    "1 while the database answers, as /health/ready last had it.", {},
                    [this] { return connected_ ? 1.0 : 0.0; });
  registry.callback(Type::kGauge, "rondel_master_key_matches",
                    "0 while the database is of a cluster with another master key.", {},
                    [this] { return key_matches_ ? 1.0 : 0.0; });
  using Value = std::optional<double> (*)(const ServerHealth&);
  const auto tell = [this, &registry](const char* name, const char* help, Value value) {
    registry.collector(Type::kGauge, name, help, [this, value] {
      std::vector<Sample> samples;
      const auto now = health();
      const std::optional<double> number = now ? value(*now) : std::nullopt;
      if (number) samples.push_back({{}, *number});
      return samples;
    });
  };
  tell("rondel_postgres_connections", "Connections that the server has.",
       [](const ServerHealth& h) { return std::optional(static_cast<double>(h.connections)); });
  tell("rondel_postgres_connections_max", "Connections that it takes.",
       [](const ServerHealth& h) { return std::optional(static_cast<double>(h.connections_max)); });
  tell("rondel_postgres_xid_age", "Transaction ids since the oldest that is not frozen.",
       [](const ServerHealth& h) { return std::optional(static_cast<double>(h.xid_age)); });
  tell(
      "rondel_postgres_xid_age_max", "The age at which the server takes no more writes.",
      [](const ServerHealth&) { return std::optional(static_cast<double>(metadata::kXidAgeMax)); });
  tell("rondel_postgres_database_bytes", "Size of the database.",
       [](const ServerHealth& h) { return std::optional(static_cast<double>(h.database_bytes)); });
  tell("rondel_postgres_synchronous_standbys", "Standbys that stream and that commits wait for.",
       [](const ServerHealth& h) {
         return h.synchronous_standbys ? std::optional(static_cast<double>(*h.synchronous_standbys))
                                       : std::nullopt;
       });
  tell("rondel_postgres_synchronous_standbys_wanted",
       "1 while synchronous_standby_names names some.",
       [](const ServerHealth& h) { return std::optional(h.standbys_wanted ? 1.0 : 0.0); });
  tell("rondel_postgres_archiving", "1 while archive_mode is on.",
       [](const ServerHealth& h) { return std::optional(h.archiving ? 1.0 : 0.0); });
  tell("rondel_postgres_archive_failing", "1 while the last attempt to archive a WAL file failed.",
       [](const ServerHealth& h) { return std::optional(h.archive_failing ? 1.0 : 0.0); });
  tell("rondel_postgres_last_archived_timestamp_seconds", "When a WAL file was archived last.",
       [](const ServerHealth& h) {
         return h.last_archived ? std::optional(seconds_of(*h.last_archived)) : std::nullopt;
       });
  registry.collector(Type::kGauge, "rondel_postgres_database_bytes_max",
                     "What the database may grow to (metadata.database_size_max).", [this] {
                       std::vector<Sample> samples;
                       if (options_.capacity_bytes > 0) {
                         samples.push_back({{}, static_cast<double>(options_.capacity_bytes)});
                       }
                       return samples;
                     });
  registry.collector(Type::kGauge, "rondel_postgres_up",
                     "1 while the server answers what it is asked of itself.", [this] {
                       std::vector<Sample> samples;
                       MutexLock lock(mutex_);
                       if (lease_.leads() && asked_at_ != SystemTime{}) {
                         samples.push_back({{}, answered_ ? 1.0 : 0.0});
                       }
                       return samples;
                     });
  registry.collector(Type::kGauge, "rondel_postgres_asked_timestamp_seconds",
                     "When the server was asked last.", [this] {
                       std::vector<Sample> samples;
                       MutexLock lock(mutex_);
                       if (lease_.leads() && asked_at_ != SystemTime{}) {
                         samples.push_back({{}, seconds_of(asked_at_)});
                       }
                       return samples;
                     });
  registry.collector(
      Type::kGauge, "rondel_queue_oldest_seconds",
      "Age of the oldest that waits in a queue of the database; 0: nothing waits.", [this] {
        std::vector<Sample> samples;
        if (const auto now = health()) {
          samples.push_back({{{"queue", "released"}}, now->oldest_released_seconds});
          samples.push_back({{{"queue", "deleted_buckets"}}, now->oldest_deleted_bucket_seconds});
        }
        return samples;
      });
}

std::optional<ServerHealth> DatabaseWatch::health() const {
  if (!lease_.leads()) return std::nullopt;
  MutexLock lock(mutex_);
  return health_;
}

async::Task<Result<void>> DatabaseWatch::check() {
  const auto id = co_await metadata_.stores().ring.cluster_id(deadline_in(kPatience));
  const bool answered = id.has_value();
  if (connected_.exchange(answered) != answered) {
    answered ? log::info("main", "the database answers again", {})
             : log::warn("main", "the database does not answer", {{"error", id.error().message}});
  }
  if (!id) co_return std::unexpected(id.error());
  co_return Result<void>{};
}

async::Task<void> DatabaseWatch::ask_health() {
  const auto answer = co_await metadata_.ask_server(deadline_in(kHealthPatience));
  const auto kept = co_await metadata_.key_check("master", deadline_in(kHealthPatience));
  if (kept) {
    const bool matches = *kept == options_.key_check;
    if (key_matches_.exchange(matches) && !matches) {
      log::error(
          "main",
          "the database is of a cluster with another master key: secrets of it cannot be opened",
          {});
    }
  }
  MutexLock lock(mutex_);
  asked_at_ = real_clock().now();
  answered_ = answer.has_value();
  if (answer) health_ = *answer;
}

async::Task<void> DatabaseWatch::run(async::TaskGroup& group) {
  SteadyTime health_at{};
  bool leads = false;
  while (!group.stopping()) {
    (void)co_await check();
    const bool leads_now = lease_.leads();
    if (leads_now != leads) {
      log::info("main",
                leads_now ? "this gateway coordinates" : "this gateway no longer coordinates", {});
    }
    const bool due = std::chrono::steady_clock::now() >= health_at || (leads_now && !leads);
    leads = leads_now;
    if (due) {
      co_await ask_health();
      health_at = std::chrono::steady_clock::now() + options_.health_period;
    }
    co_await group.pause(options_.check_period);
  }
}

}  // namespace rondel::gateway
