#include "storage-node/repair/wanted_list.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/fakes/manual_clock.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::repair {
namespace {

using engine::make_id;
using namespace std::chrono_literals;

class WantedListTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs_.make_directory("/disk"));
    open();
  }

  void open() {
    list_.reset();
    engine_.reset();
    engine_ = engine::Engine::open(fs_, engine::small_options(folder_.path() + "/index")).value();
    list_ = std::make_unique<WantedList>(*engine_, options_, clock_);
    ASSERT_TRUE(list_->load());
  }

  Wanted wanted(uint64_t n, uint64_t order = 0) {
    return {make_id(n),
            n,
            static_cast<uint64_t>(clock_.now().time_since_epoch().count()) - 5'000'000,
            order,
            0,
            0,
            0,
            Wanted::Why::kJournal,
            {}};
  }

  bool add(const Wanted& one, Duration patience = 0s) {
    return list_->add(std::span(&one, 1), patience);
  }

  fakes::ManualClock clock_{SystemTime(1'000'000h)};
  engine::TemporaryFolder folder_;
  fs::SimulatedFileSystem fs_{1};
  WantedOptions options_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<WantedList> list_;
};

TEST_F(WantedListTest, NothingIsTakenBeforeItsPatienceIsOver) {
  ASSERT_TRUE(add(wanted(1), 3s));
  EXPECT_FALSE(list_->take_due());
  EXPECT_EQ(list_->lag().blobs, 0u) << "not missed yet";
  clock_.advance(3s);
  EXPECT_EQ(list_->lag(), (model::ReplicationLag{8'000'000, 1, 1}));
  EXPECT_EQ(list_->take_due()->id, make_id(1));
  EXPECT_FALSE(list_->take_due()) << "it is under way";
  EXPECT_EQ(list_->lag().blobs, 1u);
  list_->forget(wanted(1));
  EXPECT_EQ(list_->counts().blobs, 0u);
}

TEST_F(WantedListTest, TriesAreSpacedAndAnAbsentSourceIsAskedSooner) {
  for (const auto outcome : {WantedList::Outcome::kAbsent, WantedList::Outcome::kUnreachable}) {
    ASSERT_TRUE(add(wanted(1)));
    Duration last = 0s;
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(list_->take_due()) << i;
      list_->failed(make_id(1), outcome);
      for (last = 0s; last < 2h; last += 250ms) {
        clock_.advance(250ms);
        if (list_->take_due()) break;
      }
      list_->put_back(make_id(1));
      clock_.advance(1s);
    }
    const Duration most = outcome == WantedList::Outcome::kAbsent ? Duration(1h) : Duration(1min);
    EXPECT_GE(last, most * 3 / 4 - 2s);
    EXPECT_LE(last, most * 5 / 4 + 2s);
    EXPECT_EQ(list_->counts().unreadable, outcome == WantedList::Outcome::kAbsent ? 1u : 0u);
    list_->forget(wanted(1));
  }
}

TEST_F(WantedListTest, ItIsKeptOverARestartAndForgottenWithIt) {
  for (uint64_t n = 1; n <= 3; ++n) ASSERT_TRUE(add(wanted(n, n)));
  ASSERT_TRUE(list_->take_due());
  list_->failed(make_id(1), WantedList::Outcome::kAbsent);
  list_->forget(wanted(2, 2));
  ASSERT_TRUE(list_->persist());
  open();
  EXPECT_EQ(list_->counts().blobs, 2u);
  clock_.advance(2h);
  std::vector<uint64_t> found;
  while (const auto one = list_->take_due()) {
    EXPECT_EQ(one->order, one->length);
    found.push_back(one->length);
  }
  std::ranges::sort(found);
  EXPECT_EQ(found, (std::vector<uint64_t>{1, 3}));
}

TEST_F(WantedListTest, AWallClockThatWasSetBackDelaysNothingForLong) {
  ASSERT_TRUE(add(wanted(1), 3s));
  ASSERT_TRUE(list_->persist());
  clock_.set(clock_.now() - std::chrono::hours(1000));
  open();
  clock_.advance(1h);
  EXPECT_TRUE(list_->take_due());
}

TEST_F(WantedListTest, OverItsBoundNothingIsAdded) {
  options_.entries_max = 3;
  open();
  const std::vector<Wanted> two{wanted(1), wanted(2)}, others{wanted(3), wanted(4)};
  EXPECT_TRUE(list_->add(two, 0s));
  EXPECT_FALSE(list_->add(others, 0s));
  EXPECT_TRUE(list_->counts().full);
  EXPECT_TRUE(list_->add(two, 0s)) << "they are listed";
  EXPECT_EQ(list_->counts().blobs, 2u);
  list_->forget(wanted(1));
  EXPECT_TRUE(list_->add(others, 0s));
  EXPECT_FALSE(list_->counts().full);
}

TEST_F(WantedListTest, AHigherOrderThatComesMeanwhileIsNotForgotten) {
  ASSERT_TRUE(add(wanted(1)));
  const auto first = list_->take_due();
  ASSERT_TRUE(add(wanted(1, 7)));
  list_->forget(*first);
  const auto again = list_->take_due();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->order, 7u);
}

}  // namespace
}  // namespace rondel::repair
