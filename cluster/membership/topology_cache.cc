#include "cluster/membership/topology_cache.h"

#include "cluster/membership/disk_report.h"
#include "common/hash/hash64.h"
#include "common/log/log.h"

namespace rondel::membership {

using namespace std::chrono_literals;

namespace {

constexpr auto kHeardLately = 60s;  // A node's row is written at least every 10 s.

constexpr auto kGoneAfter = 1h;  // As for a restore: a node that is silent for longer is gone.

// Who tells of a disk that is told of already is refused, so two of one disk are rare: the first by
// id has it then.
std::map<model::DiskId, model::NodeId> tellers_of(const std::vector<metadata::NodeRecord>& nodes,
                                                  SystemTime now) {
  std::map<model::DiskId, model::NodeId> tellers;
  for (const metadata::NodeRecord& node : nodes) {
    if (now != SystemTime::max() && now - node.last_seen > kGoneAfter) continue;
    for (const auto& disk : node.disks) tellers.try_emplace(disk.id, node.id);
  }
  return tellers;
}

}  // namespace

TopologyCache::TopologyCache(metadata::NodeStore& nodes, metadata::RingStore& ring,
                             const Clock& clock, AgeClock* ages, ring::FailureDomain domain)
    : nodes_(nodes),
      ring_(ring),
      clock_(clock),
      ages_(ages),
      domain_(domain),
      topology_(std::make_shared<ring::Topology>()) {}

std::shared_ptr<const ring::Topology> TopologyCache::topology() const {
  MutexLock lock(mutex_);
  return topology_;
}

uint64_t TopologyCache::digest() const {
  MutexLock lock(mutex_);
  return tables_->digest;
}

std::shared_ptr<const RingTables> TopologyCache::tables() const {
  MutexLock lock(mutex_);
  return tables_;
}

std::optional<model::NodeId> TopologyCache::told_by_another(const model::NodeId& node,
                                                            const model::DiskId& disk) const {
  MutexLock lock(mutex_);
  const auto teller = tellers_.find(disk);
  if (teller == tellers_.end() || teller->second == node) return std::nullopt;
  return teller->second;
}

bool TopologyCache::confirmed_recently() const {
  MutexLock lock(mutex_);
  return confirmed_at_ != SteadyTime{} && clock_.steady_now() - confirmed_at_ <= 5s;
}

// The database wrote down when it heard of a node, and what the node's clock showed a moment
// before.
void TopologyCache::compare_clocks(const std::vector<metadata::NodeRecord>& nodes) const {
  const bool by_zone = domain_ == ring::FailureDomain::kZone;
  std::map<model::NodeId, NodeClock> ahead;
  for (const metadata::NodeRecord& node : nodes) {
    if (node.disks.empty() || ages_->database_now() - node.last_seen > kHeardLately) continue;
    const DiskReport report = decode_disk_report(node.disks.front().status);
    if (!report.node_now) continue;
    ahead[node.id] = {*report.node_now - node.last_seen, by_zone ? node.zone : node.host};
  }
  ages_->witness(std::move(ahead), gateways_);
}

// Beside the refresh: it writes, and nothing else may wait for that.
async::Task<void> TopologyCache::exchange_clocks(async::TaskGroup& group) {
  while (!group.stopping()) {
    const AgeClockStatus status = ages_->status();
    if (status.known) {
      metadata::ToldClocks told{self_, status.ahead, boot_time(), ages_->reached(),
                                accepted_.value_or(0)};
      auto heard = co_await nodes_.exchange_clocks(std::move(told), deadline_in(5s));
      gateways_ = heard ? std::move(heard->ahead) : std::vector<std::chrono::microseconds>{};
      if (heard) ages_->confirm(heard->accepted);
      if (heard) accepted_ = heard->accepted;
    }
    co_await group.pause(5s);
  }
}

namespace {

void log_events(const std::vector<NodeEvent>& events) {
  for (const NodeEvent& event : events) {
    const std::string disk = event.disk.is_zero() ? "" : event.disk.to_hex();
    (is_bad(event) ? log::warn : log::info)("cluster", describe(event.kind),
                                            {{"node", event.node.to_hex()},
                                             {"address", event.address},
                                             {"disk", disk},
                                             {"was", event.was},
                                             {"is", event.is}});
  }
}

}  // namespace

metadata::BootTime TopologyCache::boot_time() const {
  const auto time = clock_.boot_now().time_since_epoch();
  return {clock_.boot(), std::chrono::duration_cast<std::chrono::microseconds>(time)};
}

// Where others have come, before the clocks are believed.
async::Task<Result<void>> TopologyCache::recall_ages(Deadline deadline) {
  if (ages_ == nullptr || accepted_) co_return Result<void>{};
  CO_TRY(const metadata::ReachedAge age, co_await nodes_.reached_age(boot_time(), deadline));
  ages_->recall(age.reached);
  ages_->confirm(age.accepted);
  accepted_ = age.accepted;
  co_return Result<void>{};
}

async::Task<Result<void>> TopologyCache::refresh(Deadline deadline) {
  CO_TRY_VOID(co_await recall_ages(deadline));
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
  std::map<model::DiskId, model::NodeId> tellers = tellers_of(nodes, state.now);
  for (const metadata::NodeRecord& node : nodes) {
    next->nodes.push_back({node.id, node.address, node.zone, node.name});
  }
  if (state.now != SystemTime::max()) log_events(events_.look(nodes, *next, state.now));
  MutexLock lock(mutex_);
  topology_ = std::move(next);
  tables_ = std::move(tables);
  tellers_ = std::move(tellers);
  rings_ = std::move(rings);
  confirmed_at_ = asked_at;
  co_return Result<void>{};
}

async::Task<void> TopologyCache::run(async::TaskGroup& group) {
  if (ages_ != nullptr) group.spawn(exchange_clocks(group));
  while (!group.stopping()) {
    const auto refreshed = co_await refresh(deadline_in(2s));
    (void)refreshed;  // confirmed_recently() tells of failures.
    co_await group.pause(1s);
  }
}

}  // namespace rondel::membership
