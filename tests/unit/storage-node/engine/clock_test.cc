// What ends by age on a disk ends by the wall clock and by the time that the disk was in use: no
// jump of the wall clock, in either direction, ends it, and restarts do not set it back.
#include <gtest/gtest.h>

#include <functional>

#include "storage-node/engine/disk_engine.h"
#include "tests/fakes/manual_clock.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::engine {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;

const SystemTime kStart{std::chrono::sys_days(std::chrono::year(2026) / 6 / 1)};

class ClockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs_.make_directory("/disk"));
    open();
  }

  void open(bool keep_index = true) {
    engine_.reset();
    if (!keep_index) std::filesystem::remove_all(folder_.path() + "/index");
    auto options = small_options(folder_.path() + "/index");
    options.clock = &clock_;
    options.stalled_after = days(36'500);  // Steady time leaps here while calls are under way.
    options.journal_period = days(7);
    options.may_purge = [this](const model::DiskId&) { return may_purge_; };
    options.lose_unflushed_index = lose_unflushed_;
    auto opened = Engine::open(fs_, options);
    ASSERT_TRUE(opened) << opened.error().message;
    engine_ = std::move(*opened);
  }

  void jump(Duration by) {
    clock_.set(clock_.now() + std::chrono::duration_cast<std::chrono::microseconds>(by));
  }

  void pass(Duration by) {
    clock_.advance(std::chrono::duration_cast<std::chrono::microseconds>(by));
  }

  uint64_t elapsed_us() const { return dynamic_cast<DiskEngine&>(*engine_).elapsed_us(); }

  bool in_trash(const model::BlobId& id) {
    EXPECT_TRUE(engine_->compact_once());
    const auto entry = engine_->stat(id);
    return entry && entry->trashed;
  }

  // What a peer is told that asks from the start.
  size_t journal() { return engine_->journal_after(0, 100)->entries.size(); }

  TemporaryFolder folder_;
  fs::SimulatedFileSystem fs_{1};
  fakes::ManualClock clock_{kStart};
  bool may_purge_ = true;
  bool lose_unflushed_ = false;
  std::unique_ptr<Engine> engine_;
};

constexpr Duration kJumps[] = {days(1),  days(7),  days(30), days(365),
                               -days(1), -days(7), -days(30)};

TEST_F(ClockTest, NoJumpEndsTheTrashOrTheJournal) {
  for (const Duration by : kJumps) {
    SCOPED_TRACE(std::chrono::duration_cast<std::chrono::hours>(by));
    const auto id = make_id(1000 + static_cast<uint64_t>(by.count() % 997 + 997));
    ASSERT_TRUE(put(*engine_, id, 1000));
    ASSERT_TRUE(remove(*engine_, id, 24h));
    const size_t told = journal();
    jump(by);
    EXPECT_TRUE(in_trash(id));
    pass(23h);
    EXPECT_TRUE(in_trash(id)) << "an hour is left";
    EXPECT_EQ(journal(), told);
    jump(-by);
    EXPECT_TRUE(in_trash(id));
    EXPECT_EQ(engine_->restore({id}, 0).value(), 1u);
    EXPECT_TRUE(verify(*engine_, id, 1000));
  }
}

TEST_F(ClockTest, TheTrashEndsInTimeWhenTheJumpIsOver) {
  for (const Duration by : kJumps) {
    SCOPED_TRACE(std::chrono::duration_cast<std::chrono::hours>(by));
    const auto id = make_id(1000 + static_cast<uint64_t>(by.count() % 997 + 997));
    ASSERT_TRUE(put(*engine_, id, 1000));
    ASSERT_TRUE(remove(*engine_, id, 24h));
    jump(by);
    pass(12h);
    jump(-by);
    pass(11h);
    EXPECT_TRUE(in_trash(id));
    pass(1h + 1s);
    EXPECT_FALSE(in_trash(id));
    EXPECT_EQ(engine_->stat(id).error().code, ErrorCode::kNotFound);
  }
}

