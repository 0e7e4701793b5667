// The interlocks of garbage collection, each by itself.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "gateway/cluster/coordinator.h"
#include "tests/fakes/fixed_topology.h"
#include "tests/fakes/memory_cluster_store.h"

namespace rondel::cluster {
namespace {

using namespace std::chrono_literals;

class Lister final : public BlobLister {
 public:
  async::Task<Result<std::vector<ListedBlob>>> list(rpc::DiskAddress at, model::BlobId after, Deadline) override {
    if (away.contains(at.disk)) co_return fail(ErrorCode::kUnavailable, "away");
    if (on_list) on_list(at.disk);
    std::vector<ListedBlob> page;
    bool behind = after == model::BlobId{};
    for (const ListedBlob& blob : disks[at.disk]) {
      if (behind && page.size() < 7) page.push_back(blob);
      behind = behind || blob.id == after;
    }
    co_return page;
  }

  std::map<model::DiskId, std::vector<ListedBlob>> disks;
  std::set<model::DiskId> away;
  std::function<void(const model::DiskId&)> on_list;
};

// Nodes that remember the database, as rondel-node does.
class Remover final : public BlobRemover {
 public:
  async::Task<Result<void>> remove(rpc::DiskAddress, std::vector<model::BlobId> ids, RemovalOrder order, Deadline) override {
    if (!order.generation.follows(seen)) co_return fail(ErrorCode::kOutOfRange, "older than seen");
    seen = order.generation;
    removed += ids.size();
    co_return Result<void>{};
  }

  model::MetadataGeneration seen;
  size_t removed = 0;
};

class GarbageTest : public ::testing::Test {
 protected:
  GarbageTest() {
    for (int i = 0; i < 3; ++i) {
      members_.push_back({model::DiskId::random(), model::NodeId::random(), "h" + std::to_string(i), "z" + std::to_string(i), 1ull << 40});
    }
    auto topology = std::make_shared<ring::Topology>();
    topology->rings.push_back(std::make_shared<const ring::Ring>(ring::Ring::build(members_, {}, 1).value()));
    source_.topology_ = topology;
  }

  struct Source final : ring::TopologySource {
    std::shared_ptr<const ring::Topology> topology() const override { return topology_; }
    std::shared_ptr<const ring::Topology> topology_;
  };

  struct Ahead final : Clock {
    explicit Ahead(std::chrono::microseconds by_) : by(by_) {}
    SystemTime now() const override { return real_clock().now() + by; }
    SteadyTime steady_now() const override { return real_clock().steady_now(); }
    const std::chrono::microseconds by;
  };

  model::StreamId add(size_t disk, Duration created, Duration received, bool referenced, uint32_t chunk = 0) {
    const auto stream = model::StreamId::random();
    const SystemTime now = real_clock().now();
    const auto ago = [now](Duration age) { return now - std::chrono::duration_cast<std::chrono::microseconds>(age); };
    lister_.disks[members_[disk].id].push_back({{stream, chunk}, 100, ago(created), ago(received)});
    if (referenced) store_.referenced.insert(stream);
    return stream;
  }

  Result<void> pass() {
    Result<void> result;
    auto work = [](GarbageTest& test, Result<void>& out) -> async::Task<void> {
      async::TaskGroup group(*async::EventLoop::current());
      const Ahead clock(test.ahead_);
      OrphanScan scan(test.store_, test.source_, test.lister_, test.options_, clock);
      out = co_await scan.run_pass(1, group, [] { return true; });
      test.status_ = scan.status();
    };
    async::block_on(work(*this, result));
    return result;
  }

  Result<void> collect() {
    OrphanScan scan(store_, source_, lister_, options_, real_clock());
    Coordinator coordinator(store_, source_, remover_, scan, {}, real_clock());
    auto result = async::block_on(coordinator.run_once());
    halted_ = coordinator.status().gc_halted;
    return result;
  }

