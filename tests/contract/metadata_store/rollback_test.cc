// What a database says to nodes that remember it: the same on PostgreSQL and on the store in
// memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <thread>

#include "common/ring/ring.h"
#include "metadata/connection/pg_connection.h"
#include "tests/contract/metadata_store/cluster_database.h"
#include "tests/contract/metadata_store/store_fixture.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;
using model::MetadataGeneration;
using model::Recognition;

class Rollback : public ClusterContract {
 protected:
  void SetUp() override {
    ClusterContract::SetUp();
    node_ = {
        model::NodeId::random(), "a:1", "b:2", "h", "z", {{model::DiskId::random(), 7, ""}}, {}};
  }

  // As a node does: it remembers what it recognizes.
  Recognition beat() {
    last_ = run(stores().nodes.record_node(node_, soon()));
    if (model::is_recognized(last_.recognition)) node_.seen = last_.database;
    return last_.recognition;
  }

  // What the node hears of the disk.
  bool purges(const model::DiskId& disk) {
    beat();
    return last_.purging_stopped.empty() &&
           std::ranges::find(last_.purging_disks, disk) != last_.purging_disks.end();
  }

  void mark() { (void)run(stores().lease.write_mark({}, token_, soon())); }

  std::string stranger() { return run(stores().gc.garbage_state(soon())).stranger; }

  NodeRecord node_;
  Greeting last_;
};

TEST_P(Rollback, ANodeFollowsTheDatabaseFromMarkToMark) {
  ASSERT_EQ(beat(), Recognition::kHeld);
  const MetadataGeneration first = node_.seen;
  EXPECT_NE(first.system, 0u);
  EXPECT_NE(first.mark.value, 0u);
  mark();
  ASSERT_EQ(beat(), Recognition::kHeld);
  EXPECT_GT(node_.seen.mark.counter, first.mark.counter);
  EXPECT_EQ(node_.seen.beat, first.beat + 1);
  EXPECT_EQ(run(stores().nodes.recognize(node_.id, first, soon())).recognition, Recognition::kHeld)
      << "an older mark is held too";
  EXPECT_EQ(run(stores().nodes.recognize(node_.id, node_.seen, soon())).recognition,
            Recognition::kHeld);
  EXPECT_EQ(stranger(), "");
}

TEST_P(Rollback, EveryWayToBeAnotherDatabaseIsSeen) {
  beat();
  const MetadataGeneration right = node_.seen;

  const struct {
    const char* name;
    std::function<void(MetadataGeneration&)> change;
    Recognition expected;
  } cases[] = {
      {"counter", [](auto& seen) { seen.mark.counter += 1000; }, Recognition::kMarkMissing},
      {"value", [](auto& seen) { seen.mark.value ^= 1; }, Recognition::kMarkMissing},
      {"high bit of the value", [](auto& seen) { seen.mark.value ^= 1ull << 63; },
       Recognition::kMarkMissing},
      {"system", [](auto& seen) { seen.system ^= 1; }, Recognition::kOtherSystem},
      {"beat", [](auto& seen) { seen.beat += 1; }, Recognition::kBeatMissing},
      {"accepted", [](auto& seen) { seen.accepted += 1; }, Recognition::kBeforeConfirmation},
      {"nothing", [](auto&) {}, Recognition::kHeld},
      {"no memory", [](auto& seen) { seen = {}; }, Recognition::kHeld},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    MetadataGeneration seen = right;
    c.change(seen);
    EXPECT_EQ(run(stores().nodes.recognize(node_.id, seen, soon())).recognition, c.expected);
    node_.seen = seen;
    EXPECT_EQ(run(stores().nodes.record_node(node_, soon())).recognition, c.expected);
    EXPECT_EQ(stranger().empty(), c.expected == Recognition::kHeld);
  }
  EXPECT_EQ(run(stores().nodes.recognize(model::NodeId::random(), right, soon())).recognition,
            Recognition::kBeatMissing)
      << "a node it does not know";
}

TEST_P(Rollback, ADatabaseThatWasSetBackIsSeenHoweverLongItRunsAlone) {
  beat();
  database_->back_up();
  mark();
  beat();
  database_->set_back();
  lead();
  for (int i = 0; i < 50; ++i) mark();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(beat(), Recognition::kMarkMissing);
  EXPECT_NE(stranger(), "");
  run(stores().gc.resume_garbage(0, soon()));
  EXPECT_EQ(stranger(), "") << "what was said before the confirmation does not count";
  EXPECT_EQ(beat(), Recognition::kConfirmed);
  EXPECT_EQ(beat(), Recognition::kHeld);
  EXPECT_EQ(stranger(), "");
}

