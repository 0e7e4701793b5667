#include <gtest/gtest.h>

#include <filesystem>
#include <ranges>
#include <thread>

#include "tests/unit/storage-node/repair/engine_cluster.h"
#include "tests/unit/storage-node/repair/hanging_engine.h"

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
  for (uint64_t n = 1; n <= 30; ++n) {
    EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(n), 1000)) << n;
  }
  EXPECT_EQ(cluster.lag.age_us, 0u);
  ASSERT_TRUE(engine::remove(*cluster.engines[0], make_id(7), 5h));
  cluster.repair(2);
  const auto entry = cluster.engines[2]->stat(make_id(7)).value();
  EXPECT_TRUE(entry.trashed);
  EXPECT_EQ(entry.purge_at - cluster.engines[0]->stat(make_id(7))->purge_at < 1s, true);
  EXPECT_GT(entry.purge_at - real_clock().now(), 4h)
      << "restorable as long as where it was removed";
}

TEST(Repairer, ACopyDamagedAtThePeerComesFromAnotherOwner) {
  EngineCluster cluster(3);
  ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(1), 100'000));
  ASSERT_TRUE(engine::put(*cluster.engines[1], make_id(1), 100'000));
  ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(2), 1000));
  for (const std::string& name : cluster.fs.list("/disk0/segments").value()) {
    cluster.fs.flip_bit("/disk0/segments/" + name, 9000, 1);
  }
  cluster.away = {};
  cluster.repair(2);
  EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(1), 100'000));
  EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(2), 1000))
      << "what lies behind is not held up";
}

TEST(Repairer, DamageFoundByAReadIsMended) {
  EngineCluster cluster(3);
  for (size_t i = 0; i < 3; ++i) ASSERT_TRUE(engine::put(*cluster.engines[i], make_id(1), 100'000));
  for (const std::string& name : cluster.fs.list("/disk0/segments").value()) {
    cluster.fs.flip_bit("/disk0/segments/" + name, 9000, 1);
  }
  EXPECT_EQ(engine::verify(*cluster.engines[0], make_id(1), 100'000).error().code,
            ErrorCode::kCorruption);
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
    ASSERT_TRUE(
        engine::put(*cluster.engines[holder], make_id(n), 100, cluster.engines[0]->disk_id()));
    dead.emplace_back(n, 0);
  }
  for (;; ++n) {
    const auto order = cluster.order(make_id(n));
    if (order[0] == 1 && std::ranges::count(std::span(order).first(3), holder) == 0) break;
  }
  ASSERT_TRUE(
      engine::put(*cluster.engines[holder], make_id(n), 100, cluster.engines[1]->disk_id()));
  cluster.away = {0};
  cluster.repair(holder, 5, options);
  EXPECT_TRUE(engine::verify(*cluster.engines[1], make_id(n), 100));
  EXPECT_TRUE(cluster.engines[holder]->stat(make_id(n))->trashed) << "given back and dropped";
  for (const auto& [blob, owner] : dead) {
    EXPECT_FALSE(cluster.engines[holder]->stat(make_id(blob))->trashed)
        << "kept until the owner has it";
  }
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
  EXPECT_EQ(cluster.lag.blobs, 0u) << "not missed yet";
}

// Whatever the peer's clock says: what lacks may be on its way for as long as we have known of it.
TEST(Repairer, ClocksThatDifferNeitherDelayRepairNorDoubleTheTraffic) {
  for (const Duration skew :
       {Duration(0s), Duration(-1h), Duration(1h), Duration(-48h), Duration(48h)}) {
    EngineCluster cluster(3);
    cluster.settle = 3s;
    cluster.clock.set(cluster.clock.now() +
                      std::chrono::duration_cast<std::chrono::microseconds>(skew));
    ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(1), 100));
    ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(2), 100));
    const bool repaired = cluster.repair_until(
        {cluster.engines[2].get()}, {}, [&, arrived = false](const Repairer& repairer) mutable {
          if (repairer.wanted_of(cluster.engines[2]->disk_id()).blobs < 2 && !arrived) return false;
          // One of them comes from the gateway meanwhile; then the time is over.
          if (!std::exchange(arrived, true)) {
            EXPECT_EQ(cluster.gets, 0u);
            EXPECT_EQ(repairer.lag_of(cluster.engines[2]->disk_id()).blobs, 0u) << "not missed yet";
            EXPECT_TRUE(engine::put(*cluster.engines[2], make_id(2), 100));
            cluster.clock.advance(4s);
          }
          return repairer.wanted_of(cluster.engines[2]->disk_id()).blobs == 0;
        });
    EXPECT_TRUE(repaired) << std::chrono::duration<double>(skew).count();
    EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(1), 100));
    EXPECT_EQ(cluster.gets, 1u);
  }
}

