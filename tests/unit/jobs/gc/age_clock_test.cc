// Whatever ends by age, and every clock that may be wrong: nothing ends early, and nothing for
// good.
#include "cluster/membership/age_clock.h"

#include <gtest/gtest.h>

#include "cluster/membership/topology_cache.h"
#include "jobs/gc/orphan_scan.h"
#include "metadata/memory/memory_cluster.h"
#include "tests/fakes/manual_clock.h"
#include "tests/unit/jobs/gc/coordinating_gateway.h"

namespace rondel::gc {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;
using std::chrono::microseconds;

const SystemTime kStart{std::chrono::sys_days(std::chrono::year(2026) / 6 / 1)};

struct Jump {
  const char* name;
  microseconds gateway;
  microseconds database;
};

constexpr Jump kJumps[] = {
    {"the gateway a day ahead", days(1), 0us},    {"the gateway a week ahead", days(7), 0us},
    {"the gateway a day behind", -days(1), 0us},  {"the gateway a week behind", -days(7), 0us},
    {"the database a day ahead", 0us, days(1)},   {"the database a week ahead", 0us, days(7)},
    {"the database a day behind", 0us, -days(1)}, {"the database a week behind", 0us, -days(7)},
    {"both a day ahead", days(1), days(1)},       {"both a week ahead", days(7), days(7)},
    {"both a day behind", -days(1), -days(1)},    {"both a week behind", -days(7), -days(7)},
};

// A gateway and a database whose clocks are moved apart, and time that passes for both.
class Clocks : public ::testing::Test {
 protected:
  Clocks() { refresh(); }

  SystemTime right() const { return kStart + passed_; }

  void refresh() {
    database_.set(right() + database_by_);
    ages_.sample(database_.now(), clock_.boot_now());
  }

  void jump(const Jump& by) {
    clock_.set(right() + by.gateway);
    gateway_by_ = by.gateway;
    database_by_ = by.database;
    refresh();
  }

  // Second by second, as the topology is refreshed; long times in steps of the time that a sample
  // lives.
  void pass(microseconds time) {
    while (time > 0us) {
      const microseconds step = std::min<microseconds>(time, 50s);
      clock_.advance(step);
      passed_ += step;
      time -= step;
      refresh();
    }
  }

  void end_jump() { jump({"", 0us, 0us}); }

