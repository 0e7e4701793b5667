// Metrics of a gateway that its parts do not register themselves: docs/metrics.md.
#pragma once

#include "cluster/membership/age_clock.h"
#include "cluster/membership/topology_cache.h"
#include "common/http/server.h"
#include "common/metrics/metrics.h"
#include "gateway/admission/gate.h"
#include "gateway/blobs/replicated_blob_store.h"
#include "gateway/request/stream_releases.h"
#include "jobs/gc/collector.h"
#include "jobs/gc/orphan_scan.h"
#include "jobs/gc/second_look.h"
#include "jobs/gc/trash_restore.h"
#include "jobs/lifecycle/lifecycle_runner.h"
#include "jobs/scheduler.h"
#include "metadata/postgres/postgres_metadata.h"

namespace rondel::gateway {

// Everything given outlives the registry's last expose().
struct MetricSources {
  const metadata::PostgresMetadata& metadata;
  const blobs::ReplicatedBlobStore& blobs;
  const request::StreamReleases& releases;
  const membership::TopologyCache& topology;
  const jobs::LeaseHolder& lease;
  const jobs::Scheduler& jobs;
  const gc::Collector& collector;
  const gc::OrphanScan& orphans;
  const gc::SecondLook& second_look;
  const gc::TrashRestore& restores;
  const http::Server& server;
  const lifecycle::LifecycleRunner& lifecycle;
  const membership::AgeClock& ages;
  const admission::Gate& gate;
};

void register_gateway_metrics(metrics::Registry& registry, const MetricSources& sources);

}  // namespace rondel::gateway
