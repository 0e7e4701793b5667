#include "gateway/cluster/coordinator.h"

#include <algorithm>
#include <map>

#include "common/log/log.h"
#include "gateway/cluster/removal_batch.h"

namespace rondel::cluster {

using namespace std::chrono_literals;

namespace {

constexpr size_t kChunksPerBatch = 16'384;
constexpr size_t kIdsPerCall = 4'096;
constexpr auto kAskPeriod = 60s;

}  // namespace

Coordinator::Coordinator(metadata::ClusterStore& store, const ring::TopologySource& topology, BlobRemover& remover, OrphanScan& orphans,
                         CoordinatorOptions options, const Clock& clock)
    : store_(store), topology_(topology), remover_(remover), orphans_(orphans), options_(options), clock_(clock) {}

CoordinatorStatus Coordinator::status() const {
  const uint64_t token = token_.load();
  std::lock_guard lock(mutex_);
  return {token != 0, token, removed_.load(), deferred_.load(), errors_.load(), halted_};
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
      nodes_asked_at_ = {};   // The database may be another one when it is back.
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
  const auto topology = topology_.topology();
  if (topology->current() == nullptr) co_return Result<void>{};
  CO_TRY(const metadata::GarbageState state, co_await store_.garbage_state(deadline_in(5s)));
  {
    std::lock_guard lock(mutex_);
    halted_ = state.halted;
  }
  if (!state.halted.empty()) co_return Result<void>{};
  trash_ = std::max(options_.gc_trash, state.ages.trash);
  CO_TRY(generation_, co_await store_.metadata_generation(deadline_in(5s)));
  if (nodes_asked_at_ == SteadyTime{} || clock_.steady_now() - nodes_asked_at_ >= kAskPeriod) {
    const auto asked = co_await ask_nodes(*topology, token);
    if (!asked && asked.error().code == ErrorCode::kOutOfRange) co_return Result<void>{};   // Halted.
    CO_TRY_VOID(asked);
    nodes_asked_at_ = clock_.steady_now();
  }
  const SystemTime before = std::min(clock_.now(), state.now) - std::max(options_.gc_grace, state.ages.grace);
  CO_TRY(const std::vector<metadata::ReleasedStream> due,
         co_await store_.take_released(before, options_.gc_streams_per_round, token, deadline_in(5s)));
  for (size_t first = 0; first < due.size();) {
    RemovalBatch batch(*topology);
    size_t end = first;
    while (end < due.size() && (end == first || batch.chunks() < kChunksPerBatch)) batch.add(due[end++]);
    const auto removed = co_await remove_batch(batch, token);
    if (!removed && removed.error().code == ErrorCode::kOutOfRange) co_return Result<void>{};   // Halted.
    CO_TRY_VOID(removed);
    std::vector<int64_t> finished = batch.finished();
    removed_.fetch_add(finished.size());
    deferred_.fetch_add(end - first - finished.size());
    if (!finished.empty()) CO_TRY_VOID(co_await store_.finish_released(std::move(finished), token, deadline_in(5s)));
    first = end;
  }
  co_return Result<void>{};
}

// An order to remove nothing. A node that is away is asked the next time, and by every order it gets.
async::Task<Result<void>> Coordinator::ask_nodes(const ring::Topology& topology, uint64_t token) {
  std::map<model::NodeId, model::DiskId> nodes;
  for (const auto& ring : topology.rings) {
    for (const ring::Disk& disk : ring->disks()) nodes.try_emplace(disk.node, disk.id);
  }
  for (const auto& [node, disk] : nodes) {
    const auto asked = co_await remove_some({node, disk}, {}, token);
    if (!asked && (asked.error().code == ErrorCode::kPrecondition || asked.error().code == ErrorCode::kOutOfRange)) {
      co_return std::unexpected(asked.error());
    }
  }
  co_return Result<void>{};
}

// Disk after disk: removal is background work and must not crowd out requests.
async::Task<Result<void>> Coordinator::remove_batch(RemovalBatch& batch, uint64_t token) {
  for (auto& [address, ids] : batch.per_disk()) {
    bool done = true;
    for (size_t first = 0; first < ids.size() && done; first += kIdsPerCall) {
      const size_t end = std::min(ids.size(), first + kIdsPerCall);
      std::vector<model::BlobId> some(ids.begin() + static_cast<ptrdiff_t>(first), ids.begin() + static_cast<ptrdiff_t>(end));
      const auto removed = co_await remove_some(address, std::move(some), token);
      if (!removed && (removed.error().code == ErrorCode::kPrecondition || removed.error().code == ErrorCode::kOutOfRange)) {
        co_return std::unexpected(removed.error());
      }
      done = removed.has_value();
    }
    if (done) batch.mark_done(address.disk);
  }
  co_return Result<void>{};
}

// A node may have heard of the database from another gateway a moment ago: only when a look at it that is newer than the node's
// refusal is refused as well has the database gone back.
async::Task<Result<void>> Coordinator::remove_some(const rpc::DiskAddress& at, std::vector<model::BlobId> ids, uint64_t token) {
  const auto order = [&] { return RemovalOrder{token, generation_, trash_}; };
  auto removed = co_await remover_.remove(at, ids, order(), deadline_in(options_.node_timeout));
  if (removed || removed.error().code != ErrorCode::kOutOfRange) co_return removed;
  CO_TRY(generation_, co_await store_.metadata_generation(deadline_in(5s)));
  removed = co_await remover_.remove(at, std::move(ids), order(), deadline_in(options_.node_timeout));
  if (removed || removed.error().code != ErrorCode::kOutOfRange) co_return removed;
  co_return co_await halt("the database is older than what nodes have seen, or another one: was it restored, or a standby promoted?", token);
}

async::Task<Result<void>> Coordinator::halt(std::string reason, uint64_t token) {
  log::error("gc", "garbage collection is halted", {{"reason", reason}});
  {
    std::lock_guard lock(mutex_);
    halted_ = reason;
  }
  CO_TRY_VOID(co_await store_.halt_garbage(reason, token, deadline_in(5s)));
  co_return fail(ErrorCode::kOutOfRange, reason);
}

async::Task<void> Coordinator::run_orphan_scan(async::TaskGroup& group) {
  while (!group.stopping()) {
    co_await group.pause(options_.orphan_scan_pause);
    const uint64_t token = token_.load();
    if (group.stopping() || token == 0) continue;
    const auto done = co_await orphans_.run_pass(token, group, [this, token] { return token_.load() == token; });
    if (!done && done.error().code != ErrorCode::kPrecondition) log::warn("gc", "the reconcile scan ended early", {{"error", done.error().message}});
  }
}

}  // namespace rondel::cluster
