#include "gateway/main/gateway.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <thread>
#include <utility>

#include "common/log/log.h"
#include "common/program/listen_address.h"
#include "common/program/settings_page.h"
#include "common/program/version.h"
#include "gateway/admin/status_page.h"
#include "gateway/main/gateway_metrics.h"
#include "gateway/main/settings.h"
#include "metadata/operator/key_check.h"

namespace rondel::gateway {
namespace {

using namespace std::chrono_literals;

// The other half of the processors is for what talks to nodes and to PostgreSQL; and what one loop
// sends at once goes in one message.
size_t loop_count(const config::Settings& settings) {
  const auto wanted = static_cast<size_t>(settings.integer("gateway.threads"));
  return wanted > 0 ? wanted : std::max(1u, std::thread::hardware_concurrency() / 2);
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

}  // namespace

Result<std::unique_ptr<program::Service>> Gateway::start(const config::Settings& settings) {
  // What PostgreSQL knows our sessions by, whoever started us.
  setenv("PGAPPNAME", "rondel-gateway", 1);
  std::unique_ptr<Gateway> gateway(new Gateway(settings));
  TRY_VOID(gateway->start_parts());
  log::info("main", "serving",
            {{"cluster", gateway->metadata_->cluster().to_hex()},
             {"s3", settings.text("gateway.listen")}});
  return gateway;
}

Gateway::Gateway(const config::Settings& settings)
    : settings_(settings), loops_(loop_count(settings)), tasks_(service_loop_.loop(0)) {
  metrics::register_process_metrics(registry_, "rondel-gateway", program::version(),
                                    program::commit());
}

// Of a start that failed on its way, too.
Gateway::~Gateway() {
  heartbeats_.reset();
  loops_.join();
  service_loop_.join();
}

Result<void> Gateway::start_parts() {
  const Clock& clock = real_clock();
  TRY(metadata_, ClusterMetadata::connect(settings_, clock, registry_));
  topology_ = std::make_unique<membership::TopologyCache>(
      metadata_->stores().nodes, metadata_->stores().ring, clock, &metadata_->ages(),
      failure_domain(settings_));
  TRY(peers_, rpc::PeerCredentials::load(tls_files(settings_), {rpc::PeerRole::kGateway}));
  jobs_ = std::make_unique<ClusterJobs>(settings_, *metadata_, *topology_, peers_, clock);
  TRY(front_, S3Front::make(settings_, *metadata_, *topology_, peers_, clock, registry_));
  TRY_VOID(start_heartbeats());
  TRY_VOID(front_->listen(settings_, loops_.all()));
  make_certificates();
  TRY_VOID(start_operations());
  start_tasks();
  return {};
}

Result<void> Gateway::start_heartbeats() {
  TRY(const program::ListenAddress listen, program::listen_address(settings_, "cluster.listen"));
  TRY(heartbeats_,
      membership::HeartbeatService::start(service_loop_.loop(0), metadata_->stores().nodes,
                                          *topology_, metadata_->ages(), metadata_->cluster(),
                                          real_clock(), listen.text(), peers_->server()));
  return {};
}

void Gateway::make_certificates() {
  s3_certificates_ = std::make_shared<program::CertificateFiles>(s3_certificate_files(settings_));
  certificates_ = std::make_unique<program::Certificates>(
      [peers = peers_, s3 = s3_certificates_] {
        s3->read();
        return peers->reload();
      },
      [peers = peers_, s3 = s3_certificates_] {
        std::map<std::string, SystemTime> ends = s3->ends();
        for (const auto& [file, not_after] : peers->expiries()) ends[file] = not_after;
        return ends;
      },
      registry_);
}

Result<void> Gateway::start_operations() {
  register_gateway_metrics(
      registry_,
      {metadata_->postgres(), front_->blobs(), front_->releases(), *topology_, jobs_->lease,
       jobs_->scheduler, jobs_->collector, jobs_->orphans, jobs_->second_look, jobs_->restores,
       front_->server(), jobs_->lifecycle, metadata_->ages(), front_->gate()});
  database_ = std::make_unique<DatabaseWatch>(
      metadata_->postgres(), jobs_->lease,
      DatabaseWatchOptions{
          .key_check = metadata::master_key_check(std::string(as_text(metadata_->cluster().view())),
                                                  metadata_->master_key()),
          .capacity_bytes = settings_.size("metadata.database_size_max")},
      registry_);
  const admin::StatusSources sources{
      metadata_->stores().nodes, metadata_->stores().releases, *topology_,       jobs_->lease,
      jobs_->scheduler,          metadata_->cluster(),         metadata_->ages()};
  operations_ = std::make_unique<program::OperationsService>(
      registry_, program::HealthChecks{serving_.checks(), ready_checks()},
      std::vector{program::settings_page("rondel-gateway", settings_),
                  admin::status_page(sources)});
  TRY(operations_server_, program::start_operations(settings_, "gateway.operations_listen",
                                                    service_loop_.loop(0), *operations_));
  return {};
}

std::vector<program::ReadyCheck> Gateway::ready_checks() {
  std::vector<program::ReadyCheck> checks;
  checks.push_back({"database", [this] { return database_->check(); }});
  checks.push_back(program::ready_check("ring", [this]() -> Result<void> {
    if (topology_->topology()->current() != nullptr) return {};
    return fail(ErrorCode::kUnavailable, "no ring epoch yet: too few disks have joined");
  }));
  checks.push_back(program::ready_check("quorum", [this]() -> Result<void> {
    if (front_->blobs().quorum_possible()) return {};
    return fail(ErrorCode::kUnavailable, "fewer than two failure domains can be reached");
  }));
  checks.push_back(
      program::ready_check("clock", [this] { return metadata_->ages().check_usable(); }));
  return checks;
}

void Gateway::start_tasks() {
  tasks_.spawn(topology_->run(tasks_));
  tasks_.spawn(database_->run(tasks_));
  jobs_->scheduler.start(tasks_);
  tasks_.spawn(front_->key_ring().run(tasks_));
  tasks_.spawn(front_->releases().run(tasks_));
}

void Gateway::hang_up() {
  certificates_->read_again();
  if (auto reloaded = front_->server().reload_tls(); !reloaded) {
    log::warn("main", "the TLS files were not taken", {{"error", reloaded.error().message}});
  }
}

void Gateway::stop(program::EndWatch& watch, Deadline grace) {
  watch.step("requests");
  front_->server().stop();
  async::block_on(front_->server().wait_idle(grace));
  watch.step("late copies");
  async::block_on(front_->blobs().drain(std::min(grace, deadline_in(3s))));
  operations_server_->stop();
  async::block_on(operations_server_->wait_idle(deadline_in(1s)));
  watch.step("jobs");
  tasks_.stop();
  async::block_on(tasks_.wait_idle());
  watch.step("heartbeats of nodes");
  heartbeats_.reset();
  watch.step("the loops");
  loops_.join();
  service_loop_.join();
}

}  // namespace rondel::gateway
