#include "jobs/gc/collector.h"

#include <algorithm>
#include <map>

#include "common/async/task_group.h"
#include "common/log/log.h"
#include "jobs/gc/removal_batch.h"

namespace rondel::gc {

using namespace std::chrono_literals;

namespace {

constexpr size_t kChunksPerBatch = 16'384;
constexpr size_t kIdsPerCall = 4'096;
constexpr auto kAskPeriod = 60s;
constexpr auto kMarkPeriod = 60s;
constexpr auto kCountPeriod = 60s;
// Between two looks at the database while a batch waits for disks.
constexpr auto kLookPeriod = 5s;
constexpr size_t kDisksAtOnce = 32;
constexpr auto kAwayMin = 10s;
constexpr auto kAwayMax = 300s;
constexpr int kOrderAttempts = 3;  // A node's mark may move on between two of them.

// What ends a round: a newer coordinator, a halt, another database in the place of the one that
// the round was read from. Whatever else happens to one node is of no concern to the others.
using jobs::kHalted;
using jobs::kSuperseded;
constexpr ErrorCode kOtherDatabase = ErrorCode::kCancelled;

bool ends_round(const Error& error) {
  return error.code == kSuperseded || error.code == kHalted || error.code == kOtherDatabase;
}

}  // namespace

Collector::Collector(CollectorStores stores, const ring::TopologySource& topology,
                     node_client::BlobRemover& remover, CollectorOptions options,
                     const Clock& clock)
    : stores_(stores), topology_(topology), remover_(remover), options_(options), clock_(clock) {}

CollectorStatus Collector::status() const {
  MutexLock lock(mutex_);
  CollectorStatus status;
  status.streams_removed_total = removed_.load();
  status.removals_deferred_total = deferred_.load();
  status.released_streams = queued_.load();
  status.deferred_streams = queue_deferred_.load();
  status.oldest_release_seconds = oldest_seconds_.load();
  status.gc_halted = halted_;
  return status;
}

async::Task<Result<void>> Collector::run_round(const jobs::Term& term) {
  auto done = co_await keep_marks(term.token());
  co_await count_queue();
  if (done) done = co_await collect_garbage(term.token());
  // The database may be another one when it is back.
  if (!done && done.error().code != kHalted) nodes_asked_at_ = {};
  co_return done;
}

// For whoever looks; what it costs does not grow with the queue.
async::Task<void> Collector::count_queue() {
  if (counted_at_ != SteadyTime{} && clock_.steady_now() - counted_at_ < kCountPeriod) co_return;
  counted_at_ = clock_.steady_now();
  const auto depths = co_await stores_.releases.queue_depths(deadline_in(5s));
  if (!depths) co_return;
  queued_ = depths->released;
  queue_deferred_ = depths->deferred;
  const std::chrono::duration<double> age = clock_.now() - depths->oldest_released;
  oldest_seconds_ = depths->released == 0 ? 0 : std::max(0.0, age.count());
}

async::Task<Result<void>> Collector::keep_marks(uint64_t token) {
  const bool due = marked_at_ == SteadyTime{} || clock_.steady_now() - marked_at_ >= kMarkPeriod ||
                   marked_by_ != token;
  if (!due) co_return Result<void>{};
  const auto written = co_await write_mark(token);
  // Nothing of the database before is held in hand between two rounds.
  if (!written && written.error().code == kOtherDatabase) co_return Result<void>{};
  co_return written;
}

// A database that does not hold our own last mark is another one than the one that nodes' marks
// were found in. The new one is gone by from now on; what was read from the other is not.
async::Task<Result<void>> Collector::write_mark(uint64_t token) {
  const SteadyTime now = clock_.steady_now();
  const bool first = generation_ == model::MetadataGeneration{};
  CO_TRY(const metadata::NewMark mark,
         co_await stores_.lease.write_mark(generation_.mark, token, deadline_in(5s)));
  const bool same = mark.follows && mark.database.accepted == generation_.accepted &&
                    mark.database.system == generation_.system;
  if (!same) forget_database();
  generation_ = mark.database;
  marked_at_ = now;
  marked_by_ = token;
  if (same || first) co_return Result<void>{};
  co_return fail(kOtherDatabase, "the database is another one than before");
}

void Collector::forget_database() {
  ++databases_;
  verified_.clear();
  nodes_asked_at_ = {};
}

async::Task<Result<void>> Collector::collect_garbage(uint64_t token) {
  const auto topology = topology_.topology();
  if (topology->current() == nullptr) co_return Result<void>{};
  auto done = co_await collect_round(*topology, token);
  if (!done && done.error().code == kOtherDatabase) {
    log::warn("gc", "what was to be removed is dropped", {{"reason", done.error().message}});
    // What this one says counts from the beginning: first of all whether nodes know it.
    done = co_await collect_round(*topology, token);
  }
  // The next round begins anew.
  if (!done && done.error().code == kOtherDatabase) co_return Result<void>{};
  co_return done;
}

async::Task<Result<void>> Collector::collect_round(const ring::Topology& topology, uint64_t token) {
  CO_TRY(const metadata::GarbageState state, co_await check_running(token));
  trash_ = metadata::age_that_counts(state.ages.trash, options_.gc_trash);
  if (nodes_asked_at_ == SteadyTime{} || clock_.steady_now() - nodes_asked_at_ >= kAskPeriod) {
    const SteadyTime asked_at = clock_.steady_now();
    CO_TRY_VOID(co_await ask_nodes(topology, token));
    nodes_asked_at_ = asked_at;
  }
  const std::chrono::seconds grace = metadata::age_that_counts(state.ages.grace, options_.gc_grace);
  const auto now = membership::age_time(options_.ages, clock_, state.now);
  // What was released while clocks differed may have been stamped early: its grace begins again
  // when they agree.
  if (!now || (options_.ages != nullptr && !options_.ages->steady_for(grace))) {
    co_return Result<void>{};
  }
  const SystemTime before = *now - grace;
  const auto take = [&] {
    return stores_.releases.take_released(before, options_.gc_streams_per_round, token,
                                          deadline_in(5s));
  };
  CO_TRY(std::vector<metadata::ReleasedStream> due, co_await take());
  if (due.empty()) co_return Result<void>{};
  // Newer than every release that is read behind it: nodes remember it with the order, and a
  // database from before does not hold it.
  CO_TRY_VOID(co_await write_mark(token));
  CO_TRY(due, co_await take());
  co_return co_await remove_due(due, topology, token);
}

// A round waits for disks, batch after batch: the database that it was read from may be another
// one by now.
async::Task<Result<void>> Collector::remove_due(const std::vector<metadata::ReleasedStream>& due,
                                                const ring::Topology& topology, uint64_t token) {
  for (size_t first = 0; first < due.size();) {
    CO_TRY_VOID(co_await check_same(token));
    RemovalBatch batch(topology);
    size_t end = first;
    while (end < due.size() && (end == first || batch.chunks() < kChunksPerBatch)) {
      batch.add(due[end++]);
    }
    CO_TRY_VOID(co_await remove_batch(batch, token));
    std::vector<metadata::ReleaseRow> finished = batch.finished();
    removed_.fetch_add(finished.size());
    deferred_.fetch_add(end - first - finished.size());
    if (!finished.empty()) {
      CO_TRY_VOID(
          co_await stores_.releases.finish_released(std::move(finished), token, deadline_in(5s)));
    }
    std::vector<metadata::DeferredStream> deferred = batch.deferred();
    if (!deferred.empty()) {
      CO_TRY_VOID(
          co_await stores_.releases.defer_released(std::move(deferred), token, deadline_in(5s)));
    }
    first = end;
  }
  co_return Result<void>{};
}

// Nobody has halted, and every node that was heard knows the database.
async::Task<Result<metadata::GarbageState>> Collector::check_running(uint64_t token) {
  CO_TRY(metadata::GarbageState state, co_await stores_.gc.garbage_state(deadline_in(5s)));
  {
    MutexLock lock(mutex_);
    halted_ = state.halted;
  }
  if (!state.halted.empty()) co_return fail(kHalted, state.halted);
  if (!state.stranger.empty()) {
    const auto halted = co_await halt(
        state.stranger + ". Was the database restored, or a standby promoted?", token);
    co_return std::unexpected(halted.error());
  }
  co_return state;
}

// The database is the one of generation_ and goes on. The mark before the state: a database that
// takes its place between the two is found by the next look, and by nodes.
async::Task<Result<void>> Collector::check_same(uint64_t token) {
  CO_TRY_VOID(co_await write_mark(token));
  CO_TRY(const metadata::GarbageState state, co_await check_running(token));
  (void)state;
  looked_at_ = clock_.steady_now();
  co_return Result<void>{};
}

async::Task<Result<void>> Collector::look_again(bool due, uint64_t token) {
  while (looking_) co_await async::sleep_for(5ms);
  if (!due && clock_.steady_now() - looked_at_ < kLookPeriod) co_return Result<void>{};
  looking_ = true;
  auto looked = co_await check_same(token);
  looking_ = false;
  co_return looked;
}

struct Collector::Asking {
  std::vector<transfer::DiskAddress> nodes;
  uint64_t token = 0;
  size_t next = 0;
  Result<void> ended;
};

// An order to remove nothing. A node that is away is asked the next time, and by every order it
// gets; meanwhile it holds up no other.
async::Task<Result<void>> Collector::ask_nodes(const ring::Topology& topology, uint64_t token) {
  std::map<model::NodeId, model::DiskId> nodes;
  for (const auto& ring : topology.rings) {
    for (const ring::Disk& disk : ring->disks()) nodes.try_emplace(disk.node, disk.id);
  }
  Asking asking{{}, token, 0, {}};
  for (const auto& [node, disk] : nodes) asking.nodes.push_back({node, disk});
  async::TaskGroup side_by_side(*async::EventLoop::current());
  for (size_t i = 0; i < std::min(kDisksAtOnce, asking.nodes.size()); ++i) {
    side_by_side.spawn(ask_some_nodes(asking));
  }
  co_await side_by_side.wait_idle();
  co_return asking.ended;
}

async::Task<void> Collector::ask_some_nodes(Asking& asking) {
  while (asking.ended && asking.next < asking.nodes.size()) {
    const transfer::DiskAddress at = asking.nodes[asking.next++];
    auto asked = co_await remove_some(at, {}, 0, asking.token, databases_);
    if (!asked && ends_round(asked.error())) asking.ended = std::move(asked);
  }
}

struct Collector::Removal {
  RemovalBatch& batch;
  uint64_t number = 0;
  uint64_t token = 0;
  uint64_t databases = 0;
  size_t next = 0;     // Of batch.per_disk().
  Result<void> ended;  // Not a value: nothing more is sent.
};

// Disks side by side: one that hangs costs a batch one time-out, and the next ones none for a
// while.
async::Task<Result<void>> Collector::remove_batch(RemovalBatch& batch, uint64_t token) {
  CO_TRY(const uint64_t number,
         co_await stores_.lease.next_order(highest_order_, token, deadline_in(5s)));
  Removal removal{batch, number, token, databases_, 0, {}};
  async::TaskGroup side_by_side(*async::EventLoop::current());
  for (size_t i = 0; i < std::min(kDisksAtOnce, batch.per_disk().size()); ++i) {
    side_by_side.spawn(remove_from_disks(removal));
  }
  co_await side_by_side.wait_idle();
  co_return removal.ended;
}

async::Task<void> Collector::remove_from_disks(Removal& removal) {
  const auto& disks = removal.batch.per_disk();
  while (removal.ended && removal.next < disks.size()) {
    const auto& [address, ids] = disks[removal.next++];
    if (is_away(address.disk)) continue;
    const auto removed = co_await remove_from_disk(removal, address, ids);
    if (!removed) {
      removal.ended = std::unexpected(removed.error());
    } else if (*removed) {
      removal.batch.mark_done(address.disk);
    }
  }
}

// True: all of them. An error ends the round.
async::Task<Result<bool>> Collector::remove_from_disk(Removal& removal, transfer::DiskAddress at,
                                                      const std::vector<model::BlobId>& ids) {
  for (size_t first = 0; first < ids.size(); first += kIdsPerCall) {
    if (clock_.steady_now() - looked_at_ >= kLookPeriod) {
      CO_TRY_VOID(co_await look_again(false, removal.token));
    }
    if (!removal.ended) co_return false;
    const size_t end = std::min(ids.size(), first + kIdsPerCall);
    std::vector<model::BlobId> some(ids.begin() + static_cast<ptrdiff_t>(first),
                                    ids.begin() + static_cast<ptrdiff_t>(end));
    const auto removed =
        co_await remove_some(at, std::move(some), removal.number, removal.token, removal.databases);
    if (!removed && ends_round(removed.error())) co_return std::unexpected(removed.error());
    if (!removed) co_return false;
  }
  co_return true;
}

bool Collector::is_away(const model::DiskId& disk) const {
  const auto known = away_.find(disk);
  return known != away_.end() && known->second.until > clock_.steady_now();
}

void Collector::heard(const model::DiskId& disk, bool answered) {
  if (answered) {
    away_.erase(disk);
    return;
  }
  Away& away = away_[disk];
  away.pause = std::clamp<Duration>(2 * away.pause, kAwayMin, kAwayMax);
  away.until = clock_.steady_now() + away.pause;
}

// A node takes an order that shows its own last mark as found in the database. What it remembers
// comes with its refusal and is looked up then: only what the database does not recognize halts.
// Ids are for the database that they were read from: another one is asked anew what to remove.
async::Task<Result<void>> Collector::remove_some(transfer::DiskAddress at,
                                                 std::vector<model::BlobId> ids, uint64_t number,
                                                 uint64_t token, uint64_t databases) {
  for (int attempt = 0; attempt < kOrderAttempts; ++attempt) {
    // Others are asked side by side, and one of them may have found it.
    if (!ids.empty() && databases != databases_) {
      co_return fail(kOtherDatabase, "the database is another one than before");
    }
    const uint64_t asked_under = databases_;
    const node_client::RemovalOrder order{token, generation_, verified_[at.node], trash_, number};
    auto answered = co_await remover_.remove(at, ids, order, deadline_in(options_.node_timeout));
    if (!ids.empty()) heard(at.disk, answered.has_value());
    CO_TRY(const node_client::RemovalReply reply, std::move(answered));
    // An order that leaps was given by no database: numbers would be used up by following it.
    if (reply.highest_order > std::max(number, highest_order_) + model::kLeapMax) {
      co_return fail(ErrorCode::kUnavailable, "the node tells of an order that nobody gave");
    }
    highest_order_ = std::max(highest_order_, reply.highest_order);
    switch (reply.refusal) {
      case node_client::Refusal::kNone:
        if (asked_under == databases_) verified_[at.node] = reply.seen.mark;
        // Some blob may have a later order than ours; the next round's is above it.
        if (!ids.empty() && reply.highest_order > number) {
          co_return fail(ErrorCode::kUnavailable, "the node has seen a later order");
        }
        co_return Result<void>{};
      case node_client::Refusal::kCoordinator:
        co_return fail(kSuperseded, "a newer coordinator commands");
      case node_client::Refusal::kUnheard:
        co_return fail(ErrorCode::kUnavailable,
                       "no gateway has told the node of this coordinator's order");
      case node_client::Refusal::kDatabase: break;
    }
    CO_TRY(const metadata::Recognized known,
           co_await stores_.nodes.recognize(at.node, reply.seen, deadline_in(5s)));
    if (!model::is_recognized(known.recognition)) {
      co_return co_await halt("node " + at.node.to_hex() + ": " +
                                  std::string(model::describe(known.recognition)) +
                                  ". Was the database restored, or a standby promoted?",
                              token);
    }
    if (known.database.accepted != generation_.accepted ||
        known.database.system != generation_.system) {
      forget_database();
      generation_ = known.database;
      if (!ids.empty()) co_return fail(kOtherDatabase, "the database is another one than before");
    } else if (!ids.empty()) {
      CO_TRY_VOID(co_await look_again(true, token));
      if (databases != databases_) {
        co_return fail(kOtherDatabase, "the database is another one than before");
      }
    }
    verified_[at.node] = reply.seen.mark;
  }
  co_return fail(ErrorCode::kUnavailable, "what the node remembers changes");
}

async::Task<Result<void>> Collector::halt(std::string reason, uint64_t token) {
  log::error("gc", "garbage collection is halted", {{"reason", reason}});
  {
    MutexLock lock(mutex_);
    halted_ = reason;
  }
  CO_TRY_VOID(co_await stores_.gc.halt_garbage(reason, token, deadline_in(5s)));
  co_return fail(kHalted, reason);
}

}  // namespace rondel::gc
