#include "gateway/main/cluster_jobs.h"

#include <chrono>

#include "cluster/node_client/grpc_blob_lister.h"
#include "cluster/node_client/grpc_blob_remover.h"
#include "gateway/main/settings.h"

namespace rondel::gateway {
namespace {

ring_jobs::RingBootstrapOptions bootstrap_options(const config::Settings& settings) {
  ring_jobs::RingBootstrapOptions options;
  options.disks = static_cast<size_t>(settings.integer("cluster.bootstrap_disks"));
  options.ring.replicas = static_cast<uint8_t>(settings.integer("replication.factor"));
  options.ring.failure_domain = failure_domain(settings);
  return options;
}

gc::CollectorOptions collector_options(ClusterMetadata& metadata) {
  gc::CollectorOptions options;
  options.gc_grace = metadata.garbage_ages().grace;
  options.gc_trash = metadata.garbage_ages().trash;
  options.ages = &metadata.ages();
  return options;
}

gc::OrphanScanOptions scan_options(const config::Settings& settings, ClusterMetadata& metadata) {
  gc::OrphanScanOptions options;
  options.orphan_age = metadata.garbage_ages().orphan_age;
  options.ages = &metadata.ages();
  options.pause = settings.duration("gc.orphan_scan_pause");
  options.blobs_per_second = static_cast<uint64_t>(settings.integer("gc.orphan_scan_rate"));
  return options;
}

lifecycle::LifecycleOptions lifecycle_options(const config::Settings& settings,
                                              ClusterMetadata& metadata) {
  lifecycle::LifecycleOptions options;
  options.calendar.day = std::chrono::duration_cast<std::chrono::milliseconds>(
      settings.duration("lifecycle.day_length"));
  options.ages = &metadata.ages();
  return options;
}

}  // namespace

ClusterJobs::ClusterJobs(const config::Settings& settings, ClusterMetadata& metadata,
                         membership::TopologyCache& topology,
                         const std::shared_ptr<const rpc::PeerCredentials>& peers,
                         const Clock& clock)
    : remover(node_client::make_grpc_blob_remover(topology, peers)),
      blobs(node_client::make_grpc_blob_lister(topology, peers)),
      trash(node_client::make_grpc_blob_lister(topology, peers, true)),
      lease(metadata.stores().lease),
      bootstrap(metadata.stores().nodes, metadata.stores().ring, topology,
                bootstrap_options(settings)),
      collector({metadata.stores().lease, metadata.stores().nodes, metadata.stores().releases,
                 metadata.stores().gc},
                topology, *remover, collector_options(metadata), clock),
      deleted_buckets(metadata.stores().gc),
      completed_uploads(metadata.stores().gc, &metadata.ages(), clock),
      orphans(metadata.stores().orphans, metadata.stores().gc, topology, *blobs,
              scan_options(settings, metadata), clock),
      second_look(metadata.stores().releases, metadata.stores().gc,
                  {.gc_grace = metadata.garbage_ages().grace, .ages = &metadata.ages()}, clock),
      restores(metadata.stores().restores, metadata.stores().lease, *trash, *remover),
      lifecycle({metadata.stores().lifecycle, metadata.stores().lifecycle_cursors,
                 metadata.stores().lifecycle_rechecks, metadata.stores().objects,
                 metadata.stores().uploads},
                lifecycle_options(settings, metadata), clock),
      scheduler(lease,
                {&bootstrap, &collector, &second_look, &restores, &orphans, &deleted_buckets,
                 &completed_uploads, &lifecycle},
                clock) {}

}  // namespace rondel::gateway