  fakes::ManualClock clock_{kStart};
  microseconds passed_{0}, gateway_by_{0}, database_by_{0};
  fakes::ManualClock database_{kStart};
  membership::AgeClock ages_{clock_};
};

class AgeClockTest : public Clocks {};

// What bytes are stamped by: whatever this gateway's clock shows or does, and while it sleeps.
TEST_F(AgeClockTest, TheDatabasesClockGoesOnFromWhereItWasHeard) {
  const Clock& database = ages_.database();
  for (const Jump& by : kJumps) {
    SCOPED_TRACE(by.name);
    jump(by);
    EXPECT_EQ(database.now(), database_.now());
    clock_.advance(10s);
    EXPECT_EQ(database.now(), database_.now() + 10s);
    clock_.set(kStart + days(100));
    EXPECT_EQ(database.now(), database_.now() + 10s);
    clock_.sleep(3h);
    EXPECT_EQ(database.now(), database_.now() + 10s + 3h) << "a body that slept is as old as it is";
    EXPECT_EQ(ages_.now_for_age(), std::nullopt)
        << "and a clock that was heard before is not believed";
    end_jump();
  }
}

TEST_F(AgeClockTest, TheDatabasesClockIsOursBeforeItWasHeard) {
  const membership::AgeClock unheard(clock_);
  EXPECT_EQ(unheard.database().now(), clock_.now());
}

TEST_F(AgeClockTest, NobodyIsOlderThanTheyAre) {
  for (const Jump& by : kJumps) {
    SCOPED_TRACE(by.name);
    end_jump();
    pass(1h);
    ASSERT_EQ(ages_.now_for_age(), right());
    // Told ages pass with time, at most a tenth faster while they catch up.
    const SystemTime before = *ages_.now_for_age();
    jump(by);
    const bool tells = by.gateway == by.database && by.gateway > 0us;
    EXPECT_EQ(ages_.now_for_age().has_value(), tells);
    EXPECT_EQ(ages_.status().paused, !tells);
    EXPECT_LE(ages_.now_for_age().value_or(before), before);
    pass(2h);
    EXPECT_LE(ages_.now_for_age().value_or(before), before + 132min);
    end_jump();
    EXPECT_EQ(ages_.now_for_age(), right()) << "as if nothing had been";
    EXPECT_EQ(ages_.steady_for(1h), tells);
    pass(1h);
    EXPECT_TRUE(ages_.steady_for(1h));
  }
}

TEST_F(AgeClockTest, WhatIsStampedByAWrongClockIsNotOldWhenItIsRight) {
  for (const Jump& by : kJumps) {
    SCOPED_TRACE(by.name);
    jump(by);
    EXPECT_GE(ages_.stamps().now(), right());
    pass(2h);
    EXPECT_GE(ages_.stamps().now(), right());
    end_jump();
    EXPECT_EQ(ages_.stamps().now(), right()) << "nothing is left of it";
  }
}

TEST_F(AgeClockTest, NoLockEndsEarlyByAClockThatIsAhead) {
  for (const Jump& by : kJumps) {
    SCOPED_TRACE(by.name);
    jump(by);
    EXPECT_LE(ages_.locks().now(), right());
    pass(1h);
    EXPECT_LE(ages_.locks().now(), right() + 6min);
    end_jump();
    EXPECT_EQ(ages_.locks().now(), right());
  }
}

TEST_F(AgeClockTest, SmallDifferencesPauseNothing) {
  for (const microseconds by : {microseconds(59s), microseconds(-59s), microseconds(1ms)}) {
    for (const Jump& apart : {Jump{"gateway", by, 0us}, Jump{"database", 0us, by}}) {
      SCOPED_TRACE(apart.name);
      jump(apart);
      ASSERT_TRUE(ages_.now_for_age());
      EXPECT_LE(*ages_.now_for_age(), std::min(clock_.now(), database_.now()));
      EXPECT_EQ(ages_.stamps().now(), clock_.now());
      EXPECT_TRUE(ages_.check_usable());
      end_jump();
    }
  }
}

TEST_F(AgeClockTest, NothingEndsWithoutNewsOfTheDatabase) {
  EXPECT_FALSE(membership::AgeClock(clock_).now_for_age());
  EXPECT_EQ(membership::AgeClock(clock_).stamps().now(), clock_.now());
  clock_.advance(60s);
  EXPECT_TRUE(ages_.now_for_age());
  clock_.advance(1s);
  EXPECT_FALSE(ages_.now_for_age());
  passed_ += 61s;
  refresh();
  EXPECT_TRUE(ages_.now_for_age());
}

// What was before the beginning, or while nothing was heard, nobody has looked at.
TEST_F(AgeClockTest, ItIsSteadyForNoLongerThanItWasLookedAt) {
  EXPECT_TRUE(ages_.steady_for(0s));
  EXPECT_FALSE(ages_.steady_for(1s)) << "a gateway that has just started";
  pass(1h);
  EXPECT_TRUE(ages_.steady_for(1h));
  EXPECT_FALSE(ages_.steady_for(1h + 1s));
  clock_.advance(61s);
  passed_ += 61s;
  EXPECT_FALSE(ages_.steady_for(0s));
  refresh();
  EXPECT_TRUE(ages_.steady_for(0s));
  EXPECT_FALSE(ages_.steady_for(1s)) << "after a gap";
  pass(1h);
  EXPECT_TRUE(ages_.steady_for(1h));
}

TEST_F(AgeClockTest, AnAnswerThatTookLongIsNoSample) {
  const SteadyTime asked = clock_.boot_now();
  clock_.advance(6s);
  ages_.sample(kStart + days(7), asked);
  EXPECT_TRUE(ages_.now_for_age());
}

// Stamped ages are never short by more than a tenth, also when every clock jumps at once; in the
// end all is caught up.
TEST_F(AgeClockTest, WhenAllClocksJumpTogetherTheSteadyOneHoldsBack) {
  const SystemTime stamp = ages_.stamps().now();
  jump({"", days(1), days(1)});
  EXPECT_EQ(*ages_.now_for_age(), stamp);
  EXPECT_EQ(ages_.status().held_back, microseconds(days(1)));
  pass(days(5));
  EXPECT_LE(*ages_.now_for_age() - stamp, microseconds(days(5)) * 11 / 10);
  pass(days(6));
  EXPECT_EQ(*ages_.now_for_age(), clock_.now());
  EXPECT_EQ(ages_.status().held_back, 0us);
}

// For a day nothing ends; then the time is believed. What was stamped before, meanwhile or after
// that is not older than it is, whether or not the clocks are set right some day.
TEST_F(AgeClockTest, WhenAllClocksAreSetBackTogetherAgesPauseForADay) {
  for (const microseconds back : {microseconds(days(1)), microseconds(days(7))}) {
    SCOPED_TRACE(back.count());
    end_jump();
    pass(days(100));
    ASSERT_EQ(ages_.now_for_age(), right());
    std::vector<std::pair<SystemTime, microseconds>> stamps;
    const auto stamp = [&] { stamps.emplace_back(ages_.stamps().now(), passed_); };
    const auto expect_young = [&] {
      const auto now = ages_.now_for_age();
      for (const auto& [at, passed] : stamps) {
        if (now) EXPECT_LE(*now - at, (passed_ - passed) * 11 / 10 + 1s);
      }
    };
    stamp();
    jump({"", -back, -back});
    for (int hour = 0; hour < 24; ++hour) {
      EXPECT_TRUE(ages_.status().paused);
      EXPECT_NEAR(static_cast<double>(ages_.status().set_back.count()),
                  static_cast<double>(back.count()), 1e6);
      stamp();
      pass(1h);
    }
    pass(1min);
    EXPECT_FALSE(ages_.status().paused);
    EXPECT_EQ(ages_.status().set_back, 0us);
    EXPECT_EQ(ages_.now_for_age(), clock_.now());
    expect_young();
    for (int day = 0; day < 3; ++day) {
      stamp();
      pass(days(1));
      expect_young();
    }
    end_jump();
    expect_young();
    EXPECT_EQ(ages_.status().held_back, back);
    pass(days(2));
    expect_young();
  }
}

// A gateway that starts goes on where gateways were, whatever was done to the clocks meanwhile.
class RestartedGateway : public Clocks {
 protected:
  // As what runs beside the refresh of a gateway does.
  void tell(const membership::AgeClock& ages) {
    const auto time =
        std::chrono::duration_cast<microseconds>(clock_.boot_now().time_since_epoch());
    metadata::ToldClocks told{.gateway = model::NodeId::random(), .boot = {clock_.boot(), time}};
    told.reached = ages.reached();
    told.accepted = state_.cluster.clocks_accepted;
    ASSERT_TRUE(async::block_on(store_.nodes.exchange_clocks(told, deadline_in(60s))));
  }

