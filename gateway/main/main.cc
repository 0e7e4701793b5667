// rondel-gateway: S3 in front of PostgreSQL and the storage nodes.
#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <thread>

#include "cluster/membership/age_clock.h"
#include "cluster/membership/heartbeat_service.h"
#include "cluster/node_client/grpc_blob_lister.h"
#include "cluster/node_client/grpc_blob_remover.h"
#include "common/async/blocking_pool.h"
#include "common/async/loop_threads.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/program/certificate_files.h"
#include "common/program/end_watch.h"
#include "common/program/listen_address.h"
#include "common/program/operations.h"
#include "common/program/program.h"
#include "common/program/run.h"
#include "common/program/settings_page.h"
#include "common/program/version.h"
#include "gateway/admin/status_page.h"
#include "gateway/admission/gate.h"
#include "gateway/api/s3_service.h"
#include "gateway/blobs/replicated_blob_store.h"
#include "gateway/main/database_watch.h"
#include "gateway/main/gateway_metrics.h"
#include "gateway/main/key_services.h"
#include "gateway/main/settings.h"
#include "gateway/request/context.h"
#include "gateway/request/stream_releases.h"
#include "jobs/gc/collector.h"
#include "jobs/gc/completed_uploads.h"
#include "jobs/gc/deleted_buckets.h"
#include "jobs/gc/orphan_scan.h"
#include "jobs/gc/second_look.h"
#include "jobs/gc/trash_restore.h"
#include "jobs/lifecycle/lifecycle_runner.h"
#include "jobs/ring/ring_bootstrap.h"
#include "jobs/scheduler.h"
#include "metadata/cache/bucket_cache.h"
#include "metadata/cache/identity_cache.h"
#include "metadata/operator/key_check.h"
#include "metadata/postgres/directory_feed.h"
#include "metadata/postgres/migrator.h"
#include "metadata/postgres/postgres_metadata.h"
#include "transfer/grpc/grpc_blob_transport.h"

