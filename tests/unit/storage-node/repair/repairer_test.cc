#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "tests/unit/storage-node/repair/engine_cluster.h"

namespace rondel::repair {
namespace {

using engine::make_id;
using namespace std::chrono_literals;

TEST(Repairer, FetchesWhatADiskLacksAndRemovesWhatPeersRemoved) {
  EngineCluster cluster(3);
  for (uint64_t n = 1; n <= 30; ++n) {
    ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(n), 1000));
    ASSERT_TRUE(engine::put(*cluster.engines[1], make_id(n), 1000));
  }
  cluster.repair(2);
  for (uint64_t n = 1; n <= 30; ++n) EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(n), 1000)) << n;
  EXPECT_EQ(cluster.lag[0], 0u);
  ASSERT_TRUE(engine::remove(*cluster.engines[0], make_id(7), 5h));
  cluster.repair(2);
  const auto entry = cluster.engines[2]->stat(make_id(7)).value();
  EXPECT_TRUE(entry.trashed);
  EXPECT_EQ(entry.purge_at - cluster.engines[0]->stat(make_id(7))->purge_at < 1s, true);
  EXPECT_GT(entry.purge_at - real_clock().now(), 4h) << "restorable as long as where it was removed";
}

TEST(Repairer, ACopyDamagedAtThePeerComesFromAnotherOwner) {
  EngineCluster cluster(3);
  ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(1), 100'000));
  ASSERT_TRUE(engine::put(*cluster.engines[1], make_id(1), 100'000));
  ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(2), 1000));
  for (const std::string& name : cluster.fs.list("/disk0/segments").value()) cluster.fs.flip_bit("/disk0/segments/" + name, 9000, 1);
  cluster.away = {};
  cluster.repair(2);
  EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(1), 100'000));
  EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(2), 1000)) << "what lies behind is not held up";
}

TEST(Repairer, DamageFoundByAReadIsMended) {
  EngineCluster cluster(3);
  for (size_t i = 0; i < 3; ++i) ASSERT_TRUE(engine::put(*cluster.engines[i], make_id(1), 100'000));
  for (const std::string& name : cluster.fs.list("/disk0/segments").value()) cluster.fs.flip_bit("/disk0/segments/" + name, 9000, 1);
  EXPECT_EQ(engine::verify(*cluster.engines[0], make_id(1), 100'000).error().code, ErrorCode::kCorruption);
  cluster.repair(0);
  EXPECT_TRUE(engine::verify(*cluster.engines[0], make_id(1), 100'000));
  EXPECT_EQ(cluster.status.damaged_replaced, 1u);
}

TEST(Repairer, HandOffsOfADeadOwnerDoNotHoldUpTheOthers) {
  EngineCluster cluster(6);
  // Blobs whose first owner is away, then one whose owner is not.
  std::vector<std::pair<uint64_t, size_t>> dead;
  RepairOptions options;
  options.handoffs_max = 4;
  const size_t holder = 5;
  uint64_t n = 1;
  for (; dead.size() < 20; ++n) {
    const auto order = cluster.order(make_id(n));
    if (order[0] != 0 || std::ranges::count(std::span(order).first(3), holder) > 0) continue;
    ASSERT_TRUE(engine::put(*cluster.engines[holder], make_id(n), 100, cluster.engines[0]->disk_id()));
    dead.emplace_back(n, 0);
  }
  for (;; ++n) {
    const auto order = cluster.order(make_id(n));
    if (order[0] == 1 && std::ranges::count(std::span(order).first(3), holder) == 0) break;
  }
  ASSERT_TRUE(engine::put(*cluster.engines[holder], make_id(n), 100, cluster.engines[1]->disk_id()));
  cluster.away = {0};
  cluster.repair(holder, 5, options);
  EXPECT_TRUE(engine::verify(*cluster.engines[1], make_id(n), 100));
  EXPECT_TRUE(cluster.engines[holder]->stat(make_id(n))->trashed) << "given back and dropped";
  for (const auto& [blob, owner] : dead) EXPECT_FALSE(cluster.engines[holder]->stat(make_id(blob))->trashed) << "kept until the owner has it";
  cluster.away = {};
  cluster.repair(holder, 10, options);
  for (const auto& [blob, owner] : dead) {
    EXPECT_TRUE(engine::verify(*cluster.engines[0], make_id(blob), 100));
    EXPECT_TRUE(cluster.engines[holder]->stat(make_id(blob))->trashed);
  }
}

TEST(Repairer, WhatIsOnItsWayIsNotPolledInALoop) {
  EngineCluster cluster(3);
  cluster.settle = 1h;
  for (uint64_t n = 1; n <= 5; ++n) ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(n), 100));
  RepairOptions options;
  options.entries_max = 2;
  cluster.repair(2, 3, options);
  EXPECT_EQ(cluster.gets, 0u);
  EXPECT_LT(cluster.pulls, 200u);
  EXPECT_EQ(cluster.lag[2], 0u) << "not missed yet";
}

TEST(Repairer, APeersClockThatIsAheadDoesNotDelayRepair) {
  EngineCluster cluster(3);
  cluster.settle = 3s;
  cluster.clock.skew = -1h;
  ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(1), 100));
  cluster.repair(2);
  EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(1), 100));
}

TEST(Repairer, ATruncatedJournalIsComparedOnce) {
  EngineCluster cluster(3);
  for (uint64_t n = 1; n <= 30; ++n) ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(n), 100));
  cluster.journal_period = Duration::zero();
  cluster.open(0);
  std::this_thread::sleep_for(2ms);
  ASSERT_TRUE(cluster.engines[0]->compact_once());
  cluster.repair(2, 10);
  for (uint64_t n = 1; n <= 30; ++n) EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(n), 100)) << n;
  EXPECT_LT(cluster.lists, 12u) << "pages of one comparison";
}

TEST(Repairer, ADiskThatLostItsIndexComparesWithEveryPeer) {
  EngineCluster cluster(3);
  for (uint64_t n = 1; n <= 20; ++n) {
    for (size_t i = 0; i < 3; ++i) ASSERT_TRUE(engine::put(*cluster.engines[i], make_id(n), 100));
  }
  cluster.repair(2);
  // Everything on disk 2 goes, its peers' journals are long read.
  cluster.engines[2].reset();
  for (const std::string& name : cluster.fs.list("/disk2/segments").value()) {
    for (uint64_t at = 4096; at < 40'000; at += 512) cluster.fs.flip_bit("/disk2/segments/" + name, at, 1);
  }
  std::filesystem::remove_all(cluster.folder.path() + "/index2");
  cluster.open(2);
  EXPECT_GT(cluster.engines[2]->doubts(), 0u);
  cluster.repair(2);
  for (uint64_t n = 1; n <= 20; ++n) EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(n), 100)) << n;
}

}  // namespace
}  // namespace rondel::repair
