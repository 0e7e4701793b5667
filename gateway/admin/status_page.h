// The page /admin/v1/status of the operations listener: what `rondel status` shows.
#pragma once

#include "cluster/membership/age_clock.h"
#include "common/program/operations.h"
#include "common/ring/ring.h"
#include "jobs/scheduler.h"
#include "metadata/store/node_store.h"
#include "metadata/store/release_queue.h"

namespace rondel::admin {

// Everything given outlives the page.
struct StatusSources {
  metadata::NodeStore& nodes;
  metadata::ReleaseQueue& releases;
  const ring::TopologySource& topology;
  const jobs::LeaseHolder& lease;
  const jobs::Scheduler& jobs;
  model::ClusterId cluster;
  const membership::AgeClock& ages;
};

// Asks the database for nodes and queues, each with a deadline of 5 s.
program::OperationsPage status_page(StatusSources sources);

}  // namespace rondel::admin
