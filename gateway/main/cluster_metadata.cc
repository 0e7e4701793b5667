#include "gateway/main/cluster_metadata.h"

#include <chrono>
#include <thread>
#include <utility>

#include "common/async/task.h"
#include "common/log/log.h"
#include "gateway/main/key_services.h"
#include "gateway/main/settings.h"
#include "metadata/operator/key_check.h"
#include "metadata/postgres/migrator.h"

namespace rondel::gateway {
namespace {

using namespace std::chrono_literals;

std::chrono::seconds whole_seconds(Duration duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration);
}

metadata::GarbageAges garbage_ages_of(const config::Settings& settings) {
  return {whole_seconds(settings.duration("gc.grace")),
          whole_seconds(settings.duration("gc.trash")),
          whole_seconds(settings.duration("gc.orphan_age"))};
}

Result<model::ClusterId> contact(const std::string& dsn, const std::string& master_key,
                                 metadata::RingStore& ring) {
  TRY_VOID(metadata::check_server(dsn));
  TRY_VOID(metadata::check_schema(dsn));
  if (auto right = metadata::check_master_key(dsn, master_key); !right) {
    return fail(right.error().code, right.error().code == ErrorCode::kPrecondition
                                        ? "metadata.master_key_file: " + right.error().message
                                        : right.error().message);
  }
  return async::block_on(ring.cluster_id(deadline_in(5s)));
}

// The database may start after us, or be recovering: for half a minute we wait.
Result<model::ClusterId> first_contact(const config::Settings& settings,
                                       const std::string& master_key, metadata::RingStore& ring) {
  const Deadline end = deadline_in(30s);
  for (;;) {
    auto cluster = contact(settings.text("metadata.dsn"), master_key, ring);
    if (cluster || std::chrono::steady_clock::now() > end) return cluster;
    const ErrorCode code = cluster.error().code;
    if (code != ErrorCode::kUnavailable && code != ErrorCode::kDeadlineExceeded) return cluster;
    std::this_thread::sleep_for(200ms);
  }
}

}  // namespace

Result<std::unique_ptr<ClusterMetadata>> ClusterMetadata::connect(const config::Settings& settings,
                                                                  const Clock& clock,
                                                                  metrics::Registry& registry) {
  TRY(std::string master_key, read_master_key(settings));
  std::unique_ptr<ClusterMetadata> made(
      new ClusterMetadata(settings, std::move(master_key), clock, registry));
  TRY(made->cluster_, first_contact(settings, made->master_key_, made->stores().ring));
  TRY_VOID(check_vault(settings));
  TRY_VOID(made->join_garbage_ages());
  made->start_caches(settings, clock);
  return made;
}

ClusterMetadata::ClusterMetadata(const config::Settings& settings, std::string master_key,
                                 const Clock& clock, metrics::Registry& registry)
    : master_key_(std::move(master_key)), garbage_ages_(garbage_ages_of(settings)), ages_(clock) {
  for (const char* lane : {"put", "delete", "find", "single", "list", "held"}) {
    batches_[lane] = &registry.histogram("rondel_metadata_batch_size",
                                         "Requests that shared a PostgreSQL statement.",
                                         {{"lane", lane}}, metrics::count_buckets());
  }
  metadata::PostgresOptions options;
  options.dsn = settings.text("metadata.dsn");
  options.master_key = master_key_;
  options.clock = &ages_.stamps();
  options.lock_clock = &ages_.locks();
  options.connections = static_cast<size_t>(settings.integer("metadata.connections"));
  options.batch_max = static_cast<size_t>(settings.integer("metadata.batch_max"));
  options.queue_max = static_cast<size_t>(settings.integer("metadata.queue_max"));
  options.timeout = settings.duration("metadata.timeout");
  options.on_batch = [this](std::string_view lane, size_t size) {
    batches_.at(lane)->observe(static_cast<double>(size));
  };
  postgres_ = metadata::PostgresMetadata::make(std::move(options));
}

// Whoever leads goes by the greatest of all gateways' ages: a gateway may be restarted with other
// ones while the rest still has the old.
Result<void> ClusterMetadata::join_garbage_ages() {
  TRY(const metadata::GarbageAges cluster,
      async::block_on(stores().gc.raise_garbage_ages(garbage_ages_, deadline_in(5s))));
  if (cluster == garbage_ages_) return {};
  log::warn("gc",
            "the cluster's gc.grace, gc.trash and gc.orphan_age are longer than those set here, "
            "and count; when all gateways have the shorter ones, "
            "`rondel gc set` lowers the cluster's",
            {{"grace_s", cluster.grace.count()},
             {"trash_s", cluster.trash.count()},
             {"orphan_age_s", cluster.orphan_age.count()}});
  return {};
}

void ClusterMetadata::start_caches(const config::Settings& settings, const Clock& clock) {
  buckets_ = std::make_unique<metadata::BucketCache>(stores().buckets, clock);
  identities_ = std::make_unique<metadata::IdentityCache>(stores().identities, clock);
  feed_ = metadata::make_postgres_directory_feed(settings.text("metadata.dsn"), clock,
                                                 [this](const metadata::DirectoryChange& change) {
                                                   buckets_->hear(change);
                                                   identities_->hear(change);
                                                 });
}

}  // namespace rondel::gateway
