#include "cluster/membership/node_events.h"

#include <algorithm>

#include "cluster/membership/disk_report.h"

namespace rondel::membership {
namespace {

using Kind = NodeEvent::Kind;

bool in_ring(const ring::Topology& topology, const model::DiskId& disk) {
  return std::ranges::any_of(topology.rings, [&](const auto& ring) {
    return std::ranges::find(ring->disks(), disk, &ring::Disk::id) != ring->disks().end();
  });
}

}  // namespace

std::string_view describe(Kind kind) {
  switch (kind) {
    case Kind::kNodeJoined: return "a node has joined";
    case Kind::kNodeDown: return "a node is down";
    case Kind::kNodeUp: return "a node is up again";
    case Kind::kNodeForgotten: return "a node is no longer on record";
    case Kind::kDiskOutside: return "a disk has joined that is not in the ring: it holds nothing";
    case Kind::kDiskState: return "a disk has another state";
    case Kind::kDiskGone: return "a node no longer has a disk";
  }
  return "";
}

bool is_bad(const NodeEvent& event) {
  switch (event.kind) {
    case Kind::kNodeDown:
    case Kind::kDiskOutside:
    case Kind::kDiskGone: return true;
    case Kind::kDiskState: return event.is != "online";
    case Kind::kNodeJoined:
    case Kind::kNodeUp:
    case Kind::kNodeForgotten: return false;
  }
  return false;
}

std::vector<NodeEvent> NodeEvents::look(const std::vector<metadata::NodeRecord>& nodes,
                                        const ring::Topology& topology, SystemTime now) {
  std::vector<NodeEvent> events;
  std::map<model::NodeId, Seen> seen;
  for (const metadata::NodeRecord& node : nodes) {
    Seen& current = seen[node.id];
    current.address = node.address;
    current.up = now - node.last_seen <= kDownAfter;
    for (const auto& disk : node.disks) {
      current.disks[disk.id] = decode_disk_report(disk.status).state;
    }
    const auto known = nodes_.find(node.id);
    const auto tell = [&](Kind kind, const model::DiskId& disk = {}, std::string was = {},
                          std::string is = {}) {
      events.push_back({kind, node.id, node.address, disk, std::move(was), std::move(is)});
    };
    const bool is_new = known == nodes_.end();
    if (is_new) {
      tell(Kind::kNodeJoined);
    } else if (known->second.up != current.up) {
      tell(current.up ? Kind::kNodeUp : Kind::kNodeDown);
    }
    for (const auto& [disk, state] : current.disks) {
      const bool known_disk = !is_new && known->second.disks.contains(disk);
      // Before there is a ring every disk is outside.
      if (!known_disk && topology.current() != nullptr && !in_ring(topology, disk)) {
        tell(Kind::kDiskOutside, disk);
      }
      if (known_disk && known->second.disks.at(disk) != state) {
        tell(Kind::kDiskState, disk, known->second.disks.at(disk), state);
      }
    }
    if (is_new) continue;
    for (const auto& [disk, state] : known->second.disks) {
      if (!current.disks.contains(disk)) tell(Kind::kDiskGone, disk);
    }
  }
  for (const auto& [id, known] : nodes_) {
    if (!seen.contains(id)) events.push_back({Kind::kNodeForgotten, id, known.address});
  }
  nodes_ = std::move(seen);
  if (!begun_) events.clear();
  begun_ = true;
  return events;
}

}  // namespace rondel::membership