TEST_P(Rollback, LostSecondsWithoutAMarkAreSeenByTheHeartbeats) {
  beat();
  database_->back_up();
  beat();
  database_->set_back();
  lead();
  for (int i = 0; i < 5; ++i) {
    mark();
    EXPECT_EQ(beat(), Recognition::kBeatMissing) << "it never comes as far by itself";
  }
}

TEST_P(Rollback, AHeartbeatWhoseAnswerWasLostIsNoLoss) {
  beat();
  for (int i = 0; i < 3; ++i) (void)run(stores().nodes.record_node(node_, soon()));
  EXPECT_EQ(beat(), Recognition::kHeld);
}

TEST_P(Rollback, ANodeThatForgotEverythingStartsWithWhatTheDatabaseHas) {
  for (int i = 0; i < 4; ++i) beat();
  const uint64_t beats = node_.seen.beat;
  node_.seen = {};
  EXPECT_EQ(beat(), Recognition::kHeld);
  EXPECT_EQ(node_.seen.beat, beats + 1);
}

TEST_P(Rollback, AConfirmationIsAboveAllThatNodesHaveSeen) {
  beat();
  database_->back_up();
  for (int i = 0; i < 5; ++i) run(stores().gc.resume_garbage(0, soon()));
  beat();
  const uint64_t seen = node_.seen.accepted;
  database_->set_back();
  lead();
  EXPECT_EQ(beat(), Recognition::kBeforeConfirmation);
  run(stores().gc.resume_garbage(0, soon()));
  EXPECT_EQ(beat(), Recognition::kConfirmed);
  EXPECT_GT(node_.seen.accepted, seen);
}

TEST_P(Rollback, AMarkSaysWhetherTheOneBeforeIsStillThere) {
  const NewMark first = run(stores().lease.write_mark({}, token_, soon()));
  EXPECT_TRUE(first.follows);
  const NewMark second = run(stores().lease.write_mark(first.database.mark, token_, soon()));
  EXPECT_TRUE(second.follows);
  EXPECT_GT(second.database.mark.counter, first.database.mark.counter);
  database_->back_up();
  const NewMark third = run(stores().lease.write_mark(second.database.mark, token_, soon()));
  database_->set_back();
  lead();
  mark();
  EXPECT_FALSE(run(stores().lease.write_mark(third.database.mark, token_, soon())).follows);
  EXPECT_EQ(async::block_on(stores().lease.write_mark({}, token_ + 1, soon())).error().code,
            ErrorCode::kPrecondition);
}

// A dump that is restored into the database itself ends no session.
TEST_P(Rollback, WhoeverLeadsGoesOnWhenTheDatabaseIsSetBackUnderIt) {
  database_->back_up();
  stores().lease.resign_coordinator();
  lead();
  const uint64_t before = token_;
  database_->set_back_in_place();
  EXPECT_LT(database_->token(), before);
  lead();
  EXPECT_GT(token_, before) << "nodes have seen the other one";
  EXPECT_EQ(database_->token(), token_);
  mark();
  (void)run(stores().lease.next_order(0, token_, soon()));
  const uint64_t now = token_;
  lead();
  EXPECT_EQ(token_, now);
}

TEST_P(Rollback, OrdersAreAboveWhateverNodesHaveSeen) {
  const uint64_t first = run(stores().lease.next_order(0, token_, soon()));
  EXPECT_GT(run(stores().lease.next_order(0, token_, soon())), first);
  database_->back_up();
  // A coordinator that ran far ahead of the database that is now.
  node_.highest_order = first + 1'000'000;
  beat();
  EXPECT_GT(run(stores().lease.next_order(0, token_, soon())), node_.highest_order);
  database_->set_back();
  lead();
  beat();
  const uint64_t restored = run(stores().lease.next_order(0, token_, soon()));
  EXPECT_GT(restored, node_.highest_order);
  EXPECT_GT(run(stores().lease.next_order(restored + 50, token_, soon())), restored + 50);
  EXPECT_EQ(async::block_on(stores().lease.next_order(0, token_ + 1, soon())).error().code,
            ErrorCode::kPrecondition);
}

