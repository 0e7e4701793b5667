// OperationsService: what the gateway's second listener answers: /metrics, /health/live, /health/ready, /admin/v1/status.
//
// S3 is alone on its own port, so that a bucket may be called "metrics". Everything here is read-only and without
// credentials: the listener belongs on loopback or a private network.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/http/server.h"
#include "common/metrics/metrics.h"
#include "common/ring/ring.h"
#include "cluster/membership/age_clock.h"
#include "jobs/gc/coordinator.h"
#include "metadata/store/node_store.h"
#include "metadata/store/release_queue.h"

namespace rondel::admin {

// One condition of readiness, asked at every /health/ready on the listener's loop.
struct ReadyCheck {
  std::string name;                                  // "database", "ring", "quorum", "credentials", "clock", "not draining"
  std::function<async::Task<Result<void>>()> run;
};

struct OperationsServices {
  metrics::Registry& registry;
  metadata::NodeStore& nodes;
  metadata::ReleaseQueue& releases;
  const ring::TopologySource& topology;
  const gc::Coordinator& coordinator;
  model::ClusterId cluster;
  const membership::AgeClock& ages;
  std::vector<ReadyCheck> checks;
};

// Safe for concurrent use; outlives its server.
class OperationsService {
 public:
  explicit OperationsService(OperationsServices services) : services_(std::move(services)) {}

  async::Task<void> handle(http::Exchange& exchange);

 private:
  async::Task<void> answer_ready(http::Exchange& exchange);
  async::Task<void> answer_status(http::Exchange& exchange);

  OperationsServices services_;
};

}  // namespace rondel::admin
