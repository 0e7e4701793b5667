// NodeStore: the storage nodes that have joined, and what the database is to each. Not on the
// request path; errors as commit_context.h says of every seam.
#pragma once

#include <chrono>
#include <optional>
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
  std::string address;             // gRPC target of its Storage service.
  std::string operations_address;  // Where it serves /metrics.
  std::string host;
  std::string zone;

  struct Disk {
    model::DiskId id;
    uint64_t capacity_bytes = 0;
    std::string status;  // Serialized storage.v1.DiskStatus of the last heartbeat.
  };

  std::vector<Disk> disks;
  SystemTime last_seen;
  model::MetadataGeneration seen = {};  // What the node remembers of the database.
  uint64_t highest_order = 0;           // That any of its disks has seen.
  // Of its certificate; empty: not known, or an operator has let go of it.
  std::string name = {};
};

// What the database says to a node.
struct Greeting {
  model::Recognition recognition = model::Recognition::kUnknown;
  model::MetadataGeneration database;  // With the number of the heartbeat just recorded.
  // Why nothing may be purged on this node; empty: on `purging_disks` it may.
  std::string purging_stopped;
  // Of the disks it told of, those whose trash no restore waits for. One that it did not tell of is
  // never among them.
  std::vector<model::DiskId> purging_disks = {};
  uint64_t coordinator_token = 0;  // The highest that was given.
  // The highest number of a removal or restore that was given, or that a node has told of.
  uint64_t latest_order = 0;
};

struct Recognized {
  model::Recognition recognition = model::Recognition::kUnknown;
  model::MetadataGeneration database;
};

// What Clock has of the machine's run.
struct BootTime {
  std::string boot = {};  // Empty: not known.
  std::chrono::microseconds time{0};
};

// How far time has come for what ends by age, and what was noticed of clocks that jumped since.
struct ReachedTime {
  SystemTime time;
  // So long gateway and database have been seen to agree on an earlier one.
  std::chrono::microseconds set_back_for{0};
  // Of a jump ahead that `time` follows, so far.
  std::chrono::microseconds caught_up{0};
  bool operator==(const ReachedTime&) const = default;
};

struct ToldClocks {
  model::NodeId gateway;  // Any number that is this process's own.
  // How far its clock is ahead of the database's.
  std::optional<std::chrono::microseconds> ahead = {};
  BootTime boot = {};
  // How far time has come there for what ends by age, and what was confirmed when it heard last.
  std::optional<ReachedTime> reached = {};
  uint64_t accepted = 0;
};

struct HeardClocks {
  std::vector<std::chrono::microseconds> ahead;  // Of others, told within the last half minute.
  uint64_t accepted = 0;  // The number of the operator's last confirmation (confirm_clocks).
};

struct ReachedAge {
  // How far time has come at the least: what was told last in the same run of the machine, with
  // what has passed since, or what was told in others, whichever is later; what was noticed is told
  // as it was. Only what was told under what is confirmed now counts. nullopt: nothing.
  std::optional<ReachedTime> reached;
  uint64_t accepted = 0;  // As HeardClocks has it.
};

class NodeStore {
 public:
  virtual ~NodeStore() = default;

  // What record_node() would answer, but for the number of the heartbeat: that is the last recorded
  // one's. Writes nothing and waits for no lock. Errors likewise.
  virtual async::Task<Result<Greeting>> greet(NodeRecord node, Deadline deadline) = 0;
  // A heartbeat: inserts or refreshes the node, its disks, what it remembers and last_seen, and
  // tells what the database is to it. Durable before it returns: a database that lacks this
  // heartbeat has lost commits. The first one with a name binds it to the node. kAlreadyExists, one
  // line for an operator, and nothing changes: the name is another node's, or the node has another.
  virtual async::Task<Result<Greeting>> record_node(NodeRecord node, Deadline deadline) = 0;
  // An operator's: the node of that name lets go of it and of its disks, and the next that says it
  // has it, or tells of them, has them. False: no node has it.
  virtual async::Task<Result<bool>> forget_name(std::string name, Deadline deadline) = 0;
  // A gateway tells of its clocks, and hears what others told.
  virtual async::Task<Result<HeardClocks>> exchange_clocks(ToldClocks told, Deadline deadline) = 0;
  // What gateways have told of ages, to one whose machine shows `now`. Changes nothing.
  virtual async::Task<Result<ReachedAge>> reached_age(BootTime now, Deadline deadline) = 0;
  // What the database is to a node that remembers `seen`. Changes nothing.
  virtual async::Task<Result<Recognized>> recognize(model::NodeId node,
                                                    model::MetadataGeneration seen,
                                                    Deadline deadline) = 0;
  // All that ever joined, by id.
  virtual async::Task<Result<std::vector<NodeRecord>>> list_nodes(Deadline deadline) = 0;
};

// Why a node is refused, in one line: `holder` is the id of the node that has its name (empty:
// none), `bound` the name that the node has.
inline std::string describe_name_conflict(const NodeRecord& node, const std::string& holder,
                                          const std::string& bound) {
  const std::string says = "node " + node.id.to_hex() + " says it is " + node.name;
  if (!holder.empty()) {
    return says + ", which is the name of node " + holder + ": `rondel node forget " + node.name +
           "` lets go of it when that one is gone for good";
  }
  return says + ", but its name is " + bound + ": `rondel node forget " + bound +
         "` lets go of it when it is to have another";
}

}  // namespace rondel::metadata
