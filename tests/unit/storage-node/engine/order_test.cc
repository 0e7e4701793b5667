// Removals, restores and copies of a blob: the highest order holds, whatever order they come in,
// and a removal outlives the blob's bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <random>

#include "tests/fakes/manual_clock.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::engine {
namespace {

using namespace std::chrono_literals;

class OrderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs_.make_directory("/disk"));
    open();
  }

  void open(bool lose_index = false) {
    engine_.reset();
    if (lose_index) std::filesystem::remove_all(folder_.path() + "/index");
    auto options = small_options(folder_.path() + "/index");
    options.clock = &clock_;
    // Steady time leaps here while calls are under way.
    options.stalled_after = std::chrono::days(36'500);
    engine_ = Engine::open(fs_, options).value();
  }

  // A copy that repair brings.
  Result<void> copy(uint64_t n, uint64_t order, size_t size = 100) {
    return put(*engine_, make_id(n), size, {}, false, clock_.now(), order);
  }

  Result<uint64_t> remove_by(uint64_t n, uint64_t order, bool mark_absent = true,
                             Duration trash = 1h) {
    return remove(*engine_, make_id(n), {order, trash, mark_absent});
  }

  bool live(uint64_t n) {
    const auto entry = engine_->stat(make_id(n));
    return entry && !entry->trashed;
  }

  void purge() {
    clock_.advance(2h);
    ASSERT_TRUE(engine_->compact_once());
  }

  uint64_t journal_entries() { return engine_->journal_after(0, 1000)->entries.size(); }

  fakes::ManualClock clock_{real_clock().now()};
  TemporaryFolder folder_;
  fs::SimulatedFileSystem fs_{1};
  std::unique_ptr<Engine> engine_;
};

// What comes, in which order, and whether the blob is live then.
enum class Event { kCopy, kRemove, kRestore, kPurge, kReopen, kLoseIndex, kDrop };

struct Step {
  Event event;
  uint64_t order = 0;
};

struct Case {
  const char* name;
  std::vector<Step> steps;
  bool live;
};

class Orders : public OrderTest, public ::testing::WithParamInterface<Case> {};