  std::vector<ring::Disk> members_;
  Source source_;
  fakes::MemoryClusterStore store_;
  Lister lister_;
  Remover remover_;
  OrphanScanOptions options_{.orphan_age = 24h, .blobs_per_second = 1'000'000'000};
  OrphanScanStatus status_;
  std::string halted_;
  std::chrono::microseconds ahead_{0};
};

TEST_F(GarbageTest, OnlyWhatIsOldByBothClocksAndUnreferencedIsReleased) {
  for (int i = 0; i < 20; ++i) add(0, 48h, 48h, true);
  add(0, 48h, 1h, false);
  add(0, 1h, 48h, false);
  add(0, -48h, 48h, false);
  const auto orphan = add(1, 25h, 25h, false, 4);
  ASSERT_TRUE(pass());
  ASSERT_EQ(store_.released().size(), 1u);
  EXPECT_EQ(store_.released().begin()->second.stream, orphan);
  EXPECT_EQ(model::chunk_count(store_.released().begin()->second.size), 5u) << "every chunk up to the one seen";
  EXPECT_EQ(status_.blobs_scanned_total, 24u);
  EXPECT_EQ(status_.passes_total, 1u);
  ASSERT_TRUE(pass());
  EXPECT_EQ(store_.released().size(), 1u) << "once";
}

TEST_F(GarbageTest, ADiskWithTooManyOrphansReleasesNothingAndHalts) {
  options_.disk_floor = 100;
  for (int i = 0; i < 5'000; ++i) add(0, 48h, 48h, true);
  for (int i = 0; i < 101; ++i) add(0, 48h, 48h, false);
  EXPECT_EQ(pass().error().code, ErrorCode::kPrecondition);
  EXPECT_TRUE(store_.released().empty());
  EXPECT_NE(store_.garbage.halted.find("101 of 5101 blobs are orphans on disk"), std::string::npos) << store_.garbage.halted;
  EXPECT_EQ(pass().error().code, ErrorCode::kPrecondition) << "until somebody looks at it";
  async::block_on(store_.resume_garbage(101, deadline_in(1s)));
  ASSERT_TRUE(pass());
  EXPECT_EQ(store_.released().size(), 101u);
  EXPECT_EQ(store_.garbage.allowance, 0u) << "for one pass";
}

TEST_F(GarbageTest, APassWithTooManyOrphansHalts) {
  options_.floor = 50;
  for (int i = 0; i < 40; ++i) add(0, 48h, 48h, false);
  for (int i = 0; i < 40; ++i) add(1, 48h, 48h, false);
  EXPECT_EQ(pass().error().code, ErrorCode::kPrecondition);
  EXPECT_TRUE(store_.released().empty()) << "nothing before every disk was seen";
  EXPECT_NE(store_.garbage.halted, "");
}

// However many that are: a cluster that grows must not halt for what is as rare as before.
TEST_F(GarbageTest, AShareOfWhatWasLookedAtIsBearable) {
  options_.floor = options_.disk_floor = 10;
  for (size_t disk = 0; disk < 3; ++disk) {
    for (int i = 0; i < 4'970; ++i) add(disk, 48h, 48h, true);
    for (int i = 0; i < 40; ++i) add(disk, 48h, 48h, false);
  }
  ASSERT_TRUE(pass()) << store_.garbage.halted;
  EXPECT_EQ(store_.released().size(), 120u);
  for (int i = 0; i < 11; ++i) add(0, 48h, 48h, false);
  EXPECT_EQ(pass().error().code, ErrorCode::kPrecondition) << "51 of a disk within the orphan age";
  async::block_on(store_.resume_garbage(11, deadline_in(1s)));
  ASSERT_TRUE(pass());
  EXPECT_EQ(store_.released().size(), 131u);
}

// Under way when the database failed, in a cluster that holds next to nothing.
TEST_F(GarbageTest, AFewAreNeverTooMany) {
  for (size_t disk = 0; disk < 3; ++disk) {
    for (int i = 0; i < 256; ++i) add(disk, 48h, 48h, false);
  }
  ASSERT_TRUE(pass()) << store_.garbage.halted;
  EXPECT_EQ(store_.released().size(), 768u);
}

TEST_F(GarbageTest, WhatAPassCannotKeepIsLeftToTheNext) {
  options_.streams_max = 5;
  for (int i = 0; i < 8; ++i) add(0, 48h, 48h, false);
  for (const size_t released : {5u, 8u}) {
    ASSERT_TRUE(pass());
    EXPECT_EQ(store_.released().size(), released);
  }
}

TEST_F(GarbageTest, SmallPassesAddUp) {
  options_.floor = 50;
  for (int i = 0; i < 30; ++i) add(0, 48h, 48h, false);
  ASSERT_TRUE(pass());
  EXPECT_EQ(store_.released().size(), 30u);
  for (int i = 0; i < 30; ++i) add(1, 48h, 48h, false);
  EXPECT_EQ(pass().error().code, ErrorCode::kPrecondition);
  EXPECT_NE(store_.garbage.halted.find("30 of 60 blobs (and 30 were of late) are orphans"), std::string::npos) << store_.garbage.halted;
  async::block_on(store_.resume_garbage(0, deadline_in(1s)));
  ASSERT_TRUE(pass());
  EXPECT_EQ(store_.released().size(), 60u);
}

TEST_F(GarbageTest, SmallPassesOverOneDiskAddUp) {
  options_.disk_floor = 100;
  for (int i = 0; i < 60; ++i) add(0, 48h, 48h, false);
  ASSERT_TRUE(pass());
  for (int i = 0; i < 60; ++i) add(0, 48h, 48h, false);
  EXPECT_EQ(pass().error().code, ErrorCode::kPrecondition);
  EXPECT_EQ(store_.released().size(), 60u);
}

TEST_F(GarbageTest, WhatAnOperatorAllowedDoesNotCountLater) {
  async::block_on(store_.resume_garbage(150, deadline_in(1s)));
  for (int i = 0; i < 150; ++i) add(0, 48h, 48h, false);
  ASSERT_TRUE(pass());
  add(0, 48h, 48h, false);
  ASSERT_TRUE(pass());
  EXPECT_EQ(store_.released().size(), 151u);
}

TEST_F(GarbageTest, TheLongestOrphanAgeOfAllGatewaysCounts) {
  store_.garbage.ages.orphan_age = 72h;
  add(0, 48h, 48h, false);
  const auto orphan = add(0, 73h, 73h, false);
  ASSERT_TRUE(pass());
  ASSERT_EQ(store_.released().size(), 1u);
  EXPECT_EQ(store_.released().begin()->second.stream, orphan);
}

TEST_F(GarbageTest, ADiskThatListsImpossibleChunksIsNotBelieved) {
  add(0, 48h, 48h, false, 0xffffffff);
  add(0, 48h, 48h, false);
  add(1, 48h, 48h, false);
  ASSERT_TRUE(pass());
  EXPECT_EQ(store_.released().size(), 1u);
  EXPECT_EQ(status_.disks_skipped_total, 1u);
}

TEST_F(GarbageTest, TheLongestGraceOfAllGatewaysCounts) {
  store_.garbage.ages.grace = 48h;
  store_.release({1, model::StreamId::random(), 100, real_clock().now() - 24h});
  ASSERT_TRUE(collect());
  EXPECT_EQ(store_.released().size(), 1u);
  store_.garbage.ages.grace = 12h;
  ASSERT_TRUE(collect());
  EXPECT_TRUE(store_.released().empty());
}

TEST_F(GarbageTest, ADiskThatIsAwayIsSkipped) {
  add(0, 48h, 48h, false);
  add(1, 48h, 48h, false);
  lister_.away = {members_[0].id};
  ASSERT_TRUE(pass());
  EXPECT_EQ(store_.released().size(), 1u);
  EXPECT_EQ(status_.disks_skipped_total, 1u);
}

TEST_F(GarbageTest, AFormerCoordinatorReleasesNothing) {
  add(0, 48h, 48h, false);
  store_.usurp();
  EXPECT_FALSE(pass());
  EXPECT_TRUE(store_.released().empty());
}

TEST_F(GarbageTest, AClockThatIsAheadMakesNothingOld) {
  add(0, 1h, 1h, false);
  const auto orphan = add(0, 25h, 25h, false);
  ahead_ = 48h;
  store_.garbage.now = real_clock().now();
  ASSERT_TRUE(pass());
  ASSERT_EQ(store_.released().size(), 1u);
  EXPECT_EQ(store_.released().begin()->second.stream, orphan);
}

TEST_F(GarbageTest, WhatIsReferredToByTheEndOfThePassStays) {
  const auto orphan = add(0, 48h, 48h, false);
  add(1, 48h, 48h, false);
  lister_.on_list = [&](const model::DiskId& disk) {
    if (disk == std::max(members_[0].id, members_[1].id)) store_.referenced.insert(orphan);
  };
  if (members_[0].id > members_[1].id) std::swap(lister_.disks[members_[0].id], lister_.disks[members_[1].id]);
  ASSERT_TRUE(pass());
  EXPECT_EQ(store_.released().size(), 1u);
  EXPECT_NE(store_.released().begin()->second.stream, orphan);
}

class RestoredDatabase : public GarbageTest {
 protected:
  void SetUp() override {
    store_.release({1, model::StreamId::random(), 100, {}});
    ASSERT_TRUE(collect());
    ASSERT_TRUE(store_.released().empty());
    ASSERT_GT(remover_.removed, 0u);
    removed_ = remover_.removed;
    store_.release({2, model::StreamId::random(), 100, {}});
  }

  void expect_halted() {
    ASSERT_TRUE(collect());
    EXPECT_EQ(remover_.removed, removed_);
    EXPECT_EQ(store_.released().size(), 1u);
    EXPECT_NE(halted_, "");
    add(0, 48h, 48h, false);
    EXPECT_FALSE(pass()) << "the scan stands still as well";
    async::block_on(store_.resume_garbage(0, deadline_in(1s)));
    ASSERT_TRUE(collect());
    EXPECT_GT(remover_.removed, removed_);
    EXPECT_EQ(halted_, "");
  }

  size_t removed_ = 0;
};

TEST_F(RestoredDatabase, AnOlderPositionHalts) {
  store_.generation.position -= 1;
  expect_halted();
}

TEST_F(RestoredDatabase, IsFoundWithNothingToRemoveBeforeItHasComeAsFarAgain) {
  ASSERT_TRUE(collect());
  ASSERT_TRUE(store_.released().empty());
  store_.generation.position -= 500;
  ASSERT_TRUE(collect());
  EXPECT_NE(halted_, "");
  store_.generation.position += 1000;
  add(0, 48h, 48h, false);
  EXPECT_EQ(pass().error().code, ErrorCode::kPrecondition);
}

TEST_F(RestoredDatabase, AnotherTimelineHalts) {
  store_.generation.timeline += 1;
  store_.generation.position += 1000;
  expect_halted();
}

TEST_F(RestoredDatabase, AnotherDatabaseHalts) {
  store_.generation.system += 1;
  store_.generation.position += 1000;
  expect_halted();
}

TEST_F(RestoredDatabase, ANodeThatIsAheadByAMomentDoesNot) {
  remover_.seen.position += 1;   // It heard of a newer look at the database.
  store_.generation.position += 5;
  ASSERT_TRUE(collect());
  EXPECT_EQ(halted_, "");
  EXPECT_GT(remover_.removed, removed_);
}

}  // namespace
}  // namespace rondel::cluster
