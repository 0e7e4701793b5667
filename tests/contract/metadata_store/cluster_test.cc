// What the seams of a cluster promise: who coordinates, which rings there are, who has joined, how
// garbage collection goes.
#include <algorithm>
#include <set>

#include "tests/contract/metadata_store/cluster_database.h"
#include "tests/fakes/manual_clock.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;
using model::StreamId;

class Cluster : public ClusterContract {
 protected:
  // What somebody commands who coordinated before.
  uint64_t former() const { return token_ - 1; }
};

TEST_P(Cluster, OneGatewayCoordinatesUntilItGivesUpOrEnds) {
  EXPECT_EQ(run(stores().lease.claim_coordinator(soon())), token_) << "it stays the coordinator";
  const auto second = database_->another();
  EXPECT_EQ(run(second->lease.claim_coordinator(soon())), std::nullopt);
  second->lease.resign_coordinator();
  EXPECT_EQ(run(stores().lease.claim_coordinator(soon())), token_) << "it was not the second one's";
  stores().lease.resign_coordinator();
  const uint64_t next = claim(*second);
  EXPECT_GT(next, token_);
  EXPECT_EQ(run(stores().lease.claim_coordinator(soon())), std::nullopt);

  auto third = database_->another();
  second->lease.resign_coordinator();
  const uint64_t last = claim(*third);
  third.reset();
  EXPECT_GT(claim(*second), last);
  second->lease.resign_coordinator();
}

TEST_P(Cluster, WhoBecomesTheCoordinatorWritesAMark) {
  const auto newest = [this] {
    return run(stores().nodes.recognize(model::NodeId::random(), {}, soon())).database.mark;
  };
  const model::MetadataMark before = newest();
  run(stores().lease.claim_coordinator(soon()));
  EXPECT_EQ(newest(), before);
  stores().lease.resign_coordinator();
  lead();
  EXPECT_EQ(newest().counter, before.counter + 1);
  EXPECT_TRUE(run(stores().lease.write_mark(before, token_, soon())).follows);
}

TEST_P(Cluster, RingsFollowOneAnotherUnderTheHighestToken) {
  RingStore& ring = stores().ring;
  EXPECT_EQ(run(ring.cluster_id(soon())), run(database_->another()->ring.cluster_id(soon())));
  EXPECT_TRUE(run(ring.ring_state(soon())).live.empty());

  const struct {
    const char* name;
    uint64_t epoch;
    bool former;
    bool published;
  } cases[] = {
      {"not the first", 2, false, false}, {"a former coordinator's", 1, true, false},
      {"the first", 1, false, true},      {"again", 1, false, false},
      {"one left out", 3, false, false},  {"the next of a former one", 2, true, false},
      {"the next", 2, false, true},       {"the one after", 3, false, true},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const RingEpoch epoch{c.epoch, "ring " + std::to_string(c.epoch)};
    const auto done =
        async::block_on(ring.publish_ring(epoch, 0, 0, c.former ? former() : token_, soon()));
    EXPECT_EQ(done.has_value(), c.published);
    if (!done) EXPECT_EQ(done.error().code, ErrorCode::kPrecondition);
  }
  const RingState state = run(ring.ring_state(soon()));
  ASSERT_EQ(state.live.size(), 3u);
  EXPECT_EQ(state.live[0].table, "ring 3") << "the newest first";
  EXPECT_EQ(state.live[2].epoch, 1u);
}

TEST_P(Cluster, RingsRetireAndTheFenceNeverFalls) {
  RingStore& ring = stores().ring;
  const auto live = [&] {
    std::vector<uint64_t> epochs;
    for (const RingEpoch& epoch : run(ring.ring_state(soon())).live) epochs.push_back(epoch.epoch);
    return epochs;
  };
  run(ring.publish_ring({1, "a"}, 0, 0, token_, soon()));
  run(ring.publish_ring({2, "b"}, 1, 1, token_, soon()));
  EXPECT_EQ(live(), (std::vector<uint64_t>{2, 1}));
  run(ring.publish_ring({3, "c"}, 2, 2, token_, soon()));
  EXPECT_EQ(live(), (std::vector<uint64_t>{3, 2}));
  run(ring.publish_ring({4, "d"}, 4, 1, token_, soon()));
  EXPECT_EQ(live(), std::vector<uint64_t>{4});
  EXPECT_EQ(run(ring.ring_state(soon())).min_epoch, 2u);
  EXPECT_EQ(refusal(ring.publish_ring({4, "e"}, 9, 9, token_, soon())), ErrorCode::kPrecondition);
  EXPECT_EQ(live(), std::vector<uint64_t>{4}) << "a refusal changes nothing";
  EXPECT_EQ(run(ring.ring_state(soon())).min_epoch, 2u);
}