TEST(Repairer, ATruncatedJournalIsComparedOnce) {
  EngineCluster cluster(3);
  for (uint64_t n = 1; n <= 30; ++n) ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(n), 100));
  cluster.journal_period = Duration::zero();
  cluster.open(0);
  cluster.disk_clock.advance(2ms);
  ASSERT_TRUE(cluster.engines[0]->compact_once());
  cluster.repair(2, 10);
  for (uint64_t n = 1; n <= 30; ++n) {
    EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(n), 100)) << n;
  }
  EXPECT_LT(cluster.lists, 12u) << "pages of one comparison";
}

// Neither a blob that cannot be had nor one that is still on its way makes a cut journal be
// compared again.
TEST(Repairer, ATruncatedJournalIsComparedOnceWhateverItHolds) {
  EngineCluster cluster(3);
  cluster.settle = 1h;
  for (uint64_t n = 1; n <= 30; ++n) ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(n), 100));
  cluster.journal_period = Duration::zero();
  cluster.open(0);
  cluster.disk_clock.advance(2ms);
  ASSERT_TRUE(cluster.engines[0]->compact_once());
  ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(100), 100));
  cluster.repair(2, 30);
  EXPECT_LT(cluster.lists, 12u) << "pages of one comparison";
}

TEST(Repairer, AComparisonGoesOnWhereItWasAfterARestart) {
  EngineCluster cluster(3);
  for (uint64_t n = 1; n <= 70; ++n) ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(n), 100));
  cluster.journal_period = Duration::zero();
  cluster.open(0);
  cluster.disk_clock.advance(2ms);
  ASSERT_TRUE(cluster.engines[0]->compact_once());
  cluster.lists_max = 6;
  cluster.repair(2, 3);
  EXPECT_EQ(cluster.lists, 6u);
  cluster.open(2);
  // What the journal token was is of no matter here: it is read again, and cut again if need be.
  std::string end(8, '\0');
  store_be(reinterpret_cast<std::byte*>(end.data()),
           cluster.engines[0]->journal_after(0, 1000)->next);
  ASSERT_TRUE(
      cluster.engines[2]->note_setting("catch-up/" + cluster.engines[0]->disk_id().to_hex(), end));
  cluster.lists_max = UINT64_MAX;
  cluster.lists = 0;
  cluster.clock.advance(10s);
  cluster.repair(2, 3);
  EXPECT_LE(cluster.lists, 7u);
  for (uint64_t n = 1; n <= 70; ++n) {
    EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(n), 100)) << n;
  }
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
    for (uint64_t at = 4096; at < 40'000; at += 512) {
      cluster.fs.flip_bit("/disk2/segments/" + name, at, 1);
    }
  }
  std::filesystem::remove_all(cluster.folder.path() + "/index2");
  cluster.open(2);
  EXPECT_GT(cluster.engines[2]->doubts(), 0u);
  cluster.repair(2);
  for (uint64_t n = 1; n <= 20; ++n) {
    EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(n), 100)) << n;
  }
}

// Bit rot in the bytes of one blob on one disk.
void rot(EngineCluster& cluster, size_t disk, uint64_t n, size_t size) {
  const ByteSlice bytes = engine::make_bytes(make_id(n), size);
  const std::string folder = "/disk" + std::to_string(disk) + "/segments";
  for (const std::string& name : cluster.fs.list(folder).value()) {
    auto file = cluster.fs.open(folder + "/" + name, {}).value();
    std::string text(16 << 20, '\0');
    ASSERT_TRUE(file->read_at(0, {reinterpret_cast<std::byte*>(text.data()), text.size()}));
    const auto at = text.find(as_text(bytes.view().first(64)));
    if (at != std::string::npos) cluster.fs.flip_bit(folder + "/" + name, at + 100, 1);
  }
}

