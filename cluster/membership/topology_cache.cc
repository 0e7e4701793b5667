#include "cluster/membership/topology_cache.h"

#include "common/hash/hash64.h"
#include "cluster/membership/disk_report.h"

namespace rondel::membership {

using namespace std::chrono_literals;

namespace {

constexpr auto kHeardLately = 60s;   // A node beats each second.

}  // namespace

TopologyCache::TopologyCache(metadata::NodeStore& nodes, metadata::RingStore& ring, const Clock& clock, AgeClock* ages)
    : nodes_(nodes), ring_(ring), clock_(clock), ages_(ages), topology_(std::make_shared<ring::Topology>()) {}

std::shared_ptr<const ring::Topology> TopologyCache::topology() const {
  std::lock_guard lock(mutex_);
  return topology_;
}

uint64_t TopologyCache::digest() const {
  std::lock_guard lock(mutex_);
  return digest_;
}

bool TopologyCache::confirmed_recently() const {
  std::lock_guard lock(mutex_);
  return confirmed_at_ != SteadyTime{} && clock_.steady_now() - confirmed_at_ <= 5s;
}

// The database wrote down when it heard of a node, and what the node's clock showed a moment before.
void TopologyCache::compare_clocks(const std::vector<metadata::NodeRecord>& nodes) const {
  std::map<model::NodeId, std::chrono::microseconds> ahead;
  for (const metadata::NodeRecord& node : nodes) {
    if (node.disks.empty() || ages_->database_now() - node.last_seen > kHeardLately) continue;
    const DiskReport report = decode_disk_report(node.disks.front().status);
    if (report.node_now) ahead[node.id] = *report.node_now - node.last_seen;
  }
  ages_->witness(std::move(ahead));
}

async::Task<Result<void>> TopologyCache::refresh(Deadline deadline) {
  // What is read is at least as new as this moment, not as the answer's.
  const SteadyTime asked_at = clock_.steady_now();
  const SteadyTime asked_by_boot = clock_.boot_now();
  CO_TRY(const metadata::RingState state, co_await ring_.ring_state(deadline));
  if (ages_ != nullptr && state.now != SystemTime::max()) ages_->sample(state.now, asked_by_boot);
  CO_TRY(const std::vector<metadata::NodeRecord> nodes, co_await nodes_.list_nodes(deadline));
  if (ages_ != nullptr) compare_clocks(nodes);
  auto next = std::make_shared<ring::Topology>();
  next->min_epoch = state.min_epoch;
  Rings rings;
  std::string tables;
  for (const metadata::RingEpoch& epoch : state.live) {
    const uint64_t hash = hash::hash64(as_bytes(epoch.table));
    std::shared_ptr<const ring::Ring>& ring = rings[hash];
    const auto known = rings_.find(hash);
    if (known != rings_.end() && known->second->epoch() == epoch.epoch) {
      ring = known->second;
    } else {
      CO_TRY(ring::Ring parsed, ring::Ring::parse(as_bytes(epoch.table)));
      ring = std::make_shared<const ring::Ring>(std::move(parsed));
    }
    next->rings.push_back(ring);
    tables += epoch.table;
  }
  for (const metadata::NodeRecord& node : nodes) next->nodes.push_back({node.id, node.address, node.zone});
  std::lock_guard lock(mutex_);
  topology_ = std::move(next);
  digest_ = hash::hash64(as_bytes(tables));
  rings_ = std::move(rings);
  confirmed_at_ = asked_at;
  co_return Result<void>{};
}

async::Task<void> TopologyCache::run(async::TaskGroup& group) {
  while (!group.stopping()) {
    const auto refreshed = co_await refresh(deadline_in(2s));
    (void)refreshed;  // confirmed_recently() tells of failures.
    co_await group.pause(1s);
  }
}

}  // namespace rondel::membership