  // A gateway that has been running, and tells now for the last time.
  SystemTime end() {
    membership::AgeClock ages(clock_);
    ages.sample(database_.now(), clock_.boot_now());
    tell(ages);
    return ages.stamps().now();
  }

  // The new gateway's, after its first refresh.
  std::unique_ptr<membership::AgeClock> start() {
    auto ages = std::make_unique<membership::AgeClock>(clock_);
    membership::TopologyCache topology(store_.nodes, store_.ring, clock_, ages.get());
    EXPECT_TRUE(async::block_on(topology.refresh(deadline_in(60s))));
    EXPECT_TRUE(ages->status().known);
    return ages;
  }

  metadata::MemoryState state_{database_};
  metadata::MemoryCluster store_{state_};
};

TEST_F(RestartedGateway, GoesOnFromWhereTimeHasCome) {
  for (const bool off : {false, true}) {
    for (const Jump& by : kJumps) {
      SCOPED_TRACE(by.name + std::string(off ? ", and the machine was off" : ""));
      end_jump();
      pass(days(30));
      const SystemTime stamp = end();
      if (off) {
        clock_.reboot(5min);
        passed_ += 5min;
      } else {
        pass(5min);
      }
      jump(by);
      const auto ages = start();
      const bool together = by.gateway == by.database;
      EXPECT_EQ(ages->status().paused, !together || by.gateway < 0us);
      EXPECT_LE(ages->now_for_age().value_or(stamp) - stamp, 5min + 1s);
      EXPECT_GE(ages->stamps().now(), stamp) << "nothing is old when the clocks are set right";
      EXPECT_LE(ages->locks().now(), right());
      if (together && by.gateway > 0us) EXPECT_GE(ages->status().held_back, by.gateway);
      if (together && by.gateway < 0us) EXPECT_GE(ages->status().set_back, -by.gateway - 5min);
    }
  }
}

TEST_F(RestartedGateway, IsNotHeldBackByTheTimeItWasAway) {
  end();
  pass(days(3));
  const auto ages = start();
  EXPECT_EQ(ages->now_for_age(), right());
  EXPECT_EQ(ages->status().held_back, 0us);
}

// A gateway that is started anew each hour: what one has noticed the next one goes on from.
class GatewaysOfAnHour : public RestartedGateway {
 protected:
  // Each ends without a word after it told the last time.
  std::unique_ptr<membership::AgeClock> run_for(int hours) {
    auto ages = start();
    for (int hour = 0; hour < hours; ++hour) {
      for (int minute = 0; minute < 60; ++minute) {
        pass(1min);
        ages->sample(database_.now(), clock_.boot_now());
        tell(*ages);
      }
      ages = start();
    }
    return ages;
  }
};

TEST_F(GatewaysOfAnHour, BelieveClocksThatHaveBeenSetBackForADay) {
  for (const bool off : {false, true}) {
    SCOPED_TRACE(off);
    end_jump();
    pass(days(30));
    end();
    jump({"", -days(7), -days(7)});
    EXPECT_TRUE(run_for(12)->status().paused);
    if (off) {
      clock_.reboot(days(2));
      passed_ += days(2);
      jump({"", -days(9) - 1h, -days(9) - 1h});
    }
    EXPECT_TRUE(run_for(11)->status().paused) << "time that nobody saw does not count";
    const auto ages = run_for(2);
    EXPECT_FALSE(ages->status().paused);
    EXPECT_EQ(ages->now_for_age(), clock_.now());
  }
}

TEST_F(GatewaysOfAnHour, ForgetAJumpThatIsTakenBack) {
  pass(days(30));
  end();
  jump({"", days(1), days(1)});
  EXPECT_LT(run_for(10)->status().held_back, microseconds(days(1)));
  end_jump();
  const auto ages = start();
  EXPECT_FALSE(ages->status().paused);
  EXPECT_EQ(ages->now_for_age(), right()) << "as if nothing had been";
}

// An operator's word is the end of what was noticed too.
TEST_F(GatewaysOfAnHour, NoticeNothingOfWhatAnOperatorConfirmed) {
  pass(days(30));
  end();
  jump({"", -days(7), -days(7)});
  run_for(23);
  ASSERT_TRUE(async::block_on(store_.gc.confirm_clocks(deadline_in(60s))));
  EXPECT_FALSE(run_for(1)->status().paused);
  jump({"", -days(9), -days(9)});
  EXPECT_TRUE(run_for(2)->status().paused);
}

// Nobody can tell whether the machine was off for a week or its clock was set ahead; an operator
// can.
TEST_F(RestartedGateway, AnOperatorSaysThatTheClocksAreRight) {
  for (const microseconds by : {microseconds(days(7)), microseconds(-days(7))}) {
    SCOPED_TRACE(by.count());
    pass(days(30));
    end();
    clock_.reboot(by);
    passed_ += by;
    database_.set(right());
    auto ages = std::make_unique<membership::AgeClock>(clock_);
    membership::TopologyCache topology(store_.nodes, store_.ring, clock_, ages.get());
    ASSERT_TRUE(async::block_on(topology.refresh(deadline_in(60s))));
    EXPECT_NE(ages->now_for_age(), right());
    ASSERT_TRUE(async::block_on(store_.gc.confirm_clocks(deadline_in(60s))));
    ages->confirm(state_.cluster.clocks_accepted);
    EXPECT_EQ(ages->now_for_age(), right());
    const auto next = start();
    EXPECT_EQ(next->now_for_age(), right());
  }
}

// Two clocks of which one is off: the nodes' tell which.
TEST_F(AgeClockTest, AGatewayThatIsOffIsNotUsableButOneWithADatabaseThatIsOffIs) {
  const auto nodes = [this](microseconds ahead_of_database) {
    std::map<model::NodeId, membership::NodeClock> told;
    for (int i = 0; i < 3; ++i) told[model::NodeId::random()] = ahead_of_database;
    ages_.witness(std::move(told));
  };
  for (const microseconds by :
       {microseconds(16min), microseconds(days(1)), microseconds(-days(7))}) {
    jump({"gateway", by, 0us});
    nodes(0us);
    EXPECT_EQ(ages_.check_usable().error().code, ErrorCode::kUnavailable);
    jump({"database", 0us, by});
    nodes(-by);
    EXPECT_TRUE(ages_.check_usable());
    end_jump();
    nodes(by);
    EXPECT_TRUE(ages_.check_usable()) << "all nodes are off";
  }
  jump({"gateway", 16min, 0us});
  ages_.witness({});
  EXPECT_FALSE(ages_.check_usable()) << "without nodes the database is believed";
}

// What the coordinator ends by age.

class Remover final : public node_client::BlobRemover {
 public:
  async::Task<Result<node_client::RemovalReply>> remove(transfer::DiskAddress,
                                                        std::vector<model::BlobId> ids,
                                                        node_client::RemovalOrder order,
                                                        Deadline) override {
    removed += ids.size();
    co_return node_client::RemovalReply{node_client::Refusal::kNone, order.generation,
                                        order.number};
  }