TEST_P(Cluster, NodesAreKnownByTheirLastHeartbeat) {
  NodeRecord node{model::NodeId::random(), "a:1", "b:2", "h", "z", {}, {}};
  node.disks = {{model::DiskId::random(), 7, std::string("st\0tus", 6)},
                {model::DiskId::random(), uint64_t{1} << 50, ""}};
  run(stores().nodes.record_node(node, soon()));
  NodeRecord other{model::NodeId::random(), "c:1", "d:2", "i", "y", {}, {}};
  run(stores().nodes.record_node(other, soon()));
  node.address = "moved:1";
  node.disks.pop_back();
  node.highest_order = 5;
  run(stores().nodes.record_node(node, soon()));

  const auto nodes = run(stores().nodes.list_nodes(soon()));
  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_TRUE(std::ranges::is_sorted(nodes, {}, &NodeRecord::id));
  const auto& known = *std::ranges::find(nodes, node.id, &NodeRecord::id);
  EXPECT_EQ(known.address, "moved:1");
  EXPECT_EQ(known.operations_address, "b:2");
  EXPECT_EQ(known.host, "h");
  EXPECT_EQ(known.zone, "z");
  ASSERT_EQ(known.disks.size(), 1u);
  EXPECT_EQ(known.disks[0].id, node.disks[0].id);
  EXPECT_EQ(known.disks[0].capacity_bytes, 7u);
  EXPECT_EQ(known.disks[0].status, node.disks[0].status);
  EXPECT_LT(std::chrono::abs(known.last_seen - real_clock().now()), 60s) << "the database's time";
}

TEST_P(Cluster, ANameBelongsToOneNodeUntilAnOperatorLetsGoOfIt) {
  NodeStore& nodes = stores().nodes;
  NodeRecord first{
      model::NodeId::random(), "a:1", "", "h", "z", {{model::DiskId::random(), 7, ""}}, {}};
  NodeRecord second = first;
  second.disks.clear();
  second.id = model::NodeId::random();
  second.address = "b:1";
  const auto both = [&](const NodeRecord& node) {
    const bool greeted = async::block_on(nodes.greet(node, soon())).has_value();
    const auto recorded = async::block_on(nodes.record_node(node, soon()));
    EXPECT_EQ(greeted, recorded.has_value());
    if (!recorded) EXPECT_EQ(recorded.error().code, ErrorCode::kAlreadyExists);
    return recorded.has_value();
  };
  const auto known = [&](const NodeRecord& node) {
    const auto all = run(nodes.list_nodes(soon()));
    return *std::ranges::find(all, node.id, &NodeRecord::id);
  };
  EXPECT_TRUE(both(first)) << "one that joined before there were names";
  EXPECT_TRUE(both(second)) << "and another";
  first.name = "n1";
  EXPECT_TRUE(both(first));
  second.name = "n1";
  second.address = "moved:1";
  EXPECT_FALSE(both(second)) << "another's name";
  EXPECT_EQ(known(second).address, "b:1") << "nothing of it is written";
  second.name = "n2";
  EXPECT_TRUE(both(second));
  NodeRecord renamed = first;
  renamed.name = "n3";
  renamed.address = "moved:1";
  EXPECT_FALSE(both(renamed)) << "another name than it has";
  EXPECT_EQ(known(first).address, "a:1");
  EXPECT_EQ(known(first).name, "n1");
  EXPECT_TRUE(both(first));

  EXPECT_FALSE(run(nodes.forget_name("n3", soon())));
  EXPECT_FALSE(run(nodes.forget_name("", soon())));
  EXPECT_TRUE(run(nodes.forget_name("n1", soon())));
  EXPECT_EQ(known(first).name, "");
  EXPECT_TRUE(known(first).disks.empty()) << "they may be somebody else's now";
  NodeRecord heir{model::NodeId::random(), "heir:1", "", "h", "z", {}, {}};
  heir.name = "n1";
  EXPECT_TRUE(both(heir));
  EXPECT_FALSE(both(first)) << "it is the heir's now";
}

