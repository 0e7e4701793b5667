// NodeStore: the storage nodes that have joined, and what the database is to each. Not on the
// request path; errors as commit_context.h says of every seam.
#pragma once

#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/model/ids.h"
#include "common/model/metadata_generation.h"

namespace rondel::metadata {

struct NodeRecord {
  model::NodeId id;
  std::string address;               // gRPC target of its Storage service.
  std::string operations_address;    // Where it serves /metrics.
  std::string host;
  std::string zone;
  struct Disk {
    model::DiskId id;
    uint64_t capacity_bytes = 0;
    std::string status;              // Serialized storage.v1.DiskStatus of the last heartbeat.
  };
  std::vector<Disk> disks;
  SystemTime last_seen;
  model::MetadataGeneration seen = {};   // What the node remembers of the database.
  uint64_t highest_order = 0;            // That any of its disks has seen.
};

// What the database says to a node.
struct Greeting {
  model::Recognition recognition = model::Recognition::kUnknown;
  model::MetadataGeneration database;    // With the number of the heartbeat just recorded.
  // Why nothing may be purged on this node; empty: on `purging_disks` it may.
  std::string purging_stopped;
  // Of the disks it told of, those whose trash no restore waits for. One that it did not tell of is
  // never among them.
  std::vector<model::DiskId> purging_disks = {};
};

struct Recognized {
  model::Recognition recognition = model::Recognition::kUnknown;
  model::MetadataGeneration database;
};

class NodeStore {
 public:
  virtual ~NodeStore() = default;

  // A heartbeat: inserts or refreshes the node, its disks, what it remembers and last_seen, and
  // tells what the database is to it. Durable before it returns: a database that lacks this
  // heartbeat has lost commits.
  virtual async::Task<Result<Greeting>> record_node(NodeRecord node, Deadline deadline) = 0;
  // What the database is to a node that remembers `seen`. Changes nothing.
  virtual async::Task<Result<Recognized>> recognize(model::NodeId node,
                                                    model::MetadataGeneration seen,
                                                    Deadline deadline) = 0;
  // All that ever joined, by id.
  virtual async::Task<Result<std::vector<NodeRecord>>> list_nodes(Deadline deadline) = 0;
};

}  // namespace rondel::metadata
