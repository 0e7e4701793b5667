// The coordinator's jobs on a store in memory: the first ring, and law 5 for released bytes.
#include "tests/unit/jobs/gc/coordinating_gateway.h"

#include <gtest/gtest.h>

#include <set>

#include "cluster/membership/topology_cache.h"
#include "jobs/gc/removal_batch.h"
#include "metadata/memory/memory_cluster.h"
#include "tests/fakes/fixed_topology.h"
#include "tests/fakes/manual_clock.h"

namespace rondel::gc {
namespace {

using namespace std::chrono_literals;

// Remembers what it was told; disks can be away.
class RecordingRemover final : public node_client::BlobRemover {
 public:
  async::Task<Result<node_client::RemovalReply>> remove(transfer::DiskAddress at,
                                                        std::vector<model::BlobId> ids,
                                                        node_client::RemovalOrder order,
                                                        Deadline) override {
    node_client::RemovalReply reply{node_client::Refusal::kNone, order.generation, order.number};
    if (ids.empty()) co_return reply;
    ++calls;
    last_token = order.coordinator_token;
    last_trash = order.trash;
    if (fenced) {
      co_return node_client::RemovalReply{node_client::Refusal::kCoordinator, order.generation, 0};
    }
    asked[at.disk] += ids.size();
    if (away.contains(at.disk)) {
      // Answers when all others have.
      for (int i = 0; i < 1000 && hangs && others_done && !others_done(); ++i) {
        co_await async::sleep_for(1ms);
      }
      hung_to_the_end = hung_to_the_end || (hangs && !others_done());
      co_return fail(ErrorCode::kUnavailable, "away");
    }
    largest_call = std::max(largest_call, ids.size());
    removed[at.disk].insert(ids.begin(), ids.end());
    co_return reply;
  }

  async::Task<Result<node_client::RestoreReply>> restore(transfer::DiskAddress,
                                                         std::vector<model::BlobId>, uint64_t,
                                                         Deadline) override {
    co_return node_client::RestoreReply{};
  }

  std::set<model::DiskId> away;
  bool fenced = false;
  std::map<model::DiskId, std::set<model::BlobId>> removed;
  std::map<model::DiskId, uint64_t> asked;  // Blobs.
  bool hangs = false;                       // Those that are away.
  std::function<bool()> others_done;
  bool hung_to_the_end = false;
  int calls = 0;
  size_t largest_call = 0;
  uint64_t last_token = 0;
  std::chrono::seconds last_trash{};
};

metadata::NodeRecord node(int number) {
  metadata::NodeRecord record;
  record.id = model::NodeId::random();
  record.address = "n" + std::to_string(number);
  record.host = "h" + std::to_string(number);
  record.zone = "z" + std::to_string(number % 3);
  record.disks.push_back({model::DiskId::random(), 1ull << 40, ""});
  return record;
}

class CoordinatorTest : public ::testing::Test {
 protected:
  CoordinatorTest() {
    for (int i = 0; i < 6; ++i) nodes_.push_back(node(i));
  }

  CoordinatingOptions options() const {
    CoordinatingOptions out;
    out.bootstrap.disks = 6;
    out.bootstrap.ring.power = 4;
    out.collector.gc_grace = 100s;
    out.collector.gc_trash = 50s;
    return out;
  }

  CoordinatingStores stores() {
    return {store_.lease, store_.nodes, store_.ring, store_.releases, store_.gc};
  }

  Result<void> run_once() {
    if (!coordinator_) {
      coordinator_ =
          std::make_unique<CoordinatingGateway>(stores(), cache_, remover_, options(), clock_);
    }
    auto done = coordinator_->run_once();
    EXPECT_TRUE(async::block_on(cache_.refresh(deadline_in(60s))));
    return done;
  }

  void join_all() {
    for (const auto& record : nodes_) {
      ASSERT_TRUE(async::block_on(store_.nodes.record_node(record, deadline_in(60s))));
    }
  }

  void with_ring() {
    join_all();
    ASSERT_TRUE(run_once());
    ASSERT_NE(cache_.topology()->current(), nullptr);
  }

  metadata::ReleasedStream release(int64_t row, uint64_t size) {
    const metadata::ReleasedStream stream{row, model::StreamId::random(), size, clock_.now()};
    state_.released[row] = {stream, clock_.now()};
    return stream;
  }

  std::set<model::DiskId> owners(const model::BlobId& blob) const {
    const auto topology = cache_.topology();
    const ring::Ring& ring = *topology->current();
    std::set<model::DiskId> out;
    for (const ring::DiskIndex index : ring.owners(ring.arc_of(blob.ring_hash()))) {
      out.insert(ring.disks()[index].id);
    }
    return out;
  }