TEST_P(Cluster, AGreetingTellsWhatTheDatabaseHasAndChangesNothing) {
  NodeStore& nodes = stores().nodes;
  NodeRecord node{
      model::NodeId::random(), "a:1", "", "h", "z", {{model::DiskId::random(), 7, ""}}, {}};
  Greeting greeting = run(nodes.greet(node, soon()));
  EXPECT_EQ(greeting.recognition, model::Recognition::kHeld);
  EXPECT_EQ(greeting.database.beat, 0u);
  EXPECT_EQ(greeting.coordinator_token, token_);
  EXPECT_EQ(greeting.purging_disks.size(), 1u);
  EXPECT_TRUE(run(nodes.list_nodes(soon())).empty());

  const Greeting recorded = run(nodes.record_node(node, soon()));
  EXPECT_EQ(recorded.database.beat, 1u);
  EXPECT_EQ(recorded.coordinator_token, token_);
  node.seen = recorded.database;
  for (int i = 0; i < 2; ++i) {
    greeting = run(nodes.greet(node, soon()));
    EXPECT_EQ(greeting.recognition, model::Recognition::kHeld);
    EXPECT_EQ(greeting.database, recorded.database);
  }
  const uint64_t given = run(stores().lease.next_order(0, token_, soon()));
  EXPECT_EQ(run(nodes.greet(node, soon())).latest_order, given);
  node.highest_order = given + 100;
  EXPECT_EQ(run(nodes.greet(node, soon())).latest_order, given)
      << "what it says is not written down yet";
  run(nodes.record_node(node, soon()));
  EXPECT_EQ(run(nodes.greet(node, soon())).latest_order, given + 100);
}

TEST_P(Cluster, GatewaysHearOfEachOthersClocks) {
  NodeStore& nodes = stores().nodes;
  const model::NodeId one = model::NodeId::random(), two = model::NodeId::random();
  using Clocks = std::vector<std::chrono::microseconds>;
  const auto tell = [&](const model::NodeId& gateway,
                        std::optional<std::chrono::microseconds> ahead) {
    return run(nodes.exchange_clocks({.gateway = gateway, .ahead = ahead}, soon())).ahead;
  };
  EXPECT_TRUE(tell(one, std::nullopt).empty());
  EXPECT_TRUE(tell(two, std::nullopt).empty()) << "who does not know his tells of none";
  EXPECT_TRUE(tell(one, 5s).empty());
  EXPECT_EQ(tell(two, -7s), Clocks{5s});
  EXPECT_EQ(tell(one, 6s), Clocks{-7s});
  EXPECT_EQ(tell(two, -7s), Clocks{6s}) << "the last word of each";
  EXPECT_EQ(tell(model::NodeId::random(), std::nullopt).size(), 2u);
}

// How far time has come: in one run of a machine by its steady clock, else as it was told last; and
// an operator's confirmation makes all of it old.
TEST_P(Cluster, WhatAgesHaveReachedIsKept) {
  NodeStore& nodes = stores().nodes;
  const SystemTime start = std::chrono::floor<std::chrono::seconds>(real_clock().now());
  uint64_t accepted = 0;
  ReachedTime noticed;
  const auto hear = [&](const std::string& boot, std::chrono::microseconds boot_time,
                        std::optional<SystemTime> reached = {}) {
    if (reached) {
      run(nodes.exchange_clocks({.gateway = model::NodeId::random(),
                                 .boot = {boot, boot_time},
                                 .reached = ReachedTime{*reached, boot_time, 2 * boot_time},
                                 .accepted = accepted},
                                soon()));
    }
    const ReachedAge age = run(nodes.reached_age({boot, boot_time}, soon()));
    accepted = age.accepted;
    noticed = age.reached.value_or(ReachedTime{});
    return age.reached ? std::optional(age.reached->time) : std::nullopt;
  };
  run(stores().gc.confirm_clocks(soon()));  // Whatever other tests told.
  EXPECT_EQ(hear("a", 5s), std::nullopt);
  hear("a", 10s, start);
  EXPECT_EQ(hear("a", 17s), start + 7s) << "by the steady clock of the machine";
  EXPECT_EQ(noticed.set_back_for, 10s) << "what was noticed is as it was told";
  EXPECT_EQ(noticed.caught_up, 20s);
  EXPECT_EQ(hear("b", 1s), start) << "at the least";
  EXPECT_EQ(noticed.set_back_for, 10s);
  EXPECT_EQ(hear("", 1s), start);
  hear("", 1s, start + 1h);
  EXPECT_EQ(hear("b", 1s), start) << "a run without a name is not told from others";
  hear("b", 2s, start + 20s);
  EXPECT_EQ(hear("b", 3s), start + 21s);
  EXPECT_EQ(hear("a", 17s), start + 20s) << "the latest of all";
  EXPECT_EQ(noticed.set_back_for, 2s);
  hear("b", 4s, start - 24h);
  EXPECT_EQ(hear("c", 0s), start) << "the last word of each";
  run(stores().gc.resume_garbage(0, soon()));
  EXPECT_EQ(hear("c", 0s), start) << "a confirmed database says nothing of clocks";
  run(stores().gc.confirm_clocks(soon()));
  EXPECT_EQ(hear("a", 20s), std::nullopt);
  hear("a", 21s, start);
  EXPECT_EQ(hear("a", 21s), start);
}