TEST(Repairer, ABlobThatNobodyCanReadDoesNotHoldUpTheOthers) {
  EngineCluster cluster(3);
  for (const uint64_t n : {1, 2, 3}) {
    ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(n), n == 1 ? 100'000 : 1000));
  }
  rot(cluster, 0, 1, 100'000);
  cluster.repair(2);
  EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(2), 1000));
  EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(3), 1000));
  EXPECT_EQ(cluster.wanted.blobs, 1u);
  EXPECT_EQ(cluster.wanted.unreadable, 1u) << "disks 0 and 1 answered";
  EXPECT_EQ(cluster.lag.bytes, 100'000u);
  EXPECT_EQ(cluster.lag.blobs, 1u);
  // A good copy turns up, say on a disk that was away: it is tried again.
  ASSERT_TRUE(engine::put(*cluster.engines[1], make_id(1), 100'000));
  cluster.clock.advance(2h);
  cluster.repair(2);
  EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(1), 100'000));
  EXPECT_EQ(cluster.wanted.blobs, 0u);
  EXPECT_EQ(cluster.lag.blobs, 0u);
}

TEST(Repairer, AComparisonGoesOnBehindABlobThatNobodyCanRead) {
  EngineCluster cluster(3);
  for (uint64_t n = 1; n <= 30; ++n) {
    ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(n), 1000));
  }
  ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(50), 100'000));
  ASSERT_TRUE(engine::put(*cluster.engines[2], make_id(1000), 10));
  rot(cluster, 0, 50, 100'000);
  cluster.engines[2].reset();
  std::filesystem::remove_all(cluster.folder.path() + "/index2");
  cluster.open(2);
  ASSERT_GT(cluster.engines[2]->doubts(), 0u);
  cluster.repair(2);
  ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(60), 1000));
  cluster.repair(2);
  for (uint64_t n = 1; n <= 30; ++n) {
    EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(n), 1000)) << n;
  }
  EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(60), 1000)) << "written after";
  EXPECT_LT(cluster.lists, 20u);
}

TEST(Repairer, OverItsBoundTheListHoldsTheJournalAndForgetsNothing) {
  EngineCluster cluster(3);
  for (uint64_t n = 1; n <= 40; ++n) {
    ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(n), 1000));
  }
  for (uint64_t n = 1; n <= 10; ++n) rot(cluster, 0, n, 1000);
  RepairOptions options;
  options.entries_max = 4;
  options.wanted.entries_max = 8;
  EXPECT_TRUE(
      cluster.repair_until({cluster.engines[2].get()}, options, [&](const Repairer& repairer) {
        const auto counts = repairer.wanted_of(cluster.engines[2]->disk_id());
        return counts.full && counts.unreadable == counts.blobs;
      }));
  EXPECT_LE(cluster.wanted.blobs, 8u);
  for (uint64_t n = 1; n <= 10; ++n) {
    ASSERT_TRUE(engine::put(*cluster.engines[1], make_id(n), 1000));
  }
  cluster.clock.advance(2h);
  cluster.repair(2, 10, options);
  for (uint64_t n = 1; n <= 40; ++n) {
    EXPECT_TRUE(engine::verify(*cluster.engines[2], make_id(n), 1000)) << n;
  }
  EXPECT_FALSE(cluster.wanted.full);
}