  std::vector<metadata::NodeRecord> nodes_;
  fakes::ManualClock clock_{std::chrono::sys_days(std::chrono::year(2024) / 1 / 1)};
  metadata::MemoryState state_{clock_};
  metadata::MemoryCluster store_{state_};
  RecordingRemover remover_;
  membership::TopologyCache cache_{store_.nodes, store_.ring, clock_};
  std::unique_ptr<CoordinatingGateway> coordinator_;
};

TEST_F(CoordinatorTest, TheFirstRingWaitsForEnoughDisksAndIsMadeOnce) {
  for (size_t i = 0; i + 1 < nodes_.size(); ++i) {
    ASSERT_TRUE(async::block_on(store_.nodes.record_node(nodes_[i], deadline_in(60s))));
  }
  ASSERT_TRUE(run_once());
  EXPECT_TRUE(state_.cluster.live_rings.empty());
  join_all();
  ASSERT_TRUE(run_once());
  ASSERT_TRUE(run_once());
  ASSERT_EQ(state_.cluster.live_rings.size(), 1u);
  EXPECT_EQ(state_.cluster.live_rings.front().epoch, 1u);
  EXPECT_EQ(cache_.topology()->current()->disks().size(), 6u);
  EXPECT_EQ(cache_.topology()->nodes.size(), 6u);
}

TEST_F(CoordinatorTest, WhoDoesNotLeadDoesNothing) {
  join_all();
  state_.begin_lease("another gateway");
  ASSERT_TRUE(run_once());
  EXPECT_TRUE(state_.cluster.live_rings.empty());
  EXPECT_FALSE(coordinator_->leads());
}

TEST_F(CoordinatorTest, ReleasedBytesAreRemovedAfterTheirGraceFromEveryDiskThatMayHaveThem) {
  with_ring();
  const auto stream = release(1, 2 * model::kChunkBytes + 1);
  clock_.advance(99s);
  ASSERT_TRUE(run_once());
  EXPECT_EQ(remover_.calls, 0) << "the grace is not over";
  clock_.advance(1s);
  ASSERT_TRUE(run_once());
  for (uint32_t chunk = 0; chunk < 3; ++chunk) {
    for (const model::DiskId& owner : owners({stream.stream, chunk})) {
      EXPECT_TRUE(remover_.removed[owner].contains({stream.stream, chunk}));
    }
  }
  std::set<model::BlobId> all;
  for (const auto& [disk, blobs] : remover_.removed) all.insert(blobs.begin(), blobs.end());
  EXPECT_EQ(all.size(), 3u) << "and nothing else";
  EXPECT_TRUE(state_.released.empty());
  EXPECT_EQ(remover_.last_trash, 50s);
  EXPECT_EQ(remover_.last_token, coordinator_->token());
  EXPECT_EQ(coordinator_->status().streams_removed_total, 1u);
}

TEST_F(CoordinatorTest, AStreamStaysQueuedUntilTwoOwnersOfEachChunkHaveIt) {
  with_ring();
  const auto stream = release(1, 1000);
  clock_.advance(200s);
  const auto all = owners({stream.stream, 0});
  remover_.away = {*all.begin(), *std::next(all.begin())};
  ASSERT_TRUE(run_once());
  EXPECT_EQ(state_.released.size(), 1u);
  EXPECT_EQ(coordinator_->status().removals_deferred_total, 1u);
  remover_.away = {*all.begin()};
  clock_.advance(60s);
  ASSERT_TRUE(run_once());
  EXPECT_TRUE(state_.released.empty()) << "one owner may be away: it learns from the others";
}

// Two disks are gone for good: what only they could finish waits by itself, longer each time.
TEST_F(CoordinatorTest, WhatCannotBeFinishedHoldsUpNothingElse) {
  with_ring();
  coordinator_ = nullptr;
  auto few = options();
  few.collector.gc_streams_per_round = 5;
  coordinator_ = std::make_unique<CoordinatingGateway>(stores(), cache_, remover_, few, clock_);
  const auto ring = cache_.topology()->current();
  const std::set<model::DiskId> gone = {ring->disks()[ring->owners(0)[0]].id,
                                        ring->disks()[ring->owners(0)[1]].id};
  remover_.away = gone;
  const auto stuck = [&](const model::StreamId& stream) {
    const auto all = owners({stream, 0});
    return std::ranges::count_if(gone, [&](const auto& disk) { return all.contains(disk); }) == 2;
  };
  int64_t row = 0;
  for (const bool wanted : {true, false}) {
    for (int i = 0; i < 20; ++i) {
      model::StreamId stream;
      do stream = model::StreamId::random();
      while (stuck(stream) != wanted);
      ++row;
      state_.released[row] = {{row, stream, 1000, clock_.now(), {}}, clock_.now()};
    }
  }
  clock_.advance(200s);
  for (int round = 0; round < 8; ++round) ASSERT_TRUE(run_once());
  EXPECT_EQ(state_.released.size(), 20u) << "the younger ones are through";
  EXPECT_EQ(coordinator_->status().removals_deferred_total, 20u) << "each was tried once";
  for (const auto& disk : gone) {
    EXPECT_LE(remover_.asked[disk], 10u) << "a disk that does not answer is left alone for a while";
  }
  // Longer each time.
  for (const auto pause : {30s, 60s, 120s}) {
    clock_.advance(pause - 1s);
    const uint64_t before = coordinator_->status().removals_deferred_total;
    for (int round = 0; round < 4; ++round) ASSERT_TRUE(run_once());
    EXPECT_EQ(coordinator_->status().removals_deferred_total, before);
    clock_.advance(1s);
    for (int round = 0; round < 4; ++round) ASSERT_TRUE(run_once());
    EXPECT_EQ(coordinator_->status().removals_deferred_total, before + 20);
  }
  remover_.away.clear();
  clock_.advance(1h);
  for (int round = 0; round < 4; ++round) ASSERT_TRUE(run_once());
  EXPECT_TRUE(state_.released.empty());
}

TEST_F(CoordinatorTest, OfAStreamThatIsTriedAgainOnlyTheRestIsAsked) {
  with_ring();
  constexpr uint64_t kChunks = 200;
  const auto stream = release(1, kChunks * model::kChunkBytes);
  clock_.advance(200s);
  const auto ring = cache_.topology()->current();
  remover_.away = {ring->disks()[ring->owners(0)[0]].id, ring->disks()[ring->owners(0)[1]].id};
  ASSERT_TRUE(run_once());
  std::set<uint32_t> left;
  for (uint32_t chunk = 0; chunk < kChunks; ++chunk) {
    const auto all = owners({stream.stream, chunk});
    if (std::ranges::count_if(remover_.away,
                              [&](const auto& disk) { return all.contains(disk); }) == 2) {
      left.insert(chunk);
    }
  }
  ASSERT_EQ(state_.released.size(), 1u);
  const auto& kept = state_.released[1].row.chunks;
  EXPECT_EQ(std::set<uint32_t>(kept.begin(), kept.end()), left);
  EXPECT_LT(left.size(), kChunks / 2);
  remover_.away.clear();
  remover_.asked.clear();
  clock_.advance(60s);
  ASSERT_TRUE(run_once());
  EXPECT_TRUE(state_.released.empty());
  for (const auto& [disk, blobs] : remover_.asked) EXPECT_LE(blobs, left.size());
}

TEST_F(CoordinatorTest, ADiskThatHangsHoldsUpNoOther) {
  with_ring();
  for (int64_t row = 1; row <= 50; ++row) release(row, 1000);
  clock_.advance(200s);
  remover_.away = {nodes_[0].disks[0].id, nodes_[1].disks[0].id};
  remover_.hangs = true;
  remover_.others_done = [&] {
    return remover_.removed.size() == nodes_.size() - remover_.away.size();
  };
  ASSERT_TRUE(run_once());
  EXPECT_FALSE(remover_.hung_to_the_end);
}

TEST_F(CoordinatorTest, ANewerCoordinatorEndsTheRound) {
  with_ring();
  release(1, 1000);
  clock_.advance(200s);
  remover_.fenced = true;
  EXPECT_EQ(run_once().error().code, ErrorCode::kPrecondition);
  EXPECT_EQ(remover_.calls, 1);
  EXPECT_EQ(state_.released.size(), 1u);
}

TEST_F(CoordinatorTest, AnEpochWithAKnownNumberButAnotherTableIsAnotherRing) {
  with_ring();
  const uint64_t digest = cache_.digest();
  const auto before = cache_.topology()->rings.front();
  std::vector<ring::Disk> disks(before->disks().begin(), before->disks().end());
  disks.pop_back();
  state_.cluster.live_rings = {
      {1, ring::Ring::build(std::move(disks), options().bootstrap.ring, 1).value().serialize()}};
  ASSERT_TRUE(async::block_on(cache_.refresh(deadline_in(60s))));
  EXPECT_EQ(cache_.topology()->current()->epoch(), 1u);
  EXPECT_EQ(cache_.topology()->current()->disks().size(), 5u);
  EXPECT_NE(cache_.digest(), digest);
  const auto parsed = cache_.topology()->rings.front();
  ASSERT_TRUE(async::block_on(cache_.refresh(deadline_in(60s))));
  EXPECT_EQ(cache_.topology()->rings.front(), parsed) << "what is known is not read again";
}

TEST_F(CoordinatorTest, AJobThatFailsIsNoReasonToStopLeading) {
  with_ring();
  metadata::MemoryState away(clock_);
  metadata::MemoryCluster other(away);
  CoordinatingStores stores = this->stores();
  coordinator_ = std::make_unique<CoordinatingGateway>(
      CoordinatingStores{stores.lease, stores.nodes, stores.ring, stores.releases, other.gc},
      cache_, remover_, options(), clock_);
  away.set_away(true);
  EXPECT_FALSE(run_once());
  EXPECT_TRUE(coordinator_->leads());
  away.set_away(false);
  EXPECT_TRUE(run_once());
  state_.set_away(true);
  EXPECT_FALSE(coordinator_->run_once());
  EXPECT_FALSE(coordinator_->leads());
}

TEST_F(CoordinatorTest, LargeRemovalsComeInBoundedCalls) {
  with_ring();
  for (int64_t row = 1; row <= 30; ++row) release(row, 1000 * model::kChunkBytes);
  clock_.advance(200s);
  ASSERT_TRUE(run_once());
  EXPECT_TRUE(state_.released.empty());
  EXPECT_LE(remover_.largest_call, 4096u);
}

TEST_F(CoordinatorTest, AnEmptyStreamIsDoneAtOnce) {
  with_ring();
  release(1, 0);
  clock_.advance(200s);
  ASSERT_TRUE(run_once());
  EXPECT_TRUE(state_.released.empty());
  EXPECT_EQ(remover_.calls, 0);
}

TEST_F(CoordinatorTest, WithoutTheDatabaseTheTopologyStaysAndIsKnownToBeOld) {
  with_ring();
  EXPECT_TRUE(cache_.confirmed_recently());
  state_.set_away(true);
  EXPECT_FALSE(async::block_on(cache_.refresh(deadline_in(60s))));
  EXPECT_NE(cache_.topology()->current(), nullptr);
  EXPECT_TRUE(cache_.confirmed_recently());
  clock_.advance(6s);
  EXPECT_FALSE(cache_.confirmed_recently());
}

TEST_F(CoordinatorTest, NoMoreChunksAreAskedForThanAStreamCanHave) {
  with_ring();
  RemovalBatch batch(*cache_.topology());
  const metadata::ReleasedStream absurd{7, model::StreamId::random(), uint64_t{1} << 62, {}};
  batch.add(absurd);
  EXPECT_EQ(batch.chunks(), kStreamChunksMax);
  for (const auto& [disk, ids] : batch.per_disk()) batch.mark_done(disk.disk);
  EXPECT_EQ(batch.finished(), std::vector{absurd.row()});
}

TEST_F(CoordinatorTest, OwnersOfEveryLiveEpochAreAsked) {
  with_ring();
  std::vector<ring::Disk> fresh;
  for (int i = 0; i < 3; ++i) {
    fresh.push_back({model::DiskId::random(), model::NodeId::random(), "f" + std::to_string(i),
                     "y" + std::to_string(i), 1ull << 40});
  }
  const auto old = cache_.topology()->rings.front();
  ring::Topology both;
  both.rings = {std::make_shared<const ring::Ring>(old->change(fresh).value()), old};
  RemovalBatch batch(both);
  const metadata::ReleasedStream stream{7, model::StreamId::random(), 10, {}};
  batch.add(stream);
  std::set<model::DiskId> asked;
  for (const auto& [disk, ids] : batch.per_disk()) {
    asked.insert(disk.disk);
    EXPECT_EQ(ids.size(), 1u) << "once, however many epochs name it";
  }
  for (const ring::Disk& disk : fresh) EXPECT_TRUE(asked.contains(disk.id));
  for (const model::DiskId& owner : owners({stream.stream, 0})) EXPECT_TRUE(asked.contains(owner));
  EXPECT_TRUE(batch.finished().empty());
  for (const model::DiskId& owner : owners({stream.stream, 0})) batch.mark_done(owner);
  EXPECT_TRUE(batch.finished().empty()) << "the newest epoch's owners decide";
  batch.mark_done(fresh[0].id);
  batch.mark_done(fresh[1].id);
  EXPECT_EQ(batch.finished(), std::vector{stream.row()});
}

}  // namespace
}  // namespace rondel::gc
