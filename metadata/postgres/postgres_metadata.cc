#include "metadata/postgres/postgres_metadata.h"

#include <algorithm>
#include <optional>

#include "metadata/connection/pg_call.h"
#include "metadata/connection/pg_stores.h"
#include "metadata/operator/server_health_query.h"
#include "metadata/postgres/postgres_store.h"

namespace rondel::metadata {
namespace {

std::unique_ptr<PgWorkers> make_workers(const std::string& dsn, size_t connections,
                                        size_t queue_max) {
  return std::make_unique<PgWorkers>(PgWorkerOptions{dsn, connections, 1, queue_max}, run_singles);
}

// A pool each, so that what one asks for minutes keeps no other waiting.
struct Pools {
  explicit Pools(const std::string& dsn)
      : looks(make_workers(dsn, 1, 4096)),
        nodes(make_workers(dsn, 2, 1024)),
        leader(make_workers(dsn, 1, 16)),
        operators(make_workers(dsn, 1, 16)),
        second_look(make_workers(dsn, 1, 16)),
        reconcile(make_workers(dsn, 1, 16)),
        lifecycle(make_workers(dsn, 1, 64)),
        keys(make_workers(dsn, 1, 1024)) {}

  static constexpr size_t kConnections = 9;

  // What heartbeats of nodes wait for: it writes nothing, so that no slow commit and no row that
  // somebody holds is in their way.
  std::unique_ptr<PgWorkers> looks;
  std::unique_ptr<PgWorkers> nodes, leader;
  std::unique_ptr<PgWorkers> operators;    // What people ask: never before the heartbeats of nodes.
  std::unique_ptr<PgWorkers> second_look;  // So too.
  std::unique_ptr<PgWorkers>
      reconcile;  // Statements of minutes: behind them the heartbeats of nodes would wait.
  std::unique_ptr<PgWorkers> lifecycle;  // It never stands in a request's way.
  std::unique_ptr<PgWorkers> keys;
};

// Those of the pools, one that watches, one of the directory feed.
static_assert(PostgresMetadata::kOtherConnections == Pools::kConnections + 2);

// Of the connections for requests.
PostgresStore::Shares shares_of(size_t connections) {
  const size_t listings = std::max<size_t>(1, connections / 4);
  const size_t held = connections < 8 ? 1 : 2;
  return {connections - listings - held, listings, held};
}

// What is left for requests.
size_t for_requests(size_t connections) {
  return std::max(connections, PostgresMetadata::kConnectionsMin) -
         PostgresMetadata::kOtherConnections;
}

class Metadata final : public PostgresMetadata {
 public:
  Metadata(PostgresOptions options, bool shared) {
    const std::string dsn = options.dsn;
    const size_t all = for_requests(options.connections);
    requests_ = std::make_unique<PostgresStore>(
        std::move(options), shared ? PostgresStore::Shares{} : shares_of(all), !shared);
    if (!shared) pools_.emplace(dsn);
    compose();
  }

  const Stores& stores() const override { return *stores_; }

  PostgresStatus status() const override { return requests_->status(); }

  async::Task<Result<ServerHealth>> ask_server(Deadline deadline) const override {
    return ask_server_health(operators(), deadline);
  }

  async::Task<Result<std::string>> key_check(std::string name, Deadline deadline) const override {
    auto work = [name = std::move(name)](PgConnection& connection,
                                         Deadline until) -> Result<std::string> {
      PgParameters parameters;
      parameters.add_text(name);
      TRY(const PgResult row,
          connection.run("select value from key_checks where name = $1::text", parameters, until));
      return row.rows() == 0 ? std::string() : row.text(0, 0);
    };
    return run_single<std::string>(operators(), deadline, std::move(work));
  }

 private:
  PgWorkers& operators() const { return pools_ ? *pools_->operators : requests_->workers(); }

  void compose() {
    PgWorkers& requests = requests_->workers();
    const auto pool = [&](std::unique_ptr<PgWorkers> Pools::* which) -> PgWorkers& {
      return pools_ ? *((*pools_).*which) : requests;
    };
    PgWorkers& nodes = pool(&Pools::nodes);
    PgWorkers& reconcile = pool(&Pools::reconcile);
    PgWorkers& lifecycle = pool(&Pools::lifecycle);
    PgWorkers& looks = pool(&Pools::looks);
    nodes_ = make_node_store(looks, nodes);
    ring_ = make_ring_store(looks, nodes);
    lease_ = make_lease(pool(&Pools::leader), nodes);
    releases_ =
        make_release_queue(requests, nodes, pool(&Pools::second_look), pool(&Pools::operators));
    orphans_ = make_orphan_store(nodes, reconcile);
    gc_ = make_gc_control(nodes);
    restores_ = make_restore_store(nodes, reconcile);
    lifecycle_ = make_lifecycle_store(lifecycle);
    cursors_ = make_lifecycle_cursors(lifecycle);
    rechecks_ = make_lifecycle_rechecks(lifecycle);
    keys_ = make_key_store(pool(&Pools::keys));
    PostgresStore& store = *requests_;
    stores_.emplace(Stores{store, store, store, store, store, store, *nodes_, *ring_, *lease_,
                           *releases_, *orphans_, *gc_, *restores_, *lifecycle_, *cursors_,
                           *rechecks_, *keys_});
  }

  // Destroyed from the last to the first: threads end before what their jobs use.
  std::unique_ptr<NodeStore> nodes_;
  std::unique_ptr<RingStore> ring_;
  std::unique_ptr<Lease> lease_;
  std::unique_ptr<ReleaseQueue> releases_;
  std::unique_ptr<OrphanStore> orphans_;
  std::unique_ptr<GcControl> gc_;
  std::unique_ptr<RestoreStore> restores_;
  std::unique_ptr<LifecycleStore> lifecycle_;
  std::unique_ptr<LifecycleCursors> cursors_;
  std::unique_ptr<LifecycleRechecks> rechecks_;
  std::unique_ptr<KeyStore> keys_;
  std::optional<Stores> stores_;
  std::unique_ptr<PostgresStore> requests_;
  std::optional<Pools> pools_;  // Without: every seam shares the one for requests.
};

}  // namespace

size_t PostgresMetadata::listing_connections(size_t connections) {
  return shares_of(for_requests(connections)).listings;
}

std::unique_ptr<PostgresMetadata> PostgresMetadata::make(PostgresOptions options) {
  return std::make_unique<Metadata>(std::move(options), false);
}

std::unique_ptr<PostgresMetadata> PostgresMetadata::make_for_command(std::string dsn,
                                                                     std::string master_key) {
  return std::make_unique<Metadata>(
      PostgresOptions{.dsn = std::move(dsn), .master_key = std::move(master_key)}, true);
}

}  // namespace rondel::metadata
