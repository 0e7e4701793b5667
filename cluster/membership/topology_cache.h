// TopologyCache: the ring epochs and nodes as PostgreSQL last said, refreshed every second.
//
// Goes on handing out the last topology when the database is away; confirmed_recently() then turns
// false, and heartbeats answered meanwhile are no ring contact for nodes. Topologies are immutable;
// topology() is safe for concurrent use, the rest runs on the loop given.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "cluster/membership/age_clock.h"
#include "cluster/membership/node_events.h"
#include "common/async/task_group.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/ring/ring.h"
#include "metadata/store/node_store.h"
#include "metadata/store/ring_store.h"

namespace rondel::membership {

// Live rings in their stored form.
struct RingTables {
  uint64_t digest = 0;                                     // As TopologyCache::digest().
  std::vector<std::shared_ptr<const std::string>> tables;  // Newest first.
};

class TopologyCache final : public ring::TopologySource {
 public:
  // `ages`, if given, is told what the database's clock and the nodes' show, and of which failure
  // domain each node is.
  TopologyCache(metadata::NodeStore& nodes, metadata::RingStore& ring, const Clock& clock,
                AgeClock* ages = nullptr, ring::FailureDomain domain = ring::FailureDomain::kZone);

  std::shared_ptr<const ring::Topology> topology() const override;

  // Reads rings and nodes once. The old topology stays on an error.
  async::Task<Result<void>> refresh(Deadline deadline);
  // refresh() every second until the group stops; beside it gateways tell one another of their
  // clocks.
  async::Task<void> run(async::TaskGroup& group);

  // A hash of the tables of topology()'s rings, newest first: numbers alone do not name an epoch,
  // since a database that was set back may give one again.
  uint64_t digest() const;
  // The tables themselves. Never null.
  std::shared_ptr<const RingTables> tables() const;

  // The last successful refresh is at most 5 s old.
  bool confirmed_recently() const;

  // Which other node has told of the disk within the hour, by the last refresh. A disk is one
  // node's: who took one over by telling of it would be asked about it in the place of its node.
  std::optional<model::NodeId> told_by_another(const model::NodeId& node,
                                               const model::DiskId& disk) const;

 private:
  struct KnownRing {
    std::shared_ptr<const ring::Ring> ring;
    std::shared_ptr<const std::string> table;
  };

  // By the store's hash of the table.
  using Rings = std::map<std::string, KnownRing>;
  async::Task<void> exchange_clocks(async::TaskGroup& group);
  async::Task<Result<void>> recall_ages(Deadline deadline);
  metadata::BootTime boot_time() const;
  void compare_clocks(const std::vector<metadata::NodeRecord>& nodes) const;

  metadata::NodeStore& nodes_;
  metadata::RingStore& ring_;
  const Clock& clock_;
  AgeClock* const ages_;
  const ring::FailureDomain domain_;
  mutable Mutex mutex_;
  std::shared_ptr<const ring::Topology> topology_ GUARDED_BY(mutex_);
  std::shared_ptr<const RingTables> tables_ GUARDED_BY(mutex_) = std::make_shared<RingTables>();
  const model::NodeId self_ = model::NodeId::random();  // This process, among gateways.
  // Others' clocks, and the confirmation that was heard last. The loop's alone.
  std::vector<std::chrono::microseconds> gateways_;
  std::optional<uint64_t> accepted_;
  std::map<model::DiskId, model::NodeId> tellers_ GUARDED_BY(mutex_);
  NodeEvents events_;  // The loop's alone.
  Rings rings_;        // Of topology_. The loop's alone.
  SteadyTime confirmed_at_ GUARDED_BY(mutex_) = {};
};

}  // namespace rondel::membership