  async::Task<Result<node_client::RestoreReply>> restore(transfer::DiskAddress,
                                                         std::vector<model::BlobId>, uint64_t,
                                                         Deadline) override {
    co_return node_client::RestoreReply{};
  }

  size_t removed = 0;
};

class Lister final : public node_client::BlobLister {
 public:
  async::Task<Result<std::vector<node_client::ListedBlob>>> list(transfer::DiskAddress,
                                                                 model::BlobId after,
                                                                 Deadline) override {
    co_return after == model::BlobId{} ? blobs : std::vector<node_client::ListedBlob>{};
  }

  std::vector<node_client::ListedBlob> blobs;
};

class EndsByAge : public Clocks {
 protected:
  EndsByAge() {
    for (int i = 0; i < 6; ++i) {
      metadata::NodeRecord node;
      node.id = model::NodeId::random();
      node.host = "h" + std::to_string(i);
      node.zone = "z" + std::to_string(i % 3);
      node.disks.push_back({model::DiskId::random(), 1ull << 40, ""});
      EXPECT_TRUE(async::block_on(store_.nodes.record_node(node, deadline_in(60s))));
    }
    CoordinatingOptions options;
    options.bootstrap.disks = 6;
    options.bootstrap.ring.power = 4;
    options.collector.gc_grace = 1h;
    options.collector.ages = &ages_;
    coordinator_ = std::make_unique<CoordinatingGateway>(
        CoordinatingStores{store_.lease, store_.nodes, store_.ring, store_.releases, store_.gc},
        topology_, remover_, options, clock_);
    run();
  }