// Removed while the clock was off: the trash is no shorter for that.
TEST_F(ClockTest, WhatWasRemovedByAWrongClockStaysAsLong) {
  for (const Duration by : kJumps) {
    SCOPED_TRACE(std::chrono::duration_cast<std::chrono::hours>(by));
    const auto id = make_id(1000 + static_cast<uint64_t>(by.count() % 997 + 997));
    ASSERT_TRUE(put(*engine_, id, 1000));
    jump(by);
    ASSERT_TRUE(remove(*engine_, id, 24h));
    jump(-by);
    pass(23h);
    EXPECT_TRUE(in_trash(id));
    pass(std::max<Duration>(by, 0s) + 1h + 1s);
    EXPECT_FALSE(in_trash(id));
  }
}

TEST_F(ClockTest, TheJournalEndsByBothClocks) {
  ASSERT_TRUE(put(*engine_, make_id(1), 1000));
  pass(days(6));
  jump(days(7));
  ASSERT_TRUE(engine_->compact_once());
  EXPECT_EQ(journal(), 1u);
  jump(-days(14));
  pass(days(1) + 1s);
  ASSERT_TRUE(engine_->compact_once());
  EXPECT_EQ(journal(), 1u) << "a week by the disk's use, none by the wall clock";
  jump(days(7));
  ASSERT_TRUE(engine_->compact_once());
  EXPECT_TRUE(engine_->journal_after(0, 100)->truncated);
}

// A machine without a clock of its own starts in 1970.
TEST_F(ClockTest, AWallClockAtItsBeginningEndsNothing) {
  ASSERT_TRUE(put(*engine_, make_id(1), 1000));
  ASSERT_TRUE(put(*engine_, make_id(2), 1000));
  ASSERT_TRUE(remove(*engine_, make_id(1), 24h));
  pass(days(8));
  clock_.set(SystemTime(1h));
  open();
  EXPECT_TRUE(in_trash(make_id(1)));
  EXPECT_EQ(journal(), 3u);
  EXPECT_TRUE(verify(*engine_, make_id(2), 1000));
}

TEST_F(ClockTest, ThirtyRestartsADayApartDoNotSetItBack) {
  ASSERT_TRUE(put(*engine_, make_id(1), 1000));
  ASSERT_TRUE(remove(*engine_, make_id(1), days(30)));
  const uint64_t before = elapsed_us();
  for (int day = 0; day < 30; ++day) {
    EXPECT_TRUE(in_trash(make_id(1))) << day;
    pass(days(1));
    open();
  }
  EXPECT_EQ(elapsed_us() - before,
            static_cast<uint64_t>(std::chrono::microseconds(days(30)).count()));
  pass(1s);
  EXPECT_FALSE(in_trash(make_id(1)));
}

TEST_F(ClockTest, AMonthThatTheDiskIsClosedDoesNotCount) {
  ASSERT_TRUE(put(*engine_, make_id(1), 1000));
  ASSERT_TRUE(remove(*engine_, make_id(1), 24h));
  const uint64_t before = elapsed_us();
  engine_.reset();
  pass(days(30));
  open();
  EXPECT_EQ(elapsed_us(), before);
  EXPECT_TRUE(in_trash(make_id(1)));
  EXPECT_EQ(journal(), 2u);
  pass(24h + 1s);
  EXPECT_FALSE(in_trash(make_id(1)));
}

// The power goes, and with it what was not flushed: the clock falls back by seconds and never
// ahead.
TEST_F(ClockTest, ACrashCostsSeconds) {
  lose_unflushed_ = true;
  open();
  pass(days(3));
  ASSERT_TRUE(engine_->compact_once());
  const uint64_t kept = elapsed_us();
  pass(9s);
  ASSERT_TRUE(engine_->compact_once());
  engine_.reset();
  fs_.restart();
  open();
  EXPECT_EQ(elapsed_us(), kept);
}