TEST_P(Rollback, NothingIsPurgedWhileGarbageCollectionIsHaltedOrTheDiskWaits) {
  const model::DiskId disk = node_.disks[0].id;
  beat();
  const uint64_t first = run(stores().restores.restore_state(soon())).number;
  run(stores().restores.finish_restore(disk, first, 0, token_, soon()));
  EXPECT_TRUE(purges(disk));
  run(stores().gc.halt_garbage("somebody must look", token_, soon()));
  EXPECT_FALSE(purges(disk));
  const uint64_t number = run(stores().restores.order_restore(soon()));
  run(stores().restores.finish_restore(disk, number, 3, token_, soon()));
  EXPECT_FALSE(purges(disk));
  run(stores().gc.resume_garbage(0, soon()));
  EXPECT_FALSE(purges(disk)) << "a confirmation has the trash looked through again";
  RestoreState state = run(stores().restores.restore_state(soon()));
  ASSERT_EQ(state.disks.size(), 1u);
  EXPECT_GT(state.number, number);
  EXPECT_EQ(state.disks[0].disk, disk);
  EXPECT_EQ(state.disks[0].node, node_.id);
  EXPECT_TRUE(state.disks[0].alive);
  EXPECT_TRUE(state.disks[0].member);
  EXPECT_FALSE(state.disks[0].done);
  // A former coordinator's.
  (void)async::block_on(
      stores().restores.finish_restore(disk, state.number, 0, token_ + 1, soon()));
  run(stores().restores.finish_restore(disk, number, 0, token_, soon()));
  EXPECT_FALSE(purges(disk)) << "neither that, nor an older number";
  run(stores().restores.finish_restore(disk, state.number, 0, token_, soon()));
  EXPECT_TRUE(purges(disk));
}

// Of two disks of a node one never opens: the other purges, and the late one not before its turn.
TEST_P(Rollback, ADiskThatWaitsHoldsUpNoOtherOfItsNode) {
  const model::DiskId first = node_.disks[0].id, late = model::DiskId::random();
  enum class Order { kRestore, kResume };
  for (const Order order : {Order::kRestore, Order::kResume}) {
    SCOPED_TRACE(order == Order::kRestore ? "restore" : "resume");
    node_.disks = {{first, 7, ""}};
    beat();
    order == Order::kRestore ? (void)run(stores().restores.order_restore(soon()))
                             : run(stores().gc.resume_garbage(0, soon()));
    const uint64_t number = run(stores().restores.restore_state(soon())).number;
    // The late one is known and told of as failed, or not told of at all.
    for (const bool told : {false, true}) {
      if (told) node_.disks.push_back({late, 7, ""});
      EXPECT_EQ(purges(first), told) << "it had its turn in between";
      EXPECT_FALSE(purges(late));
      run(stores().restores.finish_restore(first, number, 0, token_, soon()));
      EXPECT_TRUE(purges(first));
      EXPECT_FALSE(purges(late));
    }
    EXPECT_EQ(run(stores().restores.restore_state(soon())).waiting(), 1u);
    run(stores().restores.finish_restore(late, number, 0, token_, soon()));
    EXPECT_TRUE(purges(first));
    EXPECT_TRUE(purges(late));
    node_.disks = {{first, 7, ""}};
    EXPECT_FALSE(purges(late)) << "nothing is said of a disk that is not told of";
  }
}

// A disk counts while a ring counts on it or its node may come back. Nobody deletes the rows of the
// others: whoever restores would wait for them for ever.
TEST_P(Rollback, ARestoreWaitsForMembersAlone) {
  const struct {
    const char* name;
    bool in_ring, told, silent;
    bool listed, member, alive;
  } cases[] = {
      {"a node at work", true, true, false, true, true, true},
      {"a node that has just joined", false, true, false, true, true, true},
      {"a member that is away for long", true, true, true, true, true, false},
      {"a member's disk that its node does not tell of", true, false, false, true, true, false},
      {"a node that left for good", false, true, true, true, false, false},
      {"a disk that is not told of any more", false, false, false, false, false, false},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    database_->forget_rings();
    const model::DiskId disk = model::DiskId::random();
    const std::vector<model::DiskId> others = {model::DiskId::random(), model::DiskId::random()};
    std::vector<ring::Disk> members;
    for (const auto& other : others) {
      members.push_back({other, model::NodeId::random(), other.to_hex(), other.to_hex(), 1});
    }
    members.push_back({c.in_ring ? disk : model::DiskId::random(), node_.id, "h", "z", 1});
    ring::RingOptions options;
    options.power = 4;
    const std::string table = ring::Ring::build(members, options, 1).value().serialize();
    run(stores().ring.publish_ring({1, table}, 0, 0, token_, soon()));
    node_.disks.clear();
    if (c.told) node_.disks = {{disk, 7, ""}};
    beat();
    if (c.silent) database_->silence(node_.id);
    const uint64_t number = run(stores().restores.order_restore(soon()));
    for (const auto& other : members) {
      if (other.id == disk) continue;
      run(stores().restores.finish_restore(other.id, number, 1, token_, soon()));
    }
    RestoreState state = run(stores().restores.restore_state(soon()));
    const auto found = std::ranges::find(state.disks, disk, &RestoreState::Disk::disk);
    ASSERT_EQ(found != state.disks.end(), c.listed);
    if (c.listed) {
      EXPECT_EQ(found->member, c.member);
      EXPECT_EQ(found->alive, c.alive);
      EXPECT_EQ(found->node, node_.id);
      EXPECT_FALSE(found->done);
    }
    EXPECT_EQ(state.waiting(), c.member ? 1u : 0u);
    EXPECT_EQ(state.members(), c.in_ring ? 3u : c.member ? 4u : 3u);
    // Should it come back, nothing is purged on it before its turn.
    node_.disks = {{disk, 7, ""}};
    EXPECT_FALSE(purges(disk));
    run(stores().restores.finish_restore(disk, number, 1, token_, soon()));
    EXPECT_TRUE(purges(disk));
    EXPECT_EQ(run(stores().restores.restore_state(soon())).waiting(), 0u);
  }
}

