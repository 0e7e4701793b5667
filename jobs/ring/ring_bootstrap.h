// RingBootstrap: builds the first ring once enough disks have joined.
#pragma once

#include "common/ring/ring.h"
#include "jobs/job.h"
#include "metadata/store/node_store.h"
#include "metadata/store/ring_store.h"

namespace rondel::ring_jobs {

struct RingBootstrapOptions {
  size_t disks = 0;  // That must have joined; 0: the ring is never built by itself.
  ring::RingOptions ring;
};

// On one loop.
class RingBootstrap final : public jobs::Job {
 public:
  RingBootstrap(metadata::NodeStore& nodes, metadata::RingStore& rings,
                const ring::TopologySource& topology, RingBootstrapOptions options)
      : nodes_(nodes), rings_(rings), topology_(topology), options_(options) {}

  std::string_view name() const override { return "ring_bootstrap"; }

  // Publishes epoch 1 where no ring is live.
  async::Task<Result<void>> run_round(const jobs::Term& term) override;

  // Short: clients wait for the first ring, and what is asked ends with it.
  Duration pause() const override { return std::chrono::milliseconds(250); }

 private:
  metadata::NodeStore& nodes_;
  metadata::RingStore& rings_;
  const ring::TopologySource& topology_;
  const RingBootstrapOptions options_;
};

}  // namespace rondel::ring_jobs