namespace rondel::gateway {
namespace {

using namespace std::chrono_literals;

constexpr auto kEndPatience = 20s;                            // After the grace of requests.
constexpr Duration kFilesPatience = std::chrono::seconds(5);  // Of certificates.

ring::FailureDomain failure_domain(const std::string& name) {
  if (name == "host") return ring::FailureDomain::kHost;
  return name == "disk" ? ring::FailureDomain::kDisk : ring::FailureDomain::kZone;
}

std::chrono::seconds whole_seconds(Duration duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration);
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

// Whoever leads goes by the greatest of all gateways' ages: a gateway may be restarted with other
// ones while the rest still has the old.
Result<void> join_garbage_ages(const metadata::GarbageAges& mine, metadata::GcControl& gc) {
  TRY(const metadata::GarbageAges cluster,
      async::block_on(gc.raise_garbage_ages(mine, deadline_in(5s))));
  if (cluster == mine) return {};
  log::warn("gc",
            "the cluster's gc.grace, gc.trash and gc.orphan_age are longer than those set here, "
            "and count; when all gateways have the shorter ones, "
            "`rondel gc set` lowers the cluster's",
            {{"grace_s", cluster.grace.count()},
             {"trash_s", cluster.trash.count()},
             {"orphan_age_s", cluster.orphan_age.count()}});
  return {};
}

http::Deadlines deadlines(const config::Settings& settings) {
  http::Deadlines deadlines;
  deadlines.idle = settings.duration("gateway.idle_timeout");
  deadlines.head = settings.duration("gateway.head_timeout");
  deadlines.document = settings.duration("gateway.document_timeout");
  // What is younger than the orphan age is never taken for left behind: a body takes at most half
  // of it.
  deadlines.object = settings.duration("gc.orphan_age") / 2;
  deadlines.floor = {settings.size("gateway.rate_min"), settings.duration("gateway.rate_grace"),
                     settings.duration("gateway.rate_window")};
  return deadlines;
}

Result<std::unique_ptr<http::Server>> start_s3(const config::Settings& settings,
                                               const std::vector<async::EventLoop*>& loops,
                                               api::S3Service& service) {
  TRY(const program::ListenAddress listen, program::listen_address(settings, "gateway.listen"));
  http::ServerOptions options;
  options.address = listen.host;
  options.port = listen.port;
  options.connections_max = static_cast<size_t>(settings.integer("gateway.connections_max"));
  options.refusal_body = api::S3Service::refusal_body;
  options.deadlines = deadlines(settings);
  // With the shortest of them, in which tests wait.
  options.check_period = std::clamp<Duration>(options.deadlines.head / 20, 20ms, 500ms);
  TRY(options.proxy_protocol, network_set(settings, "gateway.proxy_protocol_networks"));
  TRY(options.trusted_proxies, network_set(settings, "gateway.trusted_proxies"));
  if (!settings.text("gateway.tls_certificate_file").empty()) {
    options.tls = {
        settings.text("gateway.tls_certificate_file"), settings.text("gateway.tls_key_file"), {}};
    for (const config::Settings& files : settings.maps("gateway.tls_certificates")) {
      options.tls->further.push_back({files.text("certificate_file"), files.text("key_file")});
    }
  }
  return http::Server::start(loops, std::move(options), [&service](http::Exchange& exchange) {
    return service.handle(exchange);
  });
}

std::vector<std::string> s3_certificate_files(const config::Settings& settings) {
  std::vector<std::string> files;
  if (const std::string& first = settings.text("gateway.tls_certificate_file"); !first.empty()) {
    files.push_back(first);
  }
  for (const config::Settings& further : settings.maps("gateway.tls_certificates")) {
    files.push_back(further.text("certificate_file"));
  }
  return files;
}

// Jobs may be in a statement that PostgreSQL does not answer. What they did not finish the next
// coordinator does.
void end_at_once(const std::string& step) {
  log::error("main", "the process does not end in time and is ended as by a crash",
             {{"waits_for", step}});
  log::flush();
  ::_exit(1);
}

Result<void> serve(const config::Settings& settings, const sigset_t& signals) {
  TRY_VOID(program::init_log(settings));
  // What PostgreSQL knows our sessions by, whoever started us.
  setenv("PGAPPNAME", "rondel-gateway", 1);
  program::EndWatch ending(end_at_once);  // First: it watches the end of all others.
  TRY(const std::string master_key, read_master_key(settings));
  const std::string& dsn = settings.text("metadata.dsn");
  const Clock& clock = real_clock();
  metrics::Registry registry;
  metrics::register_process_metrics(registry, "rondel-gateway", program::version(),
                                    program::commit());

  membership::AgeClock age_clock(clock);
  metadata::PostgresOptions metadata_options;
  metadata_options.dsn = dsn;
  metadata_options.master_key = master_key;
  metadata_options.clock = &age_clock.stamps();
  metadata_options.lock_clock = &age_clock.locks();
  metadata_options.connections = static_cast<size_t>(settings.integer("metadata.connections"));
  metadata_options.batch_max = static_cast<size_t>(settings.integer("metadata.batch_max"));
  metadata_options.queue_max = static_cast<size_t>(settings.integer("metadata.queue_max"));
  metadata_options.timeout = settings.duration("metadata.timeout");
  std::map<std::string_view, metrics::Histogram*> batches;
  for (const char* lane : {"put", "delete", "find", "single", "list", "held"}) {
    batches[lane] = &registry.histogram("rondel_metadata_batch_size",
                                        "Requests that shared a PostgreSQL statement.",
                                        {{"lane", lane}}, metrics::count_buckets());
  }
  metadata_options.on_batch = [&batches](std::string_view lane, size_t size) {
    batches.at(lane)->observe(static_cast<double>(size));
  };
  const auto metadata = metadata::PostgresMetadata::make(std::move(metadata_options));
  const metadata::Stores& stores = metadata->stores();
  TRY(const model::ClusterId cluster, first_contact(settings, master_key, stores.ring));

  TRY_VOID(check_vault(settings));

  const metadata::GarbageAges ages{whole_seconds(settings.duration("gc.grace")),
                                   whole_seconds(settings.duration("gc.trash")),
                                   whole_seconds(settings.duration("gc.orphan_age"))};
  TRY_VOID(join_garbage_ages(ages, stores.gc));

  metadata::BucketCache buckets(stores.buckets, clock);
  metadata::IdentityCache identities(stores.identities, clock);
  const auto feed = metadata::make_postgres_directory_feed(
      dsn, clock, [&](const metadata::DirectoryChange& change) {
        buckets.hear(change);
        identities.hear(change);
      });

  // The other half of the processors is for what talks to nodes and to PostgreSQL; and what one
  // loop sends at once goes in one message.
  const auto threads = static_cast<size_t>(settings.integer("gateway.threads"));
  async::LoopThreads loops(threads > 0 ? threads
                                       : std::max(1u, std::thread::hardware_concurrency() / 2));
  // Heartbeats, coordination, operations listener: never behind object bytes.
  async::LoopThreads service_loop(1);
  async::EventLoop& background = service_loop.loop(0);

  membership::TopologyCache topology(stores.nodes, stores.ring, clock, &age_clock,
                                     failure_domain(settings.text("replication.failure_domain")));
  TRY(const auto peers, rpc::PeerCredentials::load(tls_files(settings), {rpc::PeerRole::kGateway}));
  const auto remover = node_client::make_grpc_blob_remover(topology, peers);
  jobs::LeaseHolder lease(stores.lease);
  ring_jobs::RingBootstrapOptions bootstrap_options;
  bootstrap_options.disks = static_cast<size_t>(settings.integer("cluster.bootstrap_disks"));
  bootstrap_options.ring.replicas = static_cast<uint8_t>(settings.integer("replication.factor"));
  bootstrap_options.ring.failure_domain =
      failure_domain(settings.text("replication.failure_domain"));
  ring_jobs::RingBootstrap bootstrap(stores.nodes, stores.ring, topology, bootstrap_options);
  gc::CollectorOptions collector_options;
  collector_options.gc_grace = ages.grace;
  collector_options.gc_trash = ages.trash;
  collector_options.ages = &age_clock;
  gc::Collector collector({stores.lease, stores.nodes, stores.releases, stores.gc}, topology,
                          *remover, collector_options, clock);
  gc::DeletedBuckets deleted_buckets(stores.gc);
  gc::CompletedUploads completed_uploads(stores.gc, &age_clock, clock);
  const auto lister = node_client::make_grpc_blob_lister(topology, peers);
  gc::OrphanScanOptions scan_options;
  scan_options.orphan_age = ages.orphan_age;
  scan_options.ages = &age_clock;
  scan_options.pause = settings.duration("gc.orphan_scan_pause");
  scan_options.blobs_per_second = static_cast<uint64_t>(settings.integer("gc.orphan_scan_rate"));
  gc::OrphanScan orphans(stores.orphans, stores.gc, topology, *lister, scan_options, clock);
  gc::SecondLook second_look(stores.releases, stores.gc,
                             {.gc_grace = ages.grace, .ages = &age_clock}, clock);
  const auto trash = node_client::make_grpc_blob_lister(topology, peers, true);
  gc::TrashRestore restores(stores.restores, stores.lease, *trash, *remover);

  lifecycle::LifecycleOptions lifecycle_options;
  lifecycle_options.calendar.day = std::chrono::duration_cast<std::chrono::milliseconds>(
      settings.duration("lifecycle.day_length"));
  lifecycle_options.ages = &age_clock;
  lifecycle::LifecycleRunner lifecycle({stores.lifecycle, stores.lifecycle_cursors,
                                        stores.lifecycle_rechecks, stores.objects, stores.uploads},
                                       lifecycle_options, clock);
  jobs::Scheduler scheduler(lease,
                            {&bootstrap, &collector, &second_look, &restores, &orphans,
                             &deleted_buckets, &completed_uploads, &lifecycle},
                            clock);

  const auto address_of = [&topology](const model::NodeId& id) -> std::optional<rpc::NodeEndpoint> {
    const auto now = topology.topology();
    const auto* const node = now->find_node(id);
    if (node == nullptr) return std::nullopt;
    return rpc::NodeEndpoint(node->address, node->name);
  };
  const auto transport =
      transfer::make_grpc_blob_transport({.address_of = address_of, .credentials = peers});
  blobs::ReplicatedBlobStoreOptions blob_options;
  blob_options.buffer_bytes = settings.size("gateway.buffer_size");
  blob_options.clock = &age_clock.database();
  blob_options.zone = settings.text("gateway.zone");
  blobs::ReplicatedBlobStore blob_store(*transport, topology, blob_options);

  signature::Authenticator authenticator(
      identities, {settings.text("s3.region"), settings.duration("s3.clock_skew_max"), &clock,
                   settings.flag("s3.signature_v2")});
  request::Settings s3_settings;
  s3_settings.region = settings.text("s3.region");
  s3_settings.router.virtual_host_base = settings.text("s3.virtual_host_base");
  s3_settings.default_ownership =
      *access::find_ownership(settings.text("s3.default_object_ownership"));
  s3_settings.allow_sse_c_over_http = settings.flag("s3.allow_sse_c_over_http");
  s3_settings.metadata_timeout = settings.duration("metadata.timeout");
  s3_settings.outcome_timeout = s3_settings.metadata_timeout;
  // What is younger than the orphan age is never taken for left behind: a body takes at most half
  // of it.
  s3_settings.write_timeout =
      std::min<Duration>(s3_settings.write_timeout, settings.duration("gc.orphan_age") / 2);
  TRY(const KeyServices keys,
      make_key_services(settings, stores.keys, master_key, clock, registry));
  request::StreamReleases releases(stores.releases, stores.database);
  const auto gate = std::make_shared<admission::Gate>(admission::GateOptions{
      .requests_max = static_cast<uint64_t>(settings.integer("gateway.requests_max")),
      .document_bytes = settings.size("gateway.buffer_size") / 8,
      .listings_max = metadata::PostgresMetadata::listing_connections(
          static_cast<size_t>(settings.integer("metadata.connections")))});
  request::Services services{
      stores.objects,    stores.uploads, stores.listing, stores.buckets,     stores.database,
      buckets,           identities,     blob_store,     releases,           authenticator,
      *keys.object_keys, clock,          s3_settings,    &age_clock.stamps()};
  services.admission = gate;
  api::S3Service service(services, registry);

  TRY(const program::ListenAddress cluster_listen,
      program::listen_address(settings, "cluster.listen"));
  TRY(auto heartbeats,
      membership::HeartbeatService::start(background, stores.nodes, topology, age_clock, cluster,
                                          clock, cluster_listen.text(), peers->server()));
  TRY(auto s3, start_s3(settings, loops.all(), service));
  register_gateway_metrics(
      registry, {*metadata, blob_store, releases, topology, lease, scheduler, collector, orphans,
                 second_look, restores, *s3, lifecycle, age_clock, *gate});

  const auto s3_certificates =
      std::make_shared<program::CertificateFiles>(s3_certificate_files(settings));
  registry.collector(
      metrics::Type::kGauge, "rondel_tls_certificate_expiry_timestamp_seconds",
      "When the first certificate of the file ends.", [&peers, s3_certificates] {
        std::map<std::string, SystemTime> ends = s3_certificates->ends();
        for (const auto& [file, not_after] : peers->expiries()) {
          ends[file] = not_after;
        }
        std::vector<metrics::Sample> samples;
        for (const auto& [file, end] : ends) {
          samples.push_back(
              {{{"file", file}}, std::chrono::duration<double>(end.time_since_epoch()).count()});
        }
        return samples;
      });

  DatabaseWatch database(
      *metadata, lease,
      {.key_check = metadata::master_key_check(std::string(as_text(cluster.view())), master_key),
       .capacity_bytes = settings.size("metadata.database_size_max")},
      registry);

  program::ServingState serving;
  std::vector<program::ReadyCheck> checks;
  checks.push_back({"database", [&database] { return database.check(); }});
  checks.push_back(program::ready_check("ring", [&topology]() -> Result<void> {
    if (topology.topology()->current() != nullptr) return {};
    return fail(ErrorCode::kUnavailable, "no ring epoch yet: too few disks have joined");
  }));
  checks.push_back(program::ready_check("quorum", [&blob_store]() -> Result<void> {
    if (blob_store.quorum_possible()) return {};
    return fail(ErrorCode::kUnavailable, "fewer than two failure domains can be reached");
  }));
  checks.push_back(
      program::ready_check("clock", [&age_clock] { return age_clock.check_usable(); }));
  program::OperationsService operations(
      registry, {serving.checks(), std::move(checks)},
      {program::settings_page("rondel-gateway", settings),
       admin::status_page(
           {stores.nodes, stores.releases, topology, lease, scheduler, cluster, age_clock})});
  TRY(auto operations_server,
      program::start_operations(settings, "gateway.operations_listen", background, operations));

  async::TaskGroup tasks(background);
  tasks.spawn(topology.run(tasks));
  tasks.spawn(database.run(tasks));
  scheduler.start(tasks);
  tasks.spawn(keys.ring->run(tasks));
  tasks.spawn(releases.run(tasks));
  log::info("main", "serving",
            {{"cluster", cluster.to_hex()}, {"s3", settings.text("gateway.listen")}});

  // A file system that hangs does not keep the program from ending.
  async::BlockingPool files("certificates", 1, 1, async::BlockingPool::Ending::kLeave);
  const auto read_certificates = [&files, peers, s3_certificates] {
    const auto read = files.run_within(kFilesPatience, [peers, s3_certificates] {
      s3_certificates->read();
      return peers->reload();
    });
    const Result<bool> taken = read ? *read : std::unexpected(read.error());
    if (!taken) {
      return log::warn("main", "the certificates were not taken",
                       {{"error", taken.error().message}});
    }
    if (*taken) log::info("main", "other certificates count from now on");
  };
  const auto hang_up = [&s3, &read_certificates] {
    read_certificates();
    if (auto reloaded = s3->reload_tls(); !reloaded) {
      log::warn("main", "the TLS files were not taken", {{"error", reloaded.error().message}});
    }
  };
  serving.begin();
  const program::WhileWaiting meanwhile{hang_up, read_certificates};
  program::wait_for_end(signals, meanwhile);
  log::info("main", "draining");
  serving.end();
  s3->lame_duck();
  program::wait_as_lame_duck(signals, settings.duration("gateway.lame_duck"), meanwhile);
  const Deadline grace = deadline_in(settings.duration("gateway.shutdown_grace"));
  ending.begin(grace + kEndPatience);
  ending.step("requests");
  s3->stop();
  async::block_on(s3->wait_idle(grace));
  ending.step("late copies");
  async::block_on(blob_store.drain(std::min(grace, deadline_in(3s))));
  operations_server->stop();
  async::block_on(operations_server->wait_idle(deadline_in(1s)));
  ending.step("jobs");
  tasks.stop();
  async::block_on(tasks.wait_idle());
  ending.step("heartbeats of nodes");
  heartbeats.reset();
  ending.step("the loops, and connections to nodes and PostgreSQL");
  loops.join();
  service_loop.join();
  s3.reset();
  operations_server.reset();
  log::info("main", "ended");
  log::flush();
  return {};
}

}  // namespace
}  // namespace rondel::gateway

int main(int argc, char** argv) {
  using namespace rondel::gateway;
  return rondel::program::run_program({"rondel-gateway", "S3 gateway of Rondel.", settings_schema(),
                                       check_settings, serve, check_files},
                                      argc, argv);
}
