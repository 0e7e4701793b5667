// Jobs run under the token of the lease, and only while it is held; how each goes is known.
#include "jobs/scheduler.h"

#include <gtest/gtest.h>

#include "common/async/loop_threads.h"
#include "metadata/memory/memory_cluster.h"
#include "tests/fakes/manual_clock.h"

namespace rondel::jobs {
namespace {

using namespace std::chrono_literals;

class ScriptedJob final : public Job {
 public:
  explicit ScriptedJob(std::string name) : name_(std::move(name)) {}

  std::string_view name() const override { return name_; }

  async::Task<Result<void>> run_round(const Term& term) override {
    tokens.push_back(term.token());
    if (during) during(term);
    co_return outcome;
  }

  Duration pause() const override { return 1ms; }

  std::vector<uint64_t> tokens;
  std::function<void(const Term&)> during;
  Result<void> outcome;

 private:
  const std::string name_;
};

class SchedulerTest : public ::testing::Test {
 protected:
  void claim() { ASSERT_TRUE(async::block_on(lease_.claim())); }

  void round(size_t job) {
    async::block_on(scheduler_.run_round(job, [this] { return stopping_; }));
  }

  fakes::ManualClock clock_{std::chrono::sys_days(std::chrono::year(2024) / 1 / 1)};
  metadata::MemoryState state_{clock_};
  metadata::MemoryCluster store_{state_};
  LeaseHolder lease_{store_.lease};
  ScriptedJob first_{"first"}, second_{"second"};
  Scheduler scheduler_{lease_, {&first_, &second_}, clock_};
  bool stopping_ = false;
};

TEST_F(SchedulerTest, WhoDoesNotLeadRunsNothing) {
  round(0);
  state_.begin_lease("another gateway");
  claim();
  round(0);
  EXPECT_TRUE(first_.tokens.empty());
  EXPECT_EQ(scheduler_.progress()[0].rounds_total, 0u);
}

TEST_F(SchedulerTest, ARoundHasTheTokenOfTheLease) {
  claim();
  ASSERT_NE(lease_.token(), 0u);
  round(0);
  round(1);
  EXPECT_EQ(first_.tokens, std::vector<uint64_t>{lease_.token()});
  EXPECT_EQ(second_.tokens, std::vector<uint64_t>{lease_.token()});
}

TEST_F(SchedulerTest, ATermEndsWithTheLeaseAndWithTheProcess) {
  const struct {
    const char* name;
    std::function<void()> end;
  } cases[] = {
      {"resigned", [this] { lease_.resign(); }},
      {"lost", [this] { lease_.lose(lease_.token()); }},
      {"the process ends", [this] { stopping_ = true; }},
      {"the database is away",
       [this] {
         state_.set_away(true);
         EXPECT_FALSE(async::block_on(lease_.claim()));
         state_.set_away(false);
       }},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    claim();
    stopping_ = false;
    bool held_before = false, held_after = true;
    first_.during = [&](const Term& term) {
      held_before = term.is_held();
      c.end();
      held_after = term.is_held();
    };
    round(0);
    EXPECT_TRUE(held_before);
    EXPECT_FALSE(held_after);
  }
}

TEST_F(SchedulerTest, OnlyANewerCoordinatorEndsTheTerm) {
  const struct {
    const char* name;
    Result<void> outcome;
    bool leads;
    uint64_t failed;
  } cases[] = {
      {"done", {}, true, 0},
      {"failed", fail(ErrorCode::kUnavailable, "away"), true, 1},
      {"halted", fail(kHalted, "somebody must look"), true, 0},
      {"superseded", fail(kSuperseded, "a newer coordinator commands"), false, 0},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    claim();
    const Progress before = scheduler_.progress()[0];
    first_.outcome = c.outcome;
    round(0);
    EXPECT_EQ(lease_.leads(), c.leads);
    const Progress after = scheduler_.progress()[0];
    EXPECT_EQ(after.rounds_total, before.rounds_total + 1);
    EXPECT_EQ(after.failed_total, before.failed_total + c.failed);
    EXPECT_EQ(after.last_error, c.outcome ? "" : c.outcome.error().message);
  }
}

TEST_F(SchedulerTest, AJobThatFailsDoesNotHoldUpTheNext) {
  claim();
  first_.outcome = fail(ErrorCode::kUnavailable, "away");
  round(0);
  round(1);
  EXPECT_EQ(second_.tokens.size(), 1u);
  EXPECT_EQ(scheduler_.progress()[1].last_error, "");
}

TEST_F(SchedulerTest, ProgressTellsWhatIsUnderWayAndHowLongTheLastOneTook) {
  claim();
  first_.during = [this](const Term&) {
    EXPECT_TRUE(scheduler_.progress()[0].running);
    clock_.advance(3s);
  };
  round(0);
  const Progress progress = scheduler_.progress()[0];
  EXPECT_EQ(progress.job, "first");
  EXPECT_FALSE(progress.running);
  EXPECT_EQ(progress.last_took, 3s);
  EXPECT_EQ(progress.last_ended, clock_.now());
}

// The whole of it on a loop: leads, runs each job again and again, and gives the lease back.
TEST_F(SchedulerTest, RunsJobsUntilItIsStoppedAndResigns) {
  async::LoopThreads loops(1);
  async::TaskGroup group(loops.loop(0));
  std::atomic<int> rounds{0};
  first_.during = [&](const Term&) { ++rounds; };
  std::atomic<int> others{0};
  second_.during = [&](const Term&) { ++others; };
  scheduler_.start(group);
  while (rounds < 3 || others < 3) std::this_thread::sleep_for(1ms);
  group.stop();
  async::block_on(group.wait_idle());
  loops.join();
  EXPECT_FALSE(lease_.leads());
  LeaseHolder next(store_.lease);
  ASSERT_TRUE(async::block_on(next.claim()));
  EXPECT_TRUE(next.leads());
}

TEST(Pace, RestsByUnitsOrByTime) {
  EXPECT_EQ(Pace::units_per_second(20'000).rest_after(1'000, 7s), 50ms);
  EXPECT_EQ(Pace::part_of_time(10).rest_after(1'000, 7ms), 63ms);
  EXPECT_EQ(Pace::part_of_time(1).rest_after(1, 7ms), Duration(0));
}

}  // namespace
}  // namespace rondel::jobs
