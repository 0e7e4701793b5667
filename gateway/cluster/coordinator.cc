#include "gateway/cluster/coordinator.h"

#include <algorithm>

namespace rondel::cluster {

using namespace std::chrono_literals;

Coordinator::Coordinator(metadata::ClusterStore& store, const ring::TopologySource& topology, BlobRemover& remover,
                         CoordinatorOptions options, const Clock& clock)
    : store_(store), topology_(topology), remover_(remover), options_(options), clock_(clock) {}

CoordinatorStatus Coordinator::status() const {
  const uint64_t token = token_.load();
  return {token != 0, token, removed_.load(), deferred_.load(), errors_.load()};
}

async::Task<Result<void>> Coordinator::run_once() {
  CO_TRY(const std::optional<uint64_t> token, co_await store_.claim_coordinator(deadline_in(5s)));
  token_.store(token.value_or(0));
  if (!token) co_return Result<void>{};
  CO_TRY_VOID(co_await bootstrap_ring(*token));
  CO_TRY_VOID(co_await collect_garbage(*token));
  const SystemTime week_ago = clock_.now() - std::chrono::days(7);
  CO_TRY(const uint64_t forgotten, co_await store_.forget_completed_uploads(week_ago, deadline_in(5s)));
  (void)forgotten;
  co_return Result<void>{};
}

async::Task<void> Coordinator::run(async::TaskGroup& group) {
  while (!group.stopping()) {
    const auto done = co_await run_once();
    if (!done) {
      errors_.fetch_add(1);
      token_.store(0);
    }
    co_await group.pause(1s);
  }
  token_.store(0);
  store_.resign_coordinator();
}

async::Task<Result<void>> Coordinator::bootstrap_ring(uint64_t token) {
  if (options_.bootstrap_disks == 0 || topology_.topology()->current() != nullptr) co_return Result<void>{};
  CO_TRY(const metadata::RingState state, co_await store_.ring_state(deadline_in(5s)));
  if (!state.live.empty()) co_return Result<void>{};
  CO_TRY(const std::vector<metadata::NodeRecord> nodes, co_await store_.list_nodes(deadline_in(5s)));
  std::vector<ring::Disk> disks;
  for (const metadata::NodeRecord& node : nodes) {
    for (const auto& disk : node.disks) disks.push_back({disk.id, node.id, node.host, node.zone, disk.capacity_bytes});
  }
  if (disks.size() < options_.bootstrap_disks) co_return Result<void>{};
  CO_TRY(const ring::Ring first, ring::Ring::build(std::move(disks), options_.ring, 1));
  metadata::RingEpoch epoch{1, first.serialize()};
  co_return co_await store_.publish_ring(std::move(epoch), 0, 1, token, deadline_in(5s));
}

async::Task<Result<void>> Coordinator::collect_garbage(uint64_t token) {
  if (topology_.topology()->current() == nullptr) co_return Result<void>{};
  const SystemTime before = clock_.now() - options_.gc_grace;
  CO_TRY(const std::vector<metadata::ReleasedStream> due,
         co_await store_.take_released(before, options_.gc_streams_per_round, token, deadline_in(5s)));
  std::vector<int64_t> finished;
  for (const metadata::ReleasedStream& stream : due) {
    CO_TRY(const bool removed, co_await remove_stream(stream, token));
    if (removed) {
      finished.push_back(stream.id);
    } else {
      deferred_.fetch_add(1);
    }
  }
  if (finished.empty()) co_return Result<void>{};
  removed_.fetch_add(finished.size());
  co_return co_await store_.finish_released(std::move(finished), token, deadline_in(5s));
}

async::Task<Result<bool>> Coordinator::remove_stream(metadata::ReleasedStream stream, uint64_t token) {
  const uint64_t chunks = model::chunk_count(stream.size);
  for (uint64_t chunk = 0; chunk < chunks; ++chunk) {
    const model::BlobId id{stream.stream, static_cast<uint32_t>(chunk)};
    CO_TRY(const bool removed, co_await remove_chunk(id, token));
    if (!removed) co_return false;
  }
  co_return true;
}

// Owners of every live epoch and the hand-offs that a reader would ask. A chunk counts as removed when all owners that
// answered have it in their trash and a quorum of the newest epoch's did: those that were away pull the removal from the
// others' journals.
async::Task<Result<bool>> Coordinator::remove_chunk(model::BlobId id, uint64_t token) {
  const auto topology = topology_.topology();
  const uint64_t hash = id.ring_hash();
  const std::vector<model::BlobId> ids{id};
  size_t owners_done = 0;
  size_t owners_needed = 0;
  std::vector<model::DiskId> asked;
  for (const auto& ring : topology->rings) {
    const size_t arc = ring->arc_of(hash);
    const auto owners = ring->owners(arc);
    std::vector<ring::DiskIndex> targets(owners.begin(), owners.end());
    for (ring::DiskIndex handoff : ring->handoffs(arc, 4)) targets.push_back(handoff);
    const bool newest = ring == topology->rings.front();
    if (newest) owners_needed = std::min<size_t>(2, owners.size());
    for (size_t i = 0; i < targets.size(); ++i) {
      const ring::Disk& disk = ring->disks()[targets[i]];
      if (std::ranges::find(asked, disk.id) != asked.end()) continue;
      asked.push_back(disk.id);
      const rpc::DiskAddress address{disk.node, disk.id};
      const auto removed =
          co_await remover_.remove(address, ids, token, options_.gc_trash, deadline_in(options_.node_timeout));
      if (removed && newest && i < owners.size()) ++owners_done;
      if (!removed && removed.error().code == ErrorCode::kPrecondition) co_return std::unexpected(removed.error());
    }
  }
  co_return owners_done >= owners_needed && owners_needed > 0;
}

}  // namespace rondel::cluster