TEST(Repairer, APeerThatHangsHoldsUpNoOther) {
  EngineCluster cluster(4);
  for (uint64_t n = 1; n <= 40; ++n) {
    for (const size_t i : {0, 1, 2}) {
      ASSERT_TRUE(engine::put(*cluster.engines[i], make_id(n), n % 10 == 0 ? 300'000 : 1000));
    }
  }
  // It answered when its journal was read; only then it hangs.
  cluster.settle = 3s;
  bool hangs = false;
  const auto lacks = [&] {
    return std::ranges::count_if(std::views::iota(uint64_t{1}, uint64_t{41}), [&](uint64_t n) {
      const auto owners = cluster.order(make_id(n));
      return std::ranges::count(std::span(owners).first(3), 3u) > 0 &&
             !cluster.engines[3]->stat(make_id(n));
    });
  };
  ASSERT_GT(lacks(), 0);
  EXPECT_TRUE(cluster.repair_until({cluster.engines[3].get()}, {}, [&](const Repairer& repairer) {
    if (static_cast<int64_t>(repairer.wanted_of(cluster.engines[3]->disk_id()).blobs) == lacks() &&
        !std::exchange(hangs, true)) {
      cluster.hanging = {0};
      cluster.clock.advance(4s);
    }
    return hangs && lacks() == 0;
  }));
}

// The owner holds another blob under the id of the first: that is no reason to leave the owner
// alone.
TEST(Repairer, ACopyThatItsOwnerRefusesDoesNotHoldUpTheOwnersOthers) {
  EngineCluster cluster(6);
  const size_t holder = 5;
  std::vector<uint64_t> blobs;
  for (uint64_t n = 1; blobs.size() < 5; ++n) {
    const auto order = cluster.order(make_id(n));
    if (order[0] == 0 && std::ranges::count(std::span(order).first(3), holder) == 0) {
      blobs.push_back(n);
    }
  }
  ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(blobs[0]), 200));
  const model::DiskId owner = cluster.engines[0]->disk_id();
  for (const uint64_t n : blobs) {
    ASSERT_TRUE(engine::put(*cluster.engines[holder], make_id(n), 100, owner));
  }
  cluster.repair(holder, 3);
  for (const uint64_t n : std::span(blobs).subspan(1)) {
    EXPECT_TRUE(engine::verify(*cluster.engines[0], make_id(n), 100)) << n;
    EXPECT_TRUE(cluster.engines[holder]->stat(make_id(n))->trashed) << n;
  }
  EXPECT_FALSE(cluster.engines[holder]->stat(make_id(blobs[0]))->trashed);
}

// Of a page that cannot be taken everything is behind, since its first entry.
TEST(Repairer, APageThatIsNotTakenIsBehindSinceItsFirstEntry) {
  EngineCluster cluster(3);
  for (uint64_t n = 1; n <= 5; ++n) ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(n), 100));
  cluster.first_is_older = 1h;
  HangingEngine refusing(*cluster.engines[2]);
  refusing.refuse();
  ASSERT_TRUE(cluster.repair_until(
      {&refusing}, {}, [](const Repairer& repairer) { return repairer.status().errors > 0; }));
  EXPECT_GE(cluster.lag.age_us, 3'600'000'000u);
}

TEST(Repairer, AnOwnDiskThatHangsHoldsUpNoOther) {
  EngineCluster cluster(6);
  for (uint64_t n = 1; n <= 60; ++n) {
    const auto order = cluster.order(make_id(n));
    for (const size_t i : std::span(order).first(2)) {
      ASSERT_TRUE(engine::put(*cluster.engines[i], make_id(n), 1000));
    }
  }
  HangingEngine hung(*cluster.engines[4]);
  hung.hang(true);
  const auto whole = [&](size_t disk) {
    return std::ranges::all_of(std::views::iota(uint64_t{1}, uint64_t{61}), [&](uint64_t n) {
      return cluster.order(make_id(n))[2] != disk || cluster.engines[disk]->stat(make_id(n));
    });
  };
  ASSERT_FALSE(whole(5));
  EXPECT_TRUE(cluster.repair_until(
      {&hung, cluster.engines[5].get()}, {},
      [&](const Repairer& repairer) {
        // Metrics and heartbeats ask this, also about the disk that hangs.
        EXPECT_EQ(repairer.lag_of(hung.disk_id()).blobs, 0u);
        EXPECT_EQ(repairer.wanted_of(hung.disk_id()).blobs, 0u);
        return hung.waiting() > 0 && whole(5);
      },
      [&] { hung.hang(false); }));
}

TEST(Repairer, ACopyKeepsTheTimeOfItsMaker) {
  EngineCluster cluster(3);
  const SystemTime made = real_clock().now() - 100h;
  ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(1), 100, {}, false, made));
  ASSERT_TRUE(engine::put(*cluster.engines[0], make_id(2), 300'000, {}, false, made));
  cluster.clock.set(cluster.clock.now() - 48h);  // The node's clock is two days behind.
  cluster.repair(2);
  for (const uint64_t n : {1, 2}) {
    const auto copy = cluster.engines[2]->stat(make_id(n));
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->created_at, made);
    EXPECT_LT(real_clock().now() - copy->received_at, 1h) << "by the clock of the disk";
  }
}

// Who had the blob, as a place in the order of disks for it: three owners, then others.
struct Held {
  const char* name;
  std::vector<size_t> copies;  // Good ones.
  std::vector<size_t> rotten;  // At these it is damaged.
  size_t handoff;              // Holds a copy for owner 0; 9: nobody.
  size_t lacks;                // Is repaired.
};

