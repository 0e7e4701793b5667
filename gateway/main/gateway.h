// Gateway: the parts of rondel-gateway in the order of their lives.
#pragma once

#include <memory>

#include "cluster/membership/heartbeat_service.h"
#include "cluster/membership/topology_cache.h"
#include "common/async/loop_threads.h"
#include "common/async/task_group.h"
#include "common/config/config.h"
#include "common/grpc/credentials.h"
#include "common/http/server.h"
#include "common/metrics/metrics.h"
#include "common/program/certificate_files.h"
#include "common/program/certificates.h"
#include "common/program/operations.h"
#include "common/program/run.h"
#include "common/program/service.h"
#include "gateway/main/cluster_jobs.h"
#include "gateway/main/cluster_metadata.h"
#include "gateway/main/database_watch.h"
#include "gateway/main/s3_front.h"

namespace rondel::gateway {

class Gateway final : public program::Service {
 public:
  static Result<std::unique_ptr<program::Service>> start(const config::Settings& settings);
  ~Gateway() override;

  program::ServingState& serving() override { return serving_; }

  void hang_up() override;

  void look_at_files() override { certificates_->read_again(); }

  void drain() override { front_->server().lame_duck(); }

  Duration lame_duck() const override { return settings_.duration("gateway.lame_duck"); }

  Duration grace() const override { return settings_.duration("gateway.shutdown_grace"); }

  void stop(program::EndWatch& watch, Deadline grace) override;

  std::string last_step() const override { return "connections to nodes and PostgreSQL"; }

 private:
  explicit Gateway(const config::Settings& settings);

  Result<void> start_parts();
  Result<void> start_heartbeats();
  void make_certificates();
  Result<void> start_operations();
  std::vector<program::ReadyCheck> ready_checks();
  void start_tasks();

  const config::Settings& settings_;
  metrics::Registry registry_;
  std::unique_ptr<ClusterMetadata> metadata_;
  async::LoopThreads loops_;  // S3's own: object bytes keep nothing else waiting.
  // Heartbeats, coordination, operations listener.
  async::LoopThreads service_loop_{1};
  std::unique_ptr<membership::TopologyCache> topology_;
  std::shared_ptr<rpc::PeerCredentials> peers_;
  std::unique_ptr<ClusterJobs> jobs_;
  std::unique_ptr<S3Front> front_;
  std::unique_ptr<membership::HeartbeatService> heartbeats_;
  std::shared_ptr<program::CertificateFiles> s3_certificates_;
  std::unique_ptr<program::Certificates> certificates_;
  std::unique_ptr<DatabaseWatch> database_;
  program::ServingState serving_;
  std::unique_ptr<program::OperationsService> operations_;
  std::unique_ptr<http::Server> operations_server_;
  async::TaskGroup tasks_;
};

}  // namespace rondel::gateway
