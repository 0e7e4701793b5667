// The jobs of a cluster: one gateway, the coordinator, does them for all.
#pragma once

#include <memory>

#include "cluster/membership/topology_cache.h"
#include "cluster/node_client/blob_lister.h"
#include "cluster/node_client/blob_remover.h"
#include "common/config/config.h"
#include "common/grpc/credentials.h"
#include "gateway/main/cluster_metadata.h"
#include "jobs/gc/collector.h"
#include "jobs/gc/completed_uploads.h"
#include "jobs/gc/deleted_buckets.h"
#include "jobs/gc/orphan_scan.h"
#include "jobs/gc/second_look.h"
#include "jobs/gc/trash_restore.h"
#include "jobs/lease_holder.h"
#include "jobs/lifecycle/lifecycle_runner.h"
#include "jobs/ring/ring_bootstrap.h"
#include "jobs/scheduler.h"

namespace rondel::gateway {

// Run once scheduler.start() was called, until its group stops. What is given outlives them.
struct ClusterJobs {
  ClusterJobs(const config::Settings& settings, ClusterMetadata& metadata,
              membership::TopologyCache& topology,
              const std::shared_ptr<const rpc::PeerCredentials>& peers, const Clock& clock);

  const std::unique_ptr<node_client::BlobRemover> remover;
  const std::unique_ptr<node_client::BlobLister> blobs;
  const std::unique_ptr<node_client::BlobLister> trash;
  jobs::LeaseHolder lease;
  ring_jobs::RingBootstrap bootstrap;
  gc::Collector collector;
  gc::DeletedBuckets deleted_buckets;
  gc::CompletedUploads completed_uploads;
  gc::OrphanScan orphans;
  gc::SecondLook second_look;
  gc::TrashRestore restores;
  lifecycle::LifecycleRunner lifecycle;
  jobs::Scheduler scheduler;
};

}  // namespace rondel::gateway
