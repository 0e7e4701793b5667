// Metrics of a gateway that its parts do not register themselves: docs/metrics.md.
#pragma once

#include "common/http/server.h"
#include "common/metrics/metrics.h"
#include "gateway/blobs/replicated_blob_store.h"
#include "gateway/cluster/age_clock.h"
#include "gateway/cluster/coordinator.h"
#include "gateway/cluster/lifecycle_runner.h"
#include "gateway/cluster/second_look.h"
#include "gateway/cluster/topology_cache.h"
#include "gateway/cluster/trash_restore.h"
#include "gateway/operations/stream_releases.h"
#include "metadata/postgres/postgres_metadata.h"

namespace rondel::gateway {

// Everything given outlives the registry's last expose().
struct MetricSources {
  const metadata::PostgresMetadata& metadata;
  const blobs::ReplicatedBlobStore& blobs;
  const operations::StreamReleases& releases;
  const cluster::TopologyCache& topology;
  const cluster::Coordinator& coordinator;
  const cluster::OrphanScan& orphans;
  const cluster::SecondLook& second_look;
  const cluster::TrashRestore& restores;
  const http::Server& server;
  const cluster::LifecycleRunner& lifecycle;
  const cluster::AgeClock& ages;
};

void register_gateway_metrics(metrics::Registry& registry, const MetricSources& sources);

}  // namespace rondel::gateway
