// Disks of several nodes in one process: transport and journal go straight to the engines, and can
// be cut off.
#pragma once

#include <algorithm>
#include <functional>
#include <set>

#include "common/async/event_loop.h"
#include "common/async/one_shot.h"
#include "common/model/replication_lag.h"
#include "storage-node/repair/repairer.h"
#include "tests/fakes/manual_clock.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::repair {

// The machine's time, and what a test adds.
class ShiftedClock final : public Clock {
 public:
  SystemTime now() const override { return real_clock().now() + shift_.now().time_since_epoch(); }

  SteadyTime steady_now() const override {
    return start_ + shift_.now().time_since_epoch() - skew_;
  }

  void advance(std::chrono::microseconds by) { shift_.advance(by); }

  // The wall clock alone.
  void set(SystemTime to) {
    const auto by = to - now();
    skew_ += by;
    shift_.advance(by);
  }

 private:
  fakes::ManualClock shift_{SystemTime{}};
  std::chrono::microseconds skew_{};
  const SteadyTime start_ = real_clock().steady_now();
};

class EngineCluster : public transfer::BlobTransport,
                      public PeerJournal,
                      public ring::TopologySource {
 public:
  // Three zones with a disk each; more disks go round the zones.
  explicit EngineCluster(size_t disks) {
    for (size_t i = 0; i < disks; ++i) {
      EXPECT_TRUE(fs.make_directory("/disk" + std::to_string(i)));
      nodes.push_back(model::NodeId::random());
      engines.push_back(nullptr);
      open(i);
    }
    std::vector<ring::Disk> members;
    for (size_t i = 0; i < disks; ++i) {
      members.push_back({engines[i]->disk_id(), nodes[i], "host" + std::to_string(i),
                         "zone" + std::to_string(i % 3), 1ull << 30});
    }
    auto topology = std::make_shared<ring::Topology>();
    topology->rings.push_back(
        std::make_shared<const ring::Ring>(ring::Ring::build(members, {}, 1).value()));
    topology_ = topology;
  }

  void open(size_t i) {
    engines[i].reset();
    auto options = engine::small_options(folder.path() + "/index" + std::to_string(i));
    options.path = "/disk" + std::to_string(i);
    options.journal_period = journal_period;
    options.clock = &disk_clock;
    engines[i] = engine::Engine::open(fs, options).value();
  }

  size_t position(const model::DiskId& disk) const {
    for (size_t i = 0; i < engines.size(); ++i) {
      if (engines[i]->disk_id() == disk) return i;
    }
    return 0;
  }

  // Owners first, then the others.
  std::vector<size_t> order(const model::BlobId& id) const {
    const ring::Ring& ring = *topology_->current();
    std::vector<size_t> found;
    for (const ring::DiskIndex owner : ring.owners(ring.arc_of(id.ring_hash()))) {
      found.push_back(position(ring.disks()[owner].id));
    }
    for (size_t i = 0; i < engines.size(); ++i) {
      if (std::ranges::count(found, i) == 0) found.push_back(i);
    }
    return found;
  }

  // Whole rounds of the repairer of disk i: each ends when nothing that can be done now is left.
  void repair(size_t i, uint64_t rounds = 3, RepairOptions options = {}) {
    repair_until({engines[i].get()}, options,
                 [rounds](const Repairer& repairer) { return repairer.status().rounds > rounds; });
  }

  // Repairs until `done` says so; what still hangs is let go then. False: it did not come to that.
  bool repair_until(
      std::vector<engine::Engine*> disks, RepairOptions options,
      std::function<bool(const Repairer&)> done, std::function<void()> let_go = [] {}) {
    options.period = std::chrono::milliseconds(1);
    options.settle = settle;
    return async::block_on(run(std::move(disks), options, std::move(done), std::move(let_go)));
  }

  async::Task<bool> run(std::vector<engine::Engine*> disks, RepairOptions options,
                        std::function<bool(const Repairer&)> done, std::function<void()> let_go) {
    Repairer repairer(disks, *this, *this, *this, options, clock);
    async::TaskGroup group(*async::EventLoop::current());
    group.spawn(repairer.run(group));
    const Deadline end = deadline_in(std::chrono::seconds(300));
    while (!done(repairer) && std::chrono::steady_clock::now() < end) {
      co_await async::sleep_for(std::chrono::milliseconds(1));
    }
    const bool came = done(repairer);
    lag = repairer.lag_of(disks.front()->disk_id());
    wanted = repairer.wanted_of(disks.front()->disk_id());
    status = repairer.status();
    hanging.clear();
    let_go();
    group.stop();
    co_await group.wait_idle();
    co_return came;
  }

  // A peer that takes calls and does not answer.
  async::Task<Result<void>> reach(model::DiskId disk, Deadline deadline) {
    while (hanging.contains(position(disk))) {
      if (std::chrono::steady_clock::now() >= deadline) {
        co_return fail(ErrorCode::kDeadlineExceeded, "no answer");
      }
      co_await async::sleep_for(std::chrono::milliseconds(1));
    }
    if (cut(disk)) co_return fail(ErrorCode::kUnavailable, "away");
    co_return Result<void>{};
  }

  bool cut(const model::DiskId& disk) const { return away.contains(position(disk)); }

  // rpc::BlobTransport
  async::Task<Result<void>> put(transfer::DiskAddress to, model::BlobId id,
                                transfer::PutOptions options, transfer::Piece whole) override {
    CO_TRY_VOID(co_await reach(to.disk, options.deadline));
    ++puts;
    auto slot = async::OneShot<Result<void>>::make();
    engines[position(to.disk)]->put_async(
        request_of(id, options), whole.bytes, whole.digests,
        [slot](Result<void> done) { slot->set(std::move(done)); });
    auto done = co_await slot->wait_until(options.deadline);
    co_return done ? std::move(*done) : Result<void>(std::unexpected(done.error()));
  }

  std::unique_ptr<transfer::BlobUpload> start_put(transfer::DiskAddress to, model::BlobId id,
                                                  uint64_t length,
                                                  transfer::PutOptions options) override {
    ++puts;
    return std::make_unique<Upload>(*this, to, id, length, options);
  }

  std::unique_ptr<transfer::BlobDownload> start_get(transfer::DiskAddress from, model::BlobId id,
                                                    uint64_t offset, uint64_t length,
                                                    transfer::GetOptions) override {
    ++gets;
    return std::make_unique<Download>(*this, from, id, offset, offset + length);
  }

  async::Task<Result<transfer::BlobStat>> stat(transfer::DiskAddress at, model::BlobId id,
                                               Deadline deadline) override {
    CO_TRY_VOID(co_await reach(at.disk, deadline));
    engine::Engine& engine = *engines[position(at.disk)];
    const auto entry = engine.stat(id);
    if (entry) {
      co_return transfer::BlobStat{entry->length,      entry->digest,
                                   entry->handoff_for, entry->created_at,
                                   entry->order,       entry->trashed && !entry->dropped};
    }
    CO_TRY(const uint64_t order, engine.removal_of(id));
    co_return transfer::BlobStat{.order = order, .removed = true};
  }

  // PeerJournal
  async::Task<Result<engine::JournalPage>> pull(model::DiskId, transfer::DiskAddress serving,
                                                uint64_t token, uint32_t max,
                                                Deadline deadline) override {
    ++pulls;
    CO_TRY_VOID(co_await reach(serving.disk, deadline));
    auto page = engines[position(serving.disk)]->journal_after(token, max);
    if (page && !page->entries.empty()) page->entries.front().flushed_at -= first_is_older;
    co_return page;
  }

  async::Task<Result<std::vector<PeerBlob>>> list(transfer::DiskAddress serving,
                                                  model::BlobId after, Deadline deadline) override {
    CO_TRY_VOID(co_await reach(serving.disk, deadline));
    if (lists >= lists_max) co_return fail(ErrorCode::kUnavailable, "away");
    ++lists;
    std::vector<PeerBlob> blobs;
    CO_TRY(const auto page, engines[position(serving.disk)]->list(0, UINT64_MAX, after, 7));
    for (const auto& entry : page) {
      if (!entry.trashed) {
        blobs.push_back({entry.id, entry.length,
                         static_cast<uint64_t>(entry.created_at.time_since_epoch().count()),
                         entry.order});
      }
    }
    if (blobs.empty() && !page.empty()) co_return co_await list(serving, page.back().id, deadline);
    co_return blobs;
  }

  std::shared_ptr<const ring::Topology> topology() const override { return topology_; }

  engine::TemporaryFolder folder;
  fs::SimulatedFileSystem fs{1};
  ShiftedClock clock;
  ShiftedClock disk_clock;  // Of all disks; outlives them.
  Duration journal_period = std::chrono::hours(24);
  Duration settle = Duration::zero();
  std::chrono::microseconds first_is_older{};  // By so much, of each page of a journal.
  std::vector<model::NodeId> nodes;
  std::vector<std::unique_ptr<engine::Engine>> engines;
  std::set<size_t> away, hanging;
  model::ReplicationLag lag{};
  WantedList::Counts wanted;
  RepairStatus status;
  uint64_t pulls = 0, puts = 0, gets = 0, lists = 0;
  uint64_t lists_max = UINT64_MAX;

 private:
  static engine::PutRequest request_of(const model::BlobId& id,
                                       const transfer::PutOptions& options) {
    return {id,
            options.ring_epoch,
            options.created_at,
            options.handoff_for,
            options.background,
            options.fresh,
            options.order};
  }

  class Download final : public transfer::BlobDownload {
   public:
    Download(EngineCluster& cluster, transfer::DiskAddress from, model::BlobId id, uint64_t begin,
             uint64_t end)
        : cluster_(cluster), from_(from), id_(id), at_(begin), end_(end) {}

    async::Task<Result<transfer::Piece>> next(Deadline step) override {
      if (at_ >= end_) co_return transfer::Piece{};
      CO_TRY_VOID(co_await cluster_.reach(from_.disk, step));
      const uint64_t count = std::min<uint64_t>(model::kPieceBytes, end_ - at_);
      CO_TRY(engine::ReadResult read,
             cluster_.engines[cluster_.position(from_.disk)]->read(id_, at_, count));
      at_ += count;
      co_return transfer::Piece{read.bytes, read.offset, read.digests};
    }

   private:
    EngineCluster& cluster_;
    const transfer::DiskAddress from_;
    const model::BlobId id_;
    uint64_t at_;
    const uint64_t end_;
  };

  class Upload final : public transfer::BlobUpload {
   public:
    Upload(EngineCluster& cluster, transfer::DiskAddress to, model::BlobId id, uint64_t length,
           transfer::PutOptions options)
        : cluster_(cluster), to_(to), id_(id), length_(length), options_(options) {}

    async::Task<Result<void>> send(transfer::Piece piece) override {
      CO_TRY_VOID(co_await cluster_.reach(to_.disk, options_.deadline));
      if (!put_) {
        CO_TRY(put_, cluster_.engines[cluster_.position(to_.disk)]->start_large_put(
                         request_of(id_, options_), length_));
      }
      co_return put_->append(piece.bytes, piece.digests);
    }

    async::Task<Result<void>> finish(uint64_t, hash::BlobDigest digest) override {
      auto slot = async::OneShot<Result<void>>::make();
      put_->finish_async(digest, [slot](Result<void> done) { slot->set(std::move(done)); });
      auto done = co_await slot->wait_until(options_.deadline);
      co_return done ? std::move(*done) : Result<void>(std::unexpected(done.error()));
    }

   private:
    EngineCluster& cluster_;
    const transfer::DiskAddress to_;
    const model::BlobId id_;
    const uint64_t length_;
    const transfer::PutOptions options_;
    std::unique_ptr<engine::LargePut> put_;
  };

  std::shared_ptr<const ring::Topology> topology_;
};

}  // namespace rondel::repair
