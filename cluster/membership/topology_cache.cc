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
  return tables_->digest;
}

std::shared_ptr<const RingTables> TopologyCache::tables() const {
  std::lock_guard lock(mutex_);
  return tables_;
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
  // Only rings that are new are read.
  std::vector<std::string> known;
  for (const auto& [hash, ring] : rings_) known.push_back(hash);
  CO_TRY(metadata::RingState state, co_await ring_.ring_state(std::move(known), deadline));
  if (ages_ != nullptr && state.now != SystemTime::max()) ages_->sample(state.now, asked_by_boot);
  CO_TRY(const std::vector<metadata::NodeRecord> nodes, co_await nodes_.list_nodes(deadline));
  if (ages_ != nullptr) compare_clocks(nodes);
  auto next = std::make_shared<ring::Topology>();
  next->min_epoch = state.min_epoch;
  Rings rings;
  auto tables = std::make_shared<RingTables>();
  for (metadata::RingEpoch& epoch : state.live) {
    KnownRing& ring = rings[epoch.hash];
    if (const auto before = rings_.find(epoch.hash); before != rings_.end()) {
      ring = before->second;
    } else {
      CO_TRY(ring::Ring parsed, ring::Ring::parse(as_bytes(epoch.table)));
      ring.ring = std::make_shared<const ring::Ring>(std::move(parsed));
      ring.table = std::make_shared<const std::string>(std::move(epoch.table));
    }
    next->rings.push_back(ring.ring);
    tables->tables.push_back(ring.table);
  }
  const auto old_tables = this->tables();
  if (tables->tables == old_tables->tables) {
    tables->digest = old_tables->digest;
  } else {
    std::string all;
    for (const auto& table : tables->tables) all += *table;
    tables->digest = hash::hash64(as_bytes(all));
  }
  for (const metadata::NodeRecord& node : nodes) next->nodes.push_back({node.id, node.address, node.zone});
  std::lock_guard lock(mutex_);
  topology_ = std::move(next);
  tables_ = std::move(tables);
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