TEST_P(Orders, TheHighestHolds) {
  for (const size_t size : {size_t{100}, size_t{300'000}}) {
    const uint64_t n = size;
    for (const Step& step : GetParam().steps) {
      switch (step.event) {
        case Event::kCopy: (void)copy(n, step.order, size); break;
        case Event::kRemove: ASSERT_TRUE(remove_by(n, step.order)); break;
        case Event::kRestore: ASSERT_TRUE(engine_->restore({make_id(n)}, step.order)); break;
        case Event::kPurge: purge(); break;
        case Event::kReopen: open(); break;
        case Event::kLoseIndex: open(true); break;
        case Event::kDrop: ASSERT_TRUE(remove(*engine_, make_id(n), {0, 1h, false, true})); break;
      }
    }
    EXPECT_EQ(live(n), GetParam().live) << size << " bytes";
    if (GetParam().live) EXPECT_TRUE(verify(*engine_, make_id(n), size));
  }
}

using enum Event;

INSTANTIATE_TEST_SUITE_P(
    All, Orders,
    ::testing::Values(
        Case{"ARestoreOverAnOlderRemoval", {{kCopy}, {kRemove, 5}, {kRestore, 7}}, true},
        Case{"AnOlderRestoreChangesNothing", {{kCopy}, {kRemove, 7}, {kRestore, 5}}, false},
        Case{"AnOlderRemovalAfterARestoreChangesNothing",
             {{kCopy}, {kRemove, 5}, {kRestore, 7}, {kRemove, 6}},
             true},
        Case{"ARestoreOfALiveBlobKeepsOlderRemovalsAway",
             {{kCopy}, {kRestore, 7}, {kRemove, 5}},
             true},
        Case{"AHigherRemovalOfWhatIsInTheTrashCounts",
             {{kCopy}, {kRemove, 5}, {kRemove, 9}, {kRestore, 7}},
             false},
        Case{"ACopyDoesNotRestore", {{kCopy}, {kRemove, 5}, {kCopy}}, false},
        Case{"ACopyOfTheSameOrderDoesNotRestore", {{kCopy}, {kRemove, 5}, {kCopy, 5}}, false},
        Case{"ACopyThatWasRestoredLaterRestores", {{kCopy}, {kRemove, 5}, {kCopy, 7}}, true},
        Case{"ACopyTakesItsOrder", {{kCopy, 7}, {kRemove, 5}}, true},
        Case{"ACopyTakesItsOrderOverALiveOne", {{kCopy}, {kCopy, 7}, {kRemove, 5}}, true},
        Case{"ACopyKeepsItsOrderOverARestart", {{kCopy, 7}, {kReopen}, {kRemove, 5}}, true},
        Case{"ACopyKeepsItsOrderOverTheLossOfTheIndex",
             {{kCopy, 7}, {kLoseIndex}, {kRemove, 5}},
             true},
        Case{"ARemovalOfWhatIsAbsentHolds", {{kRemove, 5}, {kCopy}}, false},
        Case{"ARemovalOfWhatIsAbsentHoldsOverARestart", {{kRemove, 5}, {kReopen}, {kCopy}}, false},
        Case{"ARemovalOfWhatIsAbsentHoldsOverTheLossOfTheIndex",
             {{kRemove, 5}, {kLoseIndex}, {kCopy}},
             false},
        Case{"ALaterCopyOfWhatIsAbsentComes", {{kRemove, 5}, {kCopy, 6}}, true},
        Case{"AHigherRemovalOfWhatIsAbsentCounts", {{kRemove, 5}, {kRemove, 9}, {kCopy, 7}}, false},
        Case{"APurgedBlobStaysAway", {{kCopy}, {kRemove, 5}, {kPurge}, {kCopy}}, false},
        Case{"APurgedBlobStaysAwayOverARestart",
             {{kCopy}, {kRemove, 5}, {kPurge}, {kReopen}, {kCopy}},
             false},
        Case{"APurgedBlobThatWasRestoredElsewhereComes",
             {{kCopy}, {kRemove, 5}, {kPurge}, {kCopy, 7}},
             true},
        Case{"OrdersSurviveARestart",
             {{kCopy}, {kRemove, 5}, {kRestore, 7}, {kReopen}, {kRemove, 6}},
             true},
        Case{"OrdersSurviveTheLossOfTheIndex",
             {{kCopy}, {kRemove, 5}, {kRestore, 7}, {kLoseIndex}, {kRemove, 6}},
             true},
        Case{"ARemovalSurvivesTheLossOfTheIndex",
             {{kCopy}, {kRemove, 5}, {kLoseIndex}, {kCopy}},
             false},
        Case{"ADroppedCopyMayComeAgain", {{kCopy}, {kDrop}, {kCopy}}, true},
        Case{"ADroppedAndPurgedCopyMayComeAgain", {{kCopy}, {kDrop}, {kPurge}, {kCopy}}, true},
        Case{"ADroppedCopyMayComeAgainAfterARestart", {{kCopy}, {kDrop}, {kReopen}, {kCopy}}, true},
        Case{"ARemovalOfADroppedCopyIsOne", {{kCopy}, {kDrop}, {kRemove, 5}, {kCopy}}, false},
        Case{"ARestoreDoesNotBringADroppedCopyBack", {{kCopy}, {kDrop}, {kRestore, 7}}, false},
        Case{"ARestoreOfADroppedCopyKeepsOlderRemovalsAway",
             {{kCopy}, {kDrop}, {kRestore, 7}, {kRemove, 5}, {kCopy}},
             true},
        Case{"OrdersOfADroppedCopySurviveTheLossOfTheIndex",
             {{kCopy}, {kDrop}, {kRestore, 7}, {kLoseIndex}, {kRemove, 5}, {kCopy}},
             true}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(OrderTest, WithoutAMarkARemovalOfWhatIsAbsentIsForgotten) {
  EXPECT_EQ(*remove_by(1, 5, false), 0u);
  EXPECT_TRUE(copy(1, 0));
}

TEST_F(OrderTest, ARefusedCopySaysThatTheBlobWasRemovedAndTheOrderCanBeAsked) {
  EXPECT_EQ(engine_->removal_of(make_id(1)).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(copy(1, 0));
  EXPECT_EQ(engine_->removal_of(make_id(1)).error().code, ErrorCode::kNotFound) << "it is live";
  ASSERT_TRUE(remove_by(1, 5));
  EXPECT_EQ(copy(1, 0).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(*engine_->removal_of(make_id(1)), 5u);
  purge();
  EXPECT_EQ(*engine_->removal_of(make_id(1)), 5u);
  EXPECT_EQ(copy(1, 0, 100).error().code, ErrorCode::kNotFound);
}

TEST_F(OrderTest, ARemovalIsForgottenWhenBothClocksHavePassedTheJournalsPeriod) {
  ASSERT_TRUE(copy(1, 0));
  ASSERT_TRUE(remove_by(1, 5));
  ASSERT_TRUE(remove_by(2, 5));
  purge();
  clock_.set(clock_.now() + 24h * 30);
  ASSERT_TRUE(engine_->compact_once());
  EXPECT_FALSE(copy(1, 0)) << "a clock that jumps ends nothing";
  clock_.advance(24h * 30);
  ASSERT_TRUE(engine_->compact_once());
  EXPECT_TRUE(copy(1, 0));
  EXPECT_TRUE(copy(2, 0));
}

TEST_F(OrderTest, PeersAreToldOfRemovalsAndNotOfDroppedCopies) {
  ASSERT_TRUE(copy(1, 0));
  ASSERT_TRUE(remove_by(2, 5));
  ASSERT_TRUE(remove(*engine_, make_id(1), {0, 1h, false, true}));
  for (const bool lost : {false, true}) {
    const auto page = engine_->journal_after(0, 100).value();
    if (!lost) {
      ASSERT_EQ(page.entries.size(), 2u);
      EXPECT_EQ(page.entries[1].operation, JournalEntry::Operation::kDelete);
      EXPECT_EQ(page.entries[1].blob.id, make_id(2));
      EXPECT_EQ(page.entries[1].blob.order, 5u);
      EXPECT_TRUE(page.entries[1].blob.trashed);
    }
    open(lost);
    EXPECT_FALSE(*engine_->has(make_id(1))) << "whoever owns it must fetch it";
    EXPECT_TRUE(engine_->stat(make_id(1))->dropped);
  }
}

TEST_F(OrderTest, ADroppedCopyThatComesAgainHasTheMarkItComesWith) {
  const auto first = model::DiskId::random(), second = model::DiskId::random();
  for (const auto& mark : {second, model::DiskId{}}) {
    ASSERT_TRUE(put(*engine_, make_id(1), 100, first));
    ASSERT_TRUE(remove(*engine_, make_id(1), {0, 1h, false, true}));
    ASSERT_TRUE(put(*engine_, make_id(1), 100, mark));
    EXPECT_EQ(engine_->stat(make_id(1))->handoff_for, mark);
    open(true);
    EXPECT_EQ(engine_->stat(make_id(1))->handoff_for, mark);
    ASSERT_TRUE(remove(*engine_, make_id(1), {0, 1h, false, true}));
  }
}

TEST_F(OrderTest, TheHighestOrderIsKnownAfterARestart) {
  EXPECT_EQ(engine_->highest_order(), 0u);
  ASSERT_TRUE(copy(1, 0));
  ASSERT_TRUE(remove_by(1, 5));
  ASSERT_TRUE(remove_by(2, 9));
  EXPECT_EQ(engine_->highest_order(), 9u);
  ASSERT_TRUE(engine_->restore({make_id(1)}, 11));
  EXPECT_EQ(engine_->highest_order(), 11u);
  open();
  EXPECT_EQ(engine_->highest_order(), 11u);
  open(true);
  EXPECT_EQ(engine_->highest_order(), 11u);
  ASSERT_TRUE(copy(3, 14));
  open();
  EXPECT_EQ(engine_->highest_order(), 14u);
}

TEST_F(OrderTest, RemovalsHoldWithinABatchToo) {
  // One batch: the committer takes what waits at once.
  for (uint64_t n = 1; n <= 200; ++n) {
    Waiter<uint64_t> removed;
    Waiter<void> stored;
    const ByteSlice bytes = make_bytes(make_id(n), 100);
    PutRequest request{make_id(n), 1, clock_.now(), {}};
    request.fresh = true;
    engine_->remove_async({make_id(n)}, {5, 1h, true}, removed.callback());
    engine_->put_async(request, bytes, hash::block_digests(make_id(n), 0, bytes.view()),
                       stored.callback());
    ASSERT_TRUE(removed.wait());
    EXPECT_EQ(stored.wait().error().code, ErrorCode::kNotFound) << n;
  }
}

// Every order of the same orders ends the same.
// The logs of a restore, or of a copy with an order, are emptied and used again, that of the
// removal is not: what holds is said anew before.
TEST_F(OrderTest, ARestoreWhoseLogIsUsedAgainIsNotLostWithTheIndex) {
  constexpr size_t kFiller = 200'000;
  const auto fill = [&](uint64_t from, uint64_t to) {
    for (uint64_t n = from; n < to; ++n) ASSERT_TRUE(copy(n, 0, kFiller)) << n;
  };
  ASSERT_TRUE(copy(1, 0));
  ASSERT_TRUE(copy(2, 0, 300'000));
  ASSERT_TRUE(copy(3, 0));
  for (uint64_t n = 1; n <= 4; ++n) ASSERT_TRUE(remove_by(n, 1, true, 1h));
  fill(100, 170);  // This log stays.
  fill(170, 190);
  ASSERT_EQ(engine_->restore({make_id(1), make_id(2)}, 2).value(), 2u);
  ASSERT_TRUE(copy(4, 2));  // Its removal is of what was absent.
  uint64_t n = 1000;
  for (int round = 0; round < 8; ++round) {
    const uint64_t first = n;
    fill(n, n + 70);
    n += 70;
    for (uint64_t i = first; i < n; ++i) ASSERT_TRUE(remove_by(i, 0, true, 0s));
    clock_.advance(1min);
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(engine_->compact_once());
  }
  for (const uint64_t i : {1, 2, 4}) ASSERT_TRUE(live(i)) << i;
  ASSERT_FALSE(live(3));

  open(true);
  for (const uint64_t i : {1, 2, 4}) EXPECT_TRUE(live(i)) << i;
  EXPECT_FALSE(live(3));
  clock_.advance(2h);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(engine_->compact_once());
  EXPECT_TRUE(verify(*engine_, make_id(1), 100));
  EXPECT_TRUE(verify(*engine_, make_id(2), 300'000));
  EXPECT_TRUE(verify(*engine_, make_id(4), 100));

  // A restore may still be told by a peer.
  EXPECT_TRUE(engine_->stat(make_id(3)));
  clock_.advance(std::chrono::days(8));
  ASSERT_TRUE(engine_->compact_once());
  EXPECT_FALSE(engine_->stat(make_id(3))) << "the trash ends";
  for (const uint64_t i : {1, 2, 4}) EXPECT_TRUE(live(i)) << i;
}

TEST_F(OrderTest, AnyOrderOfArrivalEndsTheSame) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  int restarts = 0;
  for (uint64_t n = 1; n <= 60; ++n) {
    std::vector<std::pair<uint64_t, bool>> orders;  // Number, and whether it removes.
    for (uint64_t order = 1; order <= 4; ++order) orders.emplace_back(order, random() % 2 == 0);
    const bool removed = orders.back().second;
    std::ranges::shuffle(orders, random);
    ASSERT_TRUE(copy(n, 0));
    for (const auto& [order, removes] : orders) {
      if (removes) ASSERT_TRUE(remove_by(n, order));
      if (!removes) ASSERT_TRUE(engine_->restore({make_id(n)}, order));
      if (random() % 4 == 0) (void)copy(n, random() % order);
      if (random() % 32 == 0 && restarts++ < 10) {
        open(random() % 2 == 0);
      }  // Each begins a segment.
    }
    EXPECT_EQ(live(n), !removed) << "blob " << n << ", seed " << seed;
    EXPECT_EQ(engine_->stat(make_id(n))->order, 4u);
  }
}

}  // namespace
}  // namespace rondel::engine