TEST_P(Cluster, AnOrderDoesNotLeap) {
  Lease& lease = stores().lease;
  const uint64_t first = run(lease.next_order(0, token_, soon()));
  for (const uint64_t above :
       {first + 1 + model::kLeapMax, uint64_t{1} << 62, uint64_t{1} << 63, UINT64_MAX}) {
    EXPECT_EQ(refusal(lease.next_order(above, token_, soon())), ErrorCode::kOutOfRange) << above;
  }
  EXPECT_EQ(run(lease.next_order(0, token_, soon())), first + 1) << "a refusal uses no number up";
  EXPECT_EQ(run(lease.next_order(first + model::kLeapMax, token_, soon())),
            first + model::kLeapMax + 1)
      << "a database that was set back";
  EXPECT_EQ(refusal(lease.next_order(UINT64_MAX, former(), soon())), ErrorCode::kPrecondition);
}

TEST_P(Cluster, TheDatabaseTellsItsTime) {
  const auto differs = [](SystemTime told) { return std::chrono::abs(told - real_clock().now()); };
  EXPECT_LT(differs(run(stores().gc.garbage_state(soon())).now), 60s);
  EXPECT_LT(differs(run(stores().ring.ring_state(soon())).now), 60s);
}

TEST_P(Cluster, AHaltHasItsFirstReasonUntilSomebodyConfirms) {
  GcControl& gc = stores().gc;
  const auto state = [&] { return run(gc.garbage_state(soon())); };
  run(gc.halt_garbage("of a former coordinator", former(), soon()));
  EXPECT_EQ(state().halted, "");
  run(gc.halt_garbage("first", token_, soon()));
  run(gc.halt_garbage("second", token_, soon()));
  EXPECT_EQ(state().halted, "first");
  EXPECT_LT(std::chrono::abs(state().halted_at - state().now), 60s);
  run(gc.resume_garbage(70, soon()));
  EXPECT_EQ(state().halted, "");
  EXPECT_EQ(state().halted_at, SystemTime{});
  EXPECT_EQ(state().allowance, 70u);
}

TEST_P(Cluster, AnAllowanceIsForOnePassOfWhoCoordinates) {
  run(stores().gc.resume_garbage(70, soon()));
  run(stores().orphans.end_garbage_pass(former(), soon()));
  EXPECT_EQ(run(stores().gc.garbage_state(soon())).allowance, 70u);
  run(stores().orphans.end_garbage_pass(token_, soon()));
  EXPECT_EQ(run(stores().gc.garbage_state(soon())).allowance, 0u);
}

TEST_P(Cluster, WhatWasReleasedIsForgottenAfterTheOrphanAge) {
  const auto disk = model::DiskId::random();
  const auto recent = [&] { return run(stores().orphans.recent_orphans(1h, soon())); };
  run(stores().gc.set_garbage_ages({}, {}, 1h, soon()));
  run(stores().orphans.release_orphans({}, {{disk, 3}}, token_, soon()));
  run(stores().orphans.end_garbage_pass(token_, soon()));
  EXPECT_EQ(recent(), (OrphanCounts{{disk, 3}}));
  run(stores().gc.set_garbage_ages({}, {}, 0s, soon()));
  run(stores().orphans.end_garbage_pass(former(), soon()));
  EXPECT_EQ(recent(), (OrphanCounts{{disk, 3}})) << "a former coordinator's pass";
  run(stores().orphans.end_garbage_pass(token_, soon()));
  EXPECT_TRUE(recent().empty());
}

