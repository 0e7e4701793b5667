// The JSON document of /admin/v1/status.
#pragma once

#include <string>
#include <vector>

#include "common/ring/ring.h"
#include "jobs/scheduler.h"
#include "metadata/store/node_store.h"
#include "metadata/store/release_queue.h"

namespace rondel::admin {

struct StatusInput {
  model::ClusterId cluster;
  const ring::Topology& topology;
  const std::vector<metadata::NodeRecord>& nodes;
  const metadata::QueueDepths& queues;
  bool coordinates;                         // This gateway.
  const std::vector<jobs::Progress>& jobs;  // As this gateway ran them.
  SystemTime now;
};

// A node counts as alive while its last heartbeat is at most 10 s old.
std::string status_document(const StatusInput& input);

}  // namespace rondel::admin
