// A gateway that coordinates: what its scheduler does each second, in one step.
#pragma once

#include "common/async/event_loop.h"
#include "jobs/gc/collector.h"
#include "jobs/gc/completed_uploads.h"
#include "jobs/lease_holder.h"
#include "jobs/ring/ring_bootstrap.h"
#include "metadata/store/ring_store.h"

namespace rondel::gc {

struct CoordinatingStores {
  metadata::Lease& lease;
  metadata::NodeStore& nodes;
  metadata::RingStore& ring;
  metadata::ReleaseQueue& releases;
  metadata::GcControl& gc;
};

struct CoordinatingOptions {
  ring_jobs::RingBootstrapOptions bootstrap;
  CollectorOptions collector;
};

class CoordinatingGateway {
 public:
  CoordinatingGateway(CoordinatingStores stores, const ring::TopologySource& topology,
                      node_client::BlobRemover& remover, CoordinatingOptions options,
                      const Clock& clock)
      : lease_(stores.lease),
        bootstrap_(stores.nodes, stores.ring, topology, options.bootstrap),
        collector_({stores.lease, stores.nodes, stores.releases, stores.gc}, topology, remover,
                   options.collector, clock),
        uploads_(stores.gc, options.collector.ages, clock) {}

  // Claims the lease and runs a round of every job, until one fails. A halt is no failure.
  Result<void> run_once() {
    TRY_VOID(async::block_on(lease_.claim()));
    if (!lease_.leads()) return {};
    const jobs::Term term(lease_.token(), [this] { return lease_.leads(); });
    for (jobs::Job* job : std::initializer_list<jobs::Job*>{&bootstrap_, &collector_, &uploads_}) {
      const auto done = async::block_on(job->run_round(term));
      if (done || done.error().code == jobs::kHalted) continue;
      if (done.error().code == jobs::kSuperseded) lease_.lose(term.token());
      return done;
    }
    return {};
  }

  bool leads() const { return lease_.leads(); }

  uint64_t token() const { return lease_.token(); }

  CollectorStatus status() const { return collector_.status(); }

 private:
  jobs::LeaseHolder lease_;
  ring_jobs::RingBootstrap bootstrap_;
  Collector collector_;
  CompletedUploads uploads_;
};

}  // namespace rondel::gc