TEST_P(Cluster, TheClustersAgesAreTheGreatestUntilTheyAreSet) {
  GcControl& gc = stores().gc;
  run(gc.set_garbage_ages(1s, 1s, 1s, soon()));
  EXPECT_EQ(run(gc.raise_garbage_ages({10s, 20s, 30s}, soon())), (GarbageAges{10s, 20s, 30s}));
  EXPECT_EQ(run(gc.raise_garbage_ages({5s, 25s, 5s}, soon())), (GarbageAges{10s, 25s, 30s}));
  EXPECT_EQ(run(gc.garbage_state(soon())).ages, (GarbageAges{10s, 25s, 30s}));
  run(gc.set_garbage_ages({}, {}, 7s, soon()));
  EXPECT_EQ(run(gc.garbage_state(soon())).ages, (GarbageAges{10s, 25s, 7s}));
}

TEST_P(Cluster, ReleasesAreTakenByAgeInPortionsAndStayUntilTheyAreFinished) {
  ReleaseQueue& releases = stores().releases;
  const SystemTime now = real_clock().now();
  std::vector<StreamId> streams;
  for (const auto age : {4h, 3h, 2h, 1h}) {
    streams.push_back(StreamId::random());
    database_->release(streams.back(), now - age);
  }
  const auto take = [&](SystemTime before, size_t max, uint64_t token) {
    std::vector<StreamId> taken;
    for (const auto& row : run(releases.take_released(before, max, token, soon()))) {
      taken.push_back(row.stream);
    }
    return taken;
  };
  const auto first = [&](size_t count) {
    return std::vector<StreamId>(streams.begin(), streams.begin() + static_cast<int64_t>(count));
  };
  run(releases.check_released(now, 100, token_, soon()));
  EXPECT_EQ(take(now - 2h, 100, token_), first(3)) << "released until then, that moment included";
  EXPECT_EQ(take(now - 2h - 1us, 100, token_), first(2));
  EXPECT_EQ(take(now, 2, token_), first(2));
  EXPECT_EQ(take(now, 2, token_), first(2)) << "they stay";
  EXPECT_TRUE(take(now, 100, former()).empty());

  std::vector<ReleaseRow> rows, others;
  for (const auto& row : run(releases.take_released(now, 2, token_, soon()))) {
    EXPECT_EQ(row.size, 10u);
    rows.push_back(row.row());
    others.push_back({row.id, StreamId::random()});
  }
  run(releases.finish_released(others, token_, soon()));
  EXPECT_EQ(take(now, 100, token_), first(4)) << "rows that were those numbers' before";
  run(releases.finish_released(rows, former(), soon()));
  EXPECT_EQ(take(now, 100, token_), first(4));
  run(releases.finish_released(rows, token_, soon()));
  run(releases.finish_released(rows, token_, soon()));
  EXPECT_EQ(take(now, 100, token_), std::vector<StreamId>(streams.begin() + 2, streams.end()));
  EXPECT_EQ(run(releases.queue_depths(soon())).released, 2u);
  EXPECT_EQ(run(releases.queue_depths(soon())).oldest_released, now - 2h);
}