// In slices, the oldest first; the newest 20,000 stay whatever the clock says.
TEST(Marks, GoWhenTrashAndJournalHaveEndedAndNoNodeHasThem) {
  auto connection = PgConnection::open(postgres_dsn(), deadline_in(60s)).value();
  const auto count = [&](const std::string& where) {
    return connection
        ->run("select count(*) from cluster_marks where " + where, {}, deadline_in(60s))
        .value()
        .bigint(0, 0);
  };
  ASSERT_TRUE(connection->script(R"(
    delete from cluster_marks where counter < 0;
    truncate nodes;
    update garbage_collection set trash_s = 86400;
    insert into cluster_marks select n, 1, now() - interval '400 days', 1, '0/0'
      from generate_series(-30000, -22001) n;
    insert into cluster_marks select n, 1, now() - interval '9 days 12 hours', 1, '0/0'
      from generate_series(-22000, -21001) n;
    insert into nodes (id, address, operations_address, host, zone, disks, last_seen, seen_mark,
      told_mark) values ('n', 'a', 'o', 'h', 'z', '[]', now(), -25000, -24500))",
                                 deadline_in(60s)));
  const auto cluster = PostgresMetadata::make_for_command(postgres_dsn());
  std::optional<uint64_t> token;
  for (int i = 0; i < 6000 && !token; ++i) {
    token = async::block_on(cluster->stores().lease.claim_coordinator(deadline_in(60s))).value();
    if (!token) std::this_thread::sleep_for(10ms);
  }
  ASSERT_TRUE(token);
  const auto write = [&] {
    ASSERT_TRUE(async::block_on(cluster->stores().lease.write_mark({}, *token, deadline_in(60s))));
  };
  write();
  EXPECT_EQ(count("counter < -22000"), 6'000);
  for (int i = 0; i < 8; ++i) write();
  EXPECT_EQ(count("counter < -22000"), 1 + 61) << "what a node has, or may have";
  EXPECT_EQ(count("counter between -22000 and -21001"), 1'000)
      << "younger than the trash and nine days";
  ASSERT_TRUE(
      connection->script("update cluster_marks set written_at = now() - interval '400 "
                         "days'",
                         deadline_in(60s)));
  for (int i = 0; i < 5; ++i) write();
  EXPECT_EQ(count("counter between -22000 and -21001"), 0);
  EXPECT_GT(count("counter > 0 and written_at < now() - interval '300 days'"), 0)
      << "a clock that jumps takes none of the newest";
  ASSERT_TRUE(connection->script("delete from cluster_marks where counter < 0; truncate nodes",
                                 deadline_in(60s)));
  cluster->stores().lease.resign_coordinator();
}

INSTANTIATE_TEST_SUITE_P(Stores, Rollback, all_implementations(), name_of_implementation);

class TrashReferences : public StoreContract<TrashReferences> {
 public:
  static constexpr const char* kName = "references-of-trash";
};

TEST_P(TrashReferences, OfPartsAndVersionsAreFoundOfTheQueueNot) {
  std::vector<model::StreamId> streams;
  for (int i = 0; i < 5; ++i) streams.push_back(model::StreamId::random());
  const auto put = [&](const model::StreamId& stream) {
    ASSERT_EQ(run(stores().objects.put_object(put_request("key", 1, stream))).status,
              CommitStatus::kCommitted);
  };
  put(streams[0]);
  put(streams[1]);  // streams[0] is in the queue now.
  set_versioning(Versioning::kEnabled);
  put(streams[2]);  // streams[1] is in the history.
  put_open_part("parts", streams[3]);
  auto asked = streams;
  std::ranges::sort(asked);
  const auto found = run(stores().restores.referenced_streams(asked, soon()));
  EXPECT_EQ(std::set<model::StreamId>(found.begin(), found.end()),
            std::set<model::StreamId>({streams[1], streams[2], streams[3]}));
}

INSTANTIATE_TEST_SUITE_P(Stores, TrashReferences, all_implementations(), name_of_implementation);

}  // namespace
}  // namespace rondel::metadata
