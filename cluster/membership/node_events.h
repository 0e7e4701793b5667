// NodeEvents: what came, went and changed among nodes and disks between two looks at the database:
// for the log. Pure; one thread at a time.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/ring/ring.h"
#include "metadata/store/node_store.h"

namespace rondel::membership {

struct NodeEvent {
  enum class Kind {
    kNodeJoined,
    kNodeDown,
    kNodeUp,
    kNodeForgotten,
    kDiskOutside,
    kDiskState,
    kDiskGone
  };
  Kind kind;
  model::NodeId node;
  std::string address;
  model::DiskId disk = {};  // Of a disk's event.
  std::string was, is;      // States of a disk.
};

std::string_view describe(NodeEvent::Kind kind);
// Whether somebody should look.
bool is_bad(const NodeEvent& event);

class NodeEvents {
 public:
  // A node counts as down when it has not been heard of for so long.
  static constexpr Duration kDownAfter = std::chrono::seconds(30);

  // What is other than at the last look; the first look tells nothing. `now`: by the database.
  std::vector<NodeEvent> look(const std::vector<metadata::NodeRecord>& nodes,
                              const ring::Topology& topology, SystemTime now);

 private:
  struct Seen {
    std::string address;
    bool up = false;
    std::map<model::DiskId, std::string> disks;  // With their states.
  };

  bool begun_ = false;
  std::map<model::NodeId, Seen> nodes_;
};

}  // namespace rondel::membership