TEST_F(ClockTest, ALostFileOrIndexSetsNothingBack) {
  ASSERT_TRUE(put(*engine_, make_id(1), 1000));
  pass(days(100));
  ASSERT_TRUE(remove(*engine_, make_id(1), 24h));
  open();
  const uint64_t before = elapsed_us();
  engine_.reset();
  ASSERT_TRUE(fs_.remove("/disk/clock"));
  open();
  EXPECT_EQ(elapsed_us(), before) << "the index knows it too";
  open(false);
  EXPECT_EQ(elapsed_us(), before) << "the file does";
  engine_.reset();
  ASSERT_TRUE(fs_.remove("/disk/clock"));
  open(false);
  EXPECT_EQ(elapsed_us(), 0u);
  EXPECT_TRUE(in_trash(make_id(1)));
  pass(days(6));
  EXPECT_TRUE(in_trash(make_id(1))) << "the peers may know of a restore: the journal's period";
  pass(24h + 1s);
  EXPECT_FALSE(in_trash(make_id(1)))
      << "it begins anew, and the trash with it, not for a hundred days";
}

TEST_F(ClockTest, ATornOrRottenFileIsPassedOver) {
  pass(days(1));
  open();
  const uint64_t before = elapsed_us();
  engine_.reset();
  for (const uint64_t at : {16ull, 4096ull + 16}) {
    SCOPED_TRACE(at);
    auto file = fs_.open("/disk/clock", {.writable = true}).value();
    ASSERT_TRUE(file->write_at(at, std::vector<std::byte>(8, std::byte{0xff})));
    ASSERT_TRUE(file->flush());
    file.reset();
    open();
    EXPECT_EQ(elapsed_us(), before);
    engine_.reset();
  }
  auto file = fs_.open("/disk/clock", {.writable = true}).value();
  ASSERT_TRUE(file->truncate(0));
  file.reset();
  open();
  EXPECT_EQ(elapsed_us(), before);
}

TEST_F(ClockTest, NothingIsPurgedWithoutLeave) {
  ASSERT_TRUE(put(*engine_, make_id(1), 1000));
  ASSERT_TRUE(remove(*engine_, make_id(1), 24h));
  pass(days(2));
  may_purge_ = false;
  EXPECT_TRUE(in_trash(make_id(1)));
  may_purge_ = true;
  EXPECT_FALSE(in_trash(make_id(1)));
}

// Those that the wall clock alone calls due stand before the others in the order of the trash.
TEST_F(ClockTest, WhatIsNotDueYetHoldsUpNothingBehindIt) {
  jump(-days(7));
  for (uint64_t i = 0; i < 50; ++i) ASSERT_TRUE(put(*engine_, make_id(i), 100));
  for (uint64_t i = 0; i < 49; ++i) ASSERT_TRUE(remove(*engine_, make_id(i), 48h));
  jump(days(7));
  ASSERT_TRUE(remove(*engine_, make_id(49), 1h));
  pass(1h + 1s);
  EXPECT_FALSE(in_trash(make_id(49)));
  for (uint64_t i = 0; i < 49; ++i) EXPECT_TRUE(in_trash(make_id(i))) << i;
}

TEST_F(ClockTest, WhatWasRestoredAndRemovedAgainBeginsAnew) {
  ASSERT_TRUE(put(*engine_, make_id(1), 1000));
  ASSERT_TRUE(remove(*engine_, make_id(1), 24h));
  pass(20h);
  ASSERT_EQ(*engine_->restore({make_id(1)}, 1), 1u);
  EXPECT_FALSE(in_trash(make_id(1)));
  ASSERT_TRUE(remove(*engine_, make_id(1), {2, 24h, false}));
  pass(23h);
  EXPECT_TRUE(in_trash(make_id(1)));
  pass(2h);
  EXPECT_FALSE(in_trash(make_id(1)));
}

}  // namespace
}  // namespace rondel::engine