TEST(Repairer, HandOffDisksAreSources) {
  const Held cases[] = {
      {"the other owner is damaged", {}, {1}, 3, 2},
      {"no owner has it", {}, {}, 3, 2},
      {"it stands in for another owner", {}, {}, 4, 1},
      {"an owner has it", {1}, {}, 9, 2},
      {"the holder is a damaged owner's neighbour", {}, {1}, 5, 2},
  };
  for (const Held& held : cases) {
    for (const size_t size : {size_t{1000}, size_t{300'000}}) {
      EngineCluster cluster(7);
      const auto order = cluster.order(make_id(1));
      const ring::Ring& ring = *cluster.topology()->current();
      const auto handoffs = ring.handoffs(ring.arc_of(make_id(1).ring_hash()), 4);
      for (const size_t i : held.copies) {
        ASSERT_TRUE(engine::put(*cluster.engines[order[i]], make_id(1), size));
      }
      for (const size_t i : held.rotten) {
        ASSERT_TRUE(engine::put(*cluster.engines[order[i]], make_id(1), size));
        rot(cluster, order[i], 1, size);
      }
      if (held.handoff < 9) {
        const size_t holder = cluster.position(ring.disks()[handoffs[held.handoff - 3]].id);
        ASSERT_TRUE(engine::put(*cluster.engines[holder], make_id(1), size,
                                cluster.engines[order[0]]->disk_id()));
      }
      cluster.away = {order[0]};
      cluster.repair(order[held.lacks]);
      EXPECT_TRUE(engine::verify(*cluster.engines[order[held.lacks]], make_id(1), size))
          << held.name << ", " << size << " bytes";
    }
  }
}

TEST(Repairer, AHandOffCopyThatWasAwayDoesNotBringARemovedBlobBack) {
  for (const bool purged : {false, true}) {
    for (const size_t size : {size_t{100}, size_t{300'000}}) {
      EngineCluster cluster(6);
      const auto order = cluster.order(make_id(1));
      const size_t holder = order[5];
      for (const size_t i : {order[1], order[2]}) {
        ASSERT_TRUE(engine::put(*cluster.engines[i], make_id(1), size));
      }
      ASSERT_TRUE(engine::put(*cluster.engines[holder], make_id(1), size,
                              cluster.engines[order[0]]->disk_id()));
      // Two owners have it in the trash or no longer, the third never had it, the holder is away.
      for (const size_t i : {order[1], order[2]}) {
        ASSERT_TRUE(engine::remove(*cluster.engines[i], make_id(1),
                                   {5, purged ? Duration(0s) : Duration(1h), true}));
        cluster.disk_clock.advance(2ms);
        ASSERT_TRUE(cluster.engines[i]->compact_once());
      }
      cluster.away = {holder};
      cluster.repair(order[0]);
      cluster.away = {};
      cluster.repair(holder);  // It is back.
      const auto entry = cluster.engines[order[0]]->stat(make_id(1));
      EXPECT_FALSE(entry && !entry->trashed) << "live again, and nothing refers to it";
      const auto held = cluster.engines[holder]->stat(make_id(1)).value();
      EXPECT_TRUE(held.trashed && !held.dropped);
      EXPECT_EQ(held.order, 5u) << "by the removal that the owner knows";
    }
  }
}

TEST(Repairer, ALargeHandOffCopyIsGivenBack) {
  EngineCluster cluster(6);
  const auto order = cluster.order(make_id(1));
  const SystemTime made = real_clock().now() - 5h;
  ASSERT_TRUE(engine::put(*cluster.engines[order[5]], make_id(1), 1'000'000,
                          cluster.engines[order[0]]->disk_id(), false, made));
  cluster.repair(order[5]);
  EXPECT_TRUE(engine::verify(*cluster.engines[order[0]], make_id(1), 1'000'000));
  EXPECT_EQ(cluster.engines[order[0]]->stat(make_id(1))->created_at, made);
  EXPECT_TRUE(cluster.engines[order[5]]->stat(make_id(1))->dropped);
}

TEST(Repairer, ARestoredBlobStaysWhenAnotherPeerTellsOfTheOldRemoval) {
  EngineCluster cluster(3);
  for (size_t i = 0; i < 3; ++i) ASSERT_TRUE(engine::put(*cluster.engines[i], make_id(1), 100));
  // Disk 2 is away longer than the trash lasts. An operator takes the removal back in time, but not
  // everywhere yet.
  for (const size_t i : {0, 1}) {
    ASSERT_TRUE(engine::remove(*cluster.engines[i], make_id(1), {5, 10ms, true}));
  }
  ASSERT_EQ(cluster.engines[0]->restore({make_id(1)}, 7).value(), 1u);
  cluster.disk_clock.advance(20ms);
  ASSERT_TRUE(cluster.engines[1]->compact_once());
  EXPECT_FALSE(cluster.engines[1]->stat(make_id(1)));
  for (const auto& away : {std::set<size_t>{1}, std::set<size_t>{0}, std::set<size_t>{}}) {
    cluster.away = away;
    cluster.repair(2);
    ASSERT_TRUE(cluster.engines[2]->compact_once());
  }
  cluster.repair(1);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(engine::verify(*cluster.engines[i], make_id(1), 100)) << i;
    EXPECT_FALSE(cluster.engines[i]->stat(make_id(1))->trashed) << i;
  }
}

TEST(Repairer, ARemovalThatAPeerTellsOfGoesThroughTheTrash) {
  EngineCluster cluster(3);
  for (size_t i = 0; i < 3; ++i) ASSERT_TRUE(engine::put(*cluster.engines[i], make_id(1), 100));
  ASSERT_TRUE(engine::remove(*cluster.engines[0], make_id(1), {5, 0s, true}));
  cluster.disk_clock.advance(5ms);
  cluster.repair(2);
  ASSERT_TRUE(cluster.engines[2]->compact_once());
  const auto entry = cluster.engines[2]->stat(make_id(1));
  ASSERT_TRUE(entry) << "restorable, however long the disk was away";
  EXPECT_GT(entry->purge_at - real_clock().now(), 50min);
}

TEST(Repairer, ABlobThatWasRemovedWhileItWasWantedIsWantedNoLonger) {
  EngineCluster cluster(3);
  cluster.settle = 1h;
  for (const size_t i : {0, 1}) ASSERT_TRUE(engine::put(*cluster.engines[i], make_id(1), 100));
  cluster.repair(2);
  EXPECT_EQ(cluster.wanted.blobs, 1u);
  for (const size_t i : {0, 1}) {
    ASSERT_TRUE(engine::remove(*cluster.engines[i], make_id(1), {5, 0s, true}));
    cluster.disk_clock.advance(5ms);
    ASSERT_TRUE(cluster.engines[i]->compact_once());
  }
  // The journal tells nothing of it any more: those that were asked for it do.
  std::string end(8, '\0');
  store_be(reinterpret_cast<std::byte*>(end.data()),
           cluster.engines[0]->journal_after(0, 100)->next);
  for (const size_t i : {0, 1}) {
    ASSERT_TRUE(cluster.engines[2]->note_setting(
        "catch-up/" + cluster.engines[i]->disk_id().to_hex(), end));
  }
  cluster.clock.advance(2h);
  cluster.repair(2);
  EXPECT_EQ(cluster.wanted.blobs, 0u);
  EXPECT_EQ(*cluster.engines[2]->removal_of(make_id(1)), 5u);
}

TEST(Repairer, DamageIsMendedAfterARestartToo) {
  for (const size_t size : {size_t{100'000}, size_t{600'000}}) {
    EngineCluster cluster(3);
    for (size_t i = 0; i < 3; ++i) ASSERT_TRUE(engine::put(*cluster.engines[i], make_id(1), size));
    rot(cluster, 0, 1, size);
    EXPECT_FALSE(engine::verify(*cluster.engines[0], make_id(1), size));
    cluster.away = {1, 2};
    cluster.repair(0);
    EXPECT_EQ(cluster.wanted.blobs, 1u);
    ASSERT_TRUE(cluster.engines[0]->put_setting("any", "value")) << "makes durable what was noted";
    cluster.open(0);
    cluster.away = {};
    cluster.clock.advance(2min);
    cluster.repair(0);
    EXPECT_TRUE(engine::verify(*cluster.engines[0], make_id(1), size));
    EXPECT_EQ(cluster.status.damaged_replaced, 1u);
  }
}

}  // namespace
}  // namespace rondel::repair