  void run() {
    EXPECT_TRUE(async::block_on(topology_.refresh(deadline_in(60s))));
    EXPECT_TRUE(coordinator_->run_once());
    EXPECT_TRUE(async::block_on(topology_.refresh(deadline_in(60s))));
  }

  // As looked at again already.
  void release(SystemTime at) {
    const int64_t row = ++state_.last_release_id;
    state_.released[row] = {{row, model::StreamId::random(), model::kChunkBytes, at}, at};
  }

  void complete_upload(SystemTime at) {
    state_.completed_uploads = {{model::UploadId::random(), {.completed_at = at}}};
  }

  void scan() {
    const jobs::Term term(state_.cluster.token, [] { return true; });
    EXPECT_TRUE(async::block_on(orphans_.run_round(term)));
  }

  metadata::MemoryState state_{database_};
  metadata::MemoryCluster store_{state_};
  Remover remover_;
  Lister lister_;
  membership::TopologyCache topology_{store_.nodes, store_.ring, clock_, &ages_};
  OrphanScanOptions scan_options_{
      .orphan_age = 24h, .blobs_per_second = 1'000'000'000, .ages = &ages_};
  OrphanScan orphans_{store_.orphans, store_.gc, topology_, lister_, scan_options_, clock_};
  std::unique_ptr<CoordinatingGateway> coordinator_;
};

// Each by itself: what is young when the clock jumps stays while it is off, and ends by its own age
// afterwards.
TEST_F(EndsByAge, GraceOrphanAgeAndKeptUploadIds) {
  for (const Jump& by : kJumps) {
    SCOPED_TRACE(by.name);
    end_jump();
    pass(2h);
    const size_t removed = remover_.removed;
    release(right() - 10min);
    complete_upload(right() - days(6));
    lister_.blobs = {{{model::StreamId::random(), 0}, 100, right() - 23h, right() - 23h}};

    jump(by);
    for (int i = 0; i < 3; ++i) {
      run();
      scan();
      pass(10min);
    }
    EXPECT_EQ(remover_.removed, removed);
    EXPECT_EQ(state_.released.size(), 1u) << "nor is a body in flight an orphan";
    EXPECT_EQ(state_.completed_uploads.size(), 1u);

    end_jump();
    pass(2h);
    run();
    EXPECT_GT(remover_.removed, removed);
    EXPECT_TRUE(state_.released.empty());
    scan();
    EXPECT_EQ(state_.released.size(), 1u) << "25 h and half an hour old";
    pass(2h);
    complete_upload(right() - days(8));
    run();
    EXPECT_TRUE(state_.completed_uploads.empty());
    // For the next jump.
    for (const auto& [id, stream] : std::map(state_.released)) {
      ASSERT_TRUE(async::block_on(store_.releases.finish_released(
          {stream.row.row()}, coordinator_->token(), deadline_in(60s))));
    }
  }
}

// A database that was behind stamped what it released then too early: the grace begins again when
// it is right.
TEST_F(EndsByAge, WhatADatabaseStampedThatWasBehindHasItsWholeGrace) {
  jump({"", 0us, -days(1)});
  run();
  release(database_.now());
  end_jump();
  run();
  EXPECT_EQ(remover_.removed, 0u);
  pass(59min);
  run();
  EXPECT_EQ(remover_.removed, 0u);
  pass(2min);
  run();
  EXPECT_GT(remover_.removed, 0u);
}

// Leadership and contact are no matter of wall clocks.
TEST_F(EndsByAge, ALeaderLeadsAndTheTopologyIsConfirmed) {
  for (const Jump& by : kJumps) {
    SCOPED_TRACE(by.name);
    jump(by);
    run();
    EXPECT_TRUE(coordinator_->leads());
    EXPECT_EQ(coordinator_->status().gc_halted, "");
    EXPECT_TRUE(topology_.confirmed_recently());
    ASSERT_NE(topology_.topology()->current(), nullptr);
  }
}

}  // namespace
}  // namespace rondel::gc
