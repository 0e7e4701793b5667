#include "gateway/cluster/topology_cache.h"

namespace rondel::cluster {

using namespace std::chrono_literals;

TopologyCache::TopologyCache(metadata::ClusterStore& store, const Clock& clock)
    : store_(store), clock_(clock), topology_(std::make_shared<ring::Topology>()) {}

std::shared_ptr<const ring::Topology> TopologyCache::topology() const {
  std::lock_guard lock(mutex_);
  return topology_;
}

model::MetadataGeneration TopologyCache::generation() const {
  std::lock_guard lock(mutex_);
  return generation_;
}

bool TopologyCache::confirmed_recently() const {
  std::lock_guard lock(mutex_);
  return confirmed_at_ != SteadyTime{} && clock_.steady_now() - confirmed_at_ <= 5s;
}

Result<std::shared_ptr<const ring::Ring>> TopologyCache::known_or_parsed(const metadata::RingEpoch& epoch) const {
  for (const auto& ring : topology()->rings) {
    if (ring->epoch() == epoch.epoch) return ring;
  }
  TRY(ring::Ring parsed, ring::Ring::parse(as_bytes(epoch.table)));
  return std::make_shared<const ring::Ring>(std::move(parsed));
}

async::Task<Result<void>> TopologyCache::refresh(Deadline deadline) {
  // What is read is at least as new as this moment, not as the answer's.
  const SteadyTime asked_at = clock_.steady_now();
  CO_TRY(const metadata::RingState state, co_await store_.ring_state(deadline));
  CO_TRY(const std::vector<metadata::NodeRecord> nodes, co_await store_.list_nodes(deadline));
  CO_TRY(const model::MetadataGeneration generation, co_await store_.metadata_generation(deadline));
  auto next = std::make_shared<ring::Topology>();
  next->min_epoch = state.min_epoch;
  for (const metadata::RingEpoch& epoch : state.live) {
    CO_TRY(auto ring, known_or_parsed(epoch));
    next->rings.push_back(std::move(ring));
  }
  for (const metadata::NodeRecord& node : nodes) next->nodes.push_back({node.id, node.address, node.zone});
  std::lock_guard lock(mutex_);
  topology_ = std::move(next);
  generation_ = generation;
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

}  // namespace rondel::cluster
