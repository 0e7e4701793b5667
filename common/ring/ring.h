// The quota ring: a virtual-node consistent-hash ring of equal arcs whose owners come from a stored
// table.
//
// The circle of 64-bit hashes is cut in 2^power equal arcs. Each (arc, replica) is a virtual node
// and belongs to one disk; a disk owns virtual nodes in proportion to its capacity. A Ring is
// immutable and safe for concurrent use. Stored form: docs/formats/ring.md. Algorithm and figures:
// docs/adr (quota ring).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/model/ids.h"
#include "common/ring/disk.h"

namespace rondel::ring {

struct RingOptions {
  uint8_t replicas = 3;
  FailureDomain failure_domain = FailureDomain::kZone;
  uint8_t power = 0;  // 0 = chosen from the number of disks.
  uint64_t seed = 1;
};

class HandoffOrder;

class Ring {
 public:
  // Builds the first ring. kInvalidArgument: no disk with capacity, fewer failure domains than
  // replicas, too many disks.
  static Result<Ring> build(std::vector<Disk> disks, RingOptions options, uint64_t epoch);

  // The next ring for another membership, with the least movement: removed disks leave holes, grown
  // ones get what is above the others' quota. The epoch is this one's + 1. Same membership -> same
  // table.
  Result<Ring> change(std::vector<Disk> disks) const;

  static Result<Ring> parse(ByteView stored);  // kCorruption when checksum or a rule fails.
  std::string serialize() const;

  uint64_t epoch() const { return epoch_; }

  uint8_t power() const { return power_; }

  uint8_t replicas() const { return options_.replicas; }

  const RingOptions& options() const { return options_; }

  std::span<const Disk> disks() const { return disks_; }

  size_t arcs() const { return size_t{1} << power_; }

  // The arc of a blob: the top bits of its ring hash.
  size_t arc_of(uint64_t ring_hash) const { return power_ == 0 ? 0 : ring_hash >> (64 - power_); }

  // The disks that should hold every blob of an arc, one per replica, in different failure domains.
  std::span<const DiskIndex> owners(size_t arc) const {
    return std::span(table_).subspan(arc * options_.replicas, options_.replicas);
  }

  // All other disks with capacity in the arc's hand-off order, disks in failure domains that no
  // owner uses first (docs/formats/ring.md). At most `count`: a few cost a microsecond, however
  // many disks there are.
  std::vector<DiskIndex> handoffs(size_t arc, size_t count) const;

  std::optional<DiskIndex> find(const model::DiskId& id) const;
  bool share_domain(DiskIndex a, DiskIndex b) const;

  // Virtual nodes that differ between two rings over the same arcs (disks compared by id).
  static uint64_t moved(const Ring& from, const Ring& to);

 private:
  Ring() = default;
  void take_disks(std::vector<Disk> disks);  // After options_.

  uint64_t epoch_ = 0;
  uint8_t power_ = 0;
  RingOptions options_;
  std::vector<Disk> disks_;
  std::vector<DiskIndex> table_;
  std::shared_ptr<const HandoffOrder> order_;
};

// Everything a reader or writer needs to know of the cluster at one moment. Immutable.
struct Topology {
  // Live epochs, newest first. Writes use the first; reads try the owners of all.
  std::vector<std::shared_ptr<const Ring>> rings;
  // Writes and commits of an older epoch are refused.
  uint64_t min_epoch = 0;

  struct Node {
    model::NodeId id;
    std::string address;
    std::string zone;
    std::string name = {};  // That of its certificate; empty: not known.
  };

  std::vector<Node> nodes;

  // Is the disk an owner of the blob's arc in any live epoch?
  bool is_owner(const model::DiskId& disk, const model::BlobId& blob) const;
  // Null: not known.
  const Node* find_node(const model::NodeId& id) const;

  const Ring* current() const { return rings.empty() ? nullptr : rings.front().get(); }
};

// Hands out the current topology. Safe for concurrent use.
class TopologySource {
 public:
  virtual ~TopologySource() = default;
  // Never null; without rings before the first epoch is known.
  virtual std::shared_ptr<const Topology> topology() const = 0;
};

}  // namespace rondel::ring
