// Disks of several nodes in one process: transport and journal go straight to the engines, and can be cut off.
#pragma once

#include <algorithm>
#include <set>

#include "common/async/event_loop.h"
#include "storage-node/repair/repairer.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::repair {

// Time that only tests move.
class ManualClock final : public Clock {
 public:
  SystemTime now() const override { return real_clock().now() + skew; }
  SteadyTime steady_now() const override { return real_clock().steady_now() + skew; }
  std::chrono::microseconds skew{0};
};

class EngineCluster : public rpc::BlobTransport, public PeerJournal, public ring::TopologySource {
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
      members.push_back({engines[i]->disk_id(), nodes[i], "host" + std::to_string(i), "zone" + std::to_string(i % 3), 1ull << 30});
    }
    auto topology = std::make_shared<ring::Topology>();
    topology->rings.push_back(std::make_shared<const ring::Ring>(ring::Ring::build(members, {}, 1).value()));
    topology_ = topology;
  }

  void open(size_t i) {
    engines[i].reset();
    auto options = engine::small_options(folder.path() + "/index" + std::to_string(i));
    options.path = "/disk" + std::to_string(i);
    options.journal_period = journal_period;
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
    for (const ring::DiskIndex owner : ring.owners(ring.arc_of(id.ring_hash()))) found.push_back(position(ring.disks()[owner].id));
    for (size_t i = 0; i < engines.size(); ++i) {
      if (std::ranges::count(found, i) == 0) found.push_back(i);
    }
    return found;
  }

  // Rounds of the repairer of disk i.
  void repair(size_t i, int rounds = 3, RepairOptions options = {}) {
    options.period = std::chrono::milliseconds(1);
    options.settle = settle;
    async::block_on(run(i, rounds, options));
  }

  async::Task<void> run(size_t i, int rounds, RepairOptions options) {
    auto repairer = std::make_unique<Repairer>(std::vector{engines[i].get()}, *this, *this, *this, nodes[i], options, clock);
    async::TaskGroup group(*async::EventLoop::current());
    group.spawn(repairer->run(group));
    for (int round = 0; round < rounds; ++round) co_await async::sleep_for(std::chrono::milliseconds(20));
    group.stop();
    co_await group.wait_idle();
    lag = repairer->lag_of(engines[i]->disk_id());
    status = repairer->status();
  }

  bool cut(const model::DiskId& disk) const { return away.contains(position(disk)); }

  // rpc::BlobTransport
  async::Task<Result<void>> put(rpc::DiskAddress to, model::BlobId id, rpc::PutOptions options, rpc::Piece whole) override {
    if (cut(to.disk)) co_return fail(ErrorCode::kUnavailable, "away");
    ++puts;
    auto slot = async::OneShot<Result<void>>::make();
    engines[position(to.disk)]->put_async({id, options.ring_epoch, options.created_at, options.handoff_for}, whole.bytes, whole.digests,
                                          [slot](Result<void> done) { slot->set(std::move(done)); });
    auto done = co_await slot->wait_until(options.deadline);
    co_return done ? std::move(*done) : Result<void>(std::unexpected(done.error()));
  }
  std::unique_ptr<rpc::BlobUpload> start_put(rpc::DiskAddress, model::BlobId, uint64_t, rpc::PutOptions) override { std::abort(); }
  std::unique_ptr<rpc::BlobDownload> start_get(rpc::DiskAddress from, model::BlobId id, uint64_t offset, uint64_t length, rpc::GetOptions) override {
    ++gets;
    return std::make_unique<Download>(cut(from.disk) ? Result<engine::ReadResult>(fail(ErrorCode::kUnavailable, "away"))
                                                     : engines[position(from.disk)]->read(id, offset, length));
  }
  async::Task<Result<rpc::BlobStat>> stat(rpc::DiskAddress, model::BlobId, Deadline) override { co_return fail(ErrorCode::kNotFound, ""); }

  // PeerJournal
  async::Task<Result<engine::JournalPage>> pull(model::DiskId, rpc::DiskAddress serving, uint64_t token, uint32_t max, Deadline) override {
    ++pulls;
    if (cut(serving.disk)) co_return fail(ErrorCode::kUnavailable, "away");
    co_return engines[position(serving.disk)]->journal_after(token, max);
  }
  async::Task<Result<std::vector<PeerBlob>>> list(rpc::DiskAddress serving, model::BlobId after, Deadline) override {
    ++lists;
    if (cut(serving.disk)) co_return fail(ErrorCode::kUnavailable, "away");
    std::vector<PeerBlob> blobs;
    CO_TRY(const auto page, engines[position(serving.disk)]->list(0, UINT64_MAX, after, 7));
    for (const auto& entry : page) blobs.push_back({entry.id, entry.length, !entry.handoff_for.is_zero()});
    co_return blobs;
  }
  std::shared_ptr<const ring::Topology> topology() const override { return topology_; }

  engine::TemporaryFolder folder;
  fs::SimulatedFileSystem fs{1};
  ManualClock clock;
  Duration journal_period = std::chrono::hours(24);
  Duration settle = Duration::zero();
  std::vector<model::NodeId> nodes;
  std::vector<std::unique_ptr<engine::Engine>> engines;
  std::set<size_t> away;
  std::array<uint64_t, 3> lag{};
  RepairStatus status;
  uint64_t pulls = 0, puts = 0, gets = 0, lists = 0;

 private:
  class Download final : public rpc::BlobDownload {
   public:
    explicit Download(Result<engine::ReadResult> read) : read_(std::move(read)) {}
    async::Task<Result<rpc::Piece>> next(Deadline) override {
      if (!read_) co_return std::unexpected(read_.error());
      if (std::exchange(taken_, true)) co_return rpc::Piece{};
      co_return rpc::Piece{read_->bytes, read_->offset, read_->digests};
    }

   private:
    Result<engine::ReadResult> read_;
    bool taken_ = false;
  };

  std::shared_ptr<const ring::Topology> topology_;
};

}  // namespace rondel::repair