TEST_P(Cluster, WhatIsDeferredLetsTheOthersGoFirstAndWaitsLongerEachTime) {
  ReleaseQueue& releases = stores().releases;
  const SystemTime now = real_clock().now();
  std::vector<StreamId> streams;
  for (const auto age : {4h, 3h, 2h}) {
    streams.push_back(StreamId::random());
    database_->release(streams.back(), now - age);
  }
  run(releases.check_released(now, 100, token_, soon()));
  const auto take = [&] { return run(releases.take_released(now, 2, token_, soon())); };
  const ReleaseRow id = take().front().row();
  EXPECT_TRUE(take().front().chunks.empty());
  run(releases.defer_released({{id, {1, 70'000}}}, former(), soon()));
  EXPECT_EQ(take().front().stream, streams[0]) << "a former coordinator's word";
  run(releases.defer_released({{{id.id, StreamId::random()}, {1}}}, token_, soon()));
  EXPECT_EQ(take().front().stream, streams[0]) << "of a row that was that number's before";
  run(releases.defer_released({{id, {1, 70'000}}, {{id.id + 1'000'000, id.stream}, {}}}, token_,
                              soon()));
  EXPECT_EQ(take().front().stream, streams[1]);
  EXPECT_EQ(take().back().stream, streams[2]);
  EXPECT_EQ(run(releases.queue_depths(soon())).deferred, 1u);
  EXPECT_EQ(run(releases.queue_depths(soon())).released, 3u);
  const auto near = [](std::chrono::seconds found, std::chrono::seconds wanted) {
    return found <= wanted && found >= wanted - std::min(wanted / 4, 60s);
  };
  for (const auto wait :
       {30s, 60s, 120s, 240s, 480s, 960s, 1920s, 3600s, 3600s, 3600s, 3600s, 3600s, 3600s}) {
    const auto waits = database_->make_due();
    EXPECT_PRED2(near, waits.at(streams[0]), wait);
    run(releases.defer_released({{id, {2}}}, token_, soon()));
  }
  database_->make_due();
  EXPECT_EQ(run(releases.queue_depths(soon())).deferred, 0u);
  EXPECT_EQ(take().front().stream, streams[1]) << "due later than they";
  const auto all = run(releases.take_released(now, 10, token_, soon()));
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all.back().stream, streams[0]);
  EXPECT_EQ(all.back().chunks, std::vector<uint32_t>{2});
  run(releases.finish_released({id}, token_, soon()));
  EXPECT_EQ(run(releases.take_released(now, 10, token_, soon())).size(), 2u);
}

TEST_P(Cluster, ARingThatIsKnownIsNotReadAgain) {
  RingStore& ring = stores().ring;
  const std::string first(3'000'000, 'a'), second = "another";
  run(ring.publish_ring({1, first}, 0, 0, token_, soon()));
  run(ring.publish_ring({2, second}, 0, 0, token_, soon()));
  const RingState all = run(ring.ring_state(soon()));
  ASSERT_EQ(all.live.size(), 2u);
  EXPECT_EQ(all.live[0].table, second);
  EXPECT_EQ(all.live[1].table, first);
  EXPECT_NE(all.live[0].hash, all.live[1].hash);
  const RingState some = run(ring.ring_state({all.live[1].hash, "unknown"}, soon()));
  ASSERT_EQ(some.live.size(), 2u);
  EXPECT_EQ(some.live[0].table, second);
  EXPECT_EQ(some.live[1].table, "");
  EXPECT_EQ(some.live[1].hash, all.live[1].hash);
  EXPECT_EQ(some.live[1].epoch, 1u);
}

INSTANTIATE_TEST_SUITE_P(Stores, Cluster, all_implementations(), name_of_implementation);

// On PostgreSQL: rollback_test.cc.
TEST(MemoryMarks, GoWhenTrashAndJournalHaveEndedAndNoNodeHasThem) {
  fakes::ManualClock clock(std::chrono::sys_days(std::chrono::year(2024) / 1 / 1));
  MemoryState state(clock);
  MemoryMetadata gateway(state);
  const Deadline soon = deadline_in(60s);
  const uint64_t token = *async::block_on(gateway.stores().lease.claim_coordinator(soon)).value();
  const auto write = [&] {
    ASSERT_TRUE(async::block_on(gateway.stores().lease.write_mark({}, token, soon)));
  };
  for (int i = 0; i < 22'000; ++i) state.write_mark();
  state.cluster.nodes[model::NodeId::random()] = {.seen_mark = 7, .told_mark = 100};
  state.cluster.garbage.ages.trash = 24h;
  clock.advance(24h * 10);
  write();
  const size_t before = state.cluster.marks.size();
  EXPECT_GT(before, 22'000u) << "as old as trash and journal";
  clock.advance(1us);
  write();
  EXPECT_EQ(state.cluster.marks.size(), before + 1 - (2'000 - 1 - 61));
  for (int i = 0; i < 10; ++i) write();
  EXPECT_GE(state.cluster.marks.size(), 20'000u) << "the newest stay whatever the clock says";
  EXPECT_TRUE(state.cluster.marks.contains(7));
  EXPECT_TRUE(state.cluster.marks.contains(160));
  EXPECT_FALSE(state.cluster.marks.contains(161));
}

}  // namespace
}  // namespace rondel::metadata
