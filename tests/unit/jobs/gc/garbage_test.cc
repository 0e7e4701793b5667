// The interlocks of garbage collection, each by itself.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "jobs/gc/orphan_scan.h"
#include "jobs/gc/removal_batch.h"
#include "jobs/gc/trash_restore.h"
#include "metadata/memory/memory_cluster.h"
#include "tests/fakes/fixed_topology.h"
#include "tests/fakes/manual_clock.h"
#include "tests/unit/jobs/gc/coordinating_gateway.h"
#include "tests/unit/jobs/gc/watched_releases.h"

namespace rondel::gc {
namespace {

using namespace std::chrono_literals;

class Lister final : public node_client::BlobLister {
 public:
  async::Task<Result<std::vector<node_client::ListedBlob>>> list(transfer::DiskAddress at,
                                                                 model::BlobId after,
                                                                 Deadline) override {
    if (away.contains(at.disk)) co_return fail(ErrorCode::kUnavailable, "away");
    if (on_list) on_list(at.disk);
    std::vector<node_client::ListedBlob> page;
    bool behind = after == model::BlobId{};
    for (const node_client::ListedBlob& blob : disks[at.disk]) {
      if (behind && page.size() < 7) page.push_back(blob);
      behind = behind || blob.id == after;
    }
    co_return page;
  }

  std::map<model::DiskId, std::vector<node_client::ListedBlob>> disks;
  std::set<model::DiskId> away;
  std::function<void(const model::DiskId&)> on_list;
};

// Nodes that remember the database, as rondel-node does, and a trash.
class Remover final : public node_client::BlobRemover {
 public:
  struct Node {
    model::MetadataGeneration seen;
    uint64_t token = 0;
    uint64_t highest_order = 0;
    bool estranged = false;  // It has heard that the database is another one.
  };

  async::Task<Result<node_client::RemovalReply>> remove(transfer::DiskAddress at,
                                                        std::vector<model::BlobId> ids,
                                                        node_client::RemovalOrder order,
                                                        Deadline) override {
    if (before_remove) std::exchange(before_remove, nullptr)();
    if (on_ids && !ids.empty()) on_ids();
    Node& node = nodes[at.node];
    const node_client::Refusal refusal = judge(node, order);
    if (refusal == node_client::Refusal::kNone && !ids.empty()) {
      removed += ids.size();
      node.highest_order = std::max(node.highest_order, order.number);
      for (const auto& id : ids) {
        if (order.number >= trash[at.disk][id].order) trash[at.disk][id] = {order.number, true};
      }
    }
    co_return node_client::RemovalReply{refusal, node.seen, node.highest_order};
  }

  async::Task<Result<node_client::RestoreReply>> restore(transfer::DiskAddress at,
                                                         std::vector<model::BlobId> ids,
                                                         uint64_t number, Deadline) override {
    if (away.contains(at.disk)) co_return fail(ErrorCode::kUnavailable, "away");
    if (hanging.contains(at.disk)) {
      const Deadline end = deadline_in(60s);
      while (!hang_ends() && std::chrono::steady_clock::now() < end) {
        co_await async::sleep_for(1ms);
      }
      if (!hang_ends()) co_return fail(ErrorCode::kDeadlineExceeded, "it hung to the end");
    }
    Node& node = nodes[at.node];
    node_client::RestoreReply reply{0, node.highest_order};
    largest_call = std::max(largest_call, ids.size());
    for (const auto& id : ids) {
      const auto blob = trash[at.disk].find(id);
      if (blob == trash[at.disk].end() || !blob->second.trashed || number < blob->second.order) {
        continue;
      }
      blob->second = {number, false};
      ++reply.restored;
    }
    co_return reply;
  }

  // Everything one node remembers, of all nodes.
  template <class Change>
  void remember(Change change) {
    for (auto& [id, node] : nodes) change(node);
  }

  struct Blob {
    uint64_t order = 0;
    bool trashed = false;
  };

  std::map<model::NodeId, Node> nodes;
  std::map<model::DiskId, std::map<model::BlobId, Blob>> trash;
  std::set<model::DiskId> away;
  std::set<model::DiskId> hanging;  // Until hang_ends(), when asked to restore.
  std::function<bool()> hang_ends;
  std::function<void()> before_remove;
  std::function<void()> on_ids;
  size_t removed = 0;
  size_t largest_call = 0;

 private:
  static node_client::Refusal judge(Node& node, const node_client::RemovalOrder& order) {
    const auto& database = order.generation;
    if (node.seen == model::MetadataGeneration{} || database.accepted > node.seen.accepted) {
      node.seen = {database.accepted, database.system, database.mark, 0};
      node.token = 0;
      node.estranged = false;
    } else if (node.estranged || database.accepted < node.seen.accepted ||
               database.system != node.seen.system || order.verified != node.seen.mark) {
      return node_client::Refusal::kDatabase;
    }
    if (order.coordinator_token < node.token) return node_client::Refusal::kCoordinator;
    node.token = order.coordinator_token;
    if (database.mark.counter > node.seen.mark.counter) node.seen.mark = database.mark;
    return node_client::Refusal::kNone;
  }
};

// What is in the trash of Remover's disks.
class Trash final : public node_client::BlobLister {
 public:
  explicit Trash(Remover& remover) : remover_(remover) {}

  async::Task<Result<std::vector<node_client::ListedBlob>>> list(transfer::DiskAddress at,
                                                                 model::BlobId after,
                                                                 Deadline) override {
    std::vector<node_client::ListedBlob> page;
    for (const auto& [id, blob] : remover_.trash[at.disk]) {
      if (blob.trashed && (after == model::BlobId{} || after < id) && page.size() < 7) {
        page.push_back({id, 1, {}, {}});
      }
    }
    co_return page;
  }

 private:
  Remover& remover_;
};

class GarbageTest : public ::testing::Test {
 protected:
  GarbageTest() {
    for (int i = 0; i < 3; ++i) {
      members_.push_back({model::DiskId::random(), model::NodeId::random(), "h" + std::to_string(i),
                          "z" + std::to_string(i), 1ull << 40});
    }
    auto topology = std::make_shared<ring::Topology>();
    topology->rings.push_back(
        std::make_shared<const ring::Ring>(ring::Ring::build(members_, {}, 1).value()));
    source_.topology_ = topology;
    // As a gateway does when it starts.
    async::block_on(
        store_.gc.raise_garbage_ages({.orphan_age = options_.orphan_age}, deadline_in(60s)));
  }

  struct Source final : ring::TopologySource {
    std::shared_ptr<const ring::Topology> topology() const override { return topology_; }

    std::shared_ptr<const ring::Topology> topology_;
  };

  CoordinatingStores stores() {
    return {store_.lease, store_.nodes, store_.ring, releases_, store_.gc};
  }

  uint64_t lead() {
    return async::block_on(store_.lease.claim_coordinator(deadline_in(60s))).value().value();
  }

  // As looked at again already.
  void release(int64_t row, const model::StreamId& stream, uint64_t size = 100,
               SystemTime at = {}) {
    state_.released[row] = {{row, stream, size, at}, at};
    state_.last_release_id = std::max(state_.last_release_id, row);
  }

  model::StreamId add(size_t disk, Duration created, Duration received, bool referenced,
                      uint32_t chunk = 0) {
    const auto stream = model::StreamId::random();
    const SystemTime now = real_clock().now();
    const auto ago = [now](Duration age) {
      return now - std::chrono::duration_cast<std::chrono::microseconds>(age);
    };
    lister_.disks[members_[disk].id].push_back({{stream, chunk}, 100, ago(created), ago(received)});
    if (referenced) state_.references[stream] = 1;
    return stream;
  }

  Result<void> pass() { return pass_as(state_.cluster.token); }

  Result<void> pass_as(uint64_t token) {
    const fakes::ManualClock clock(real_clock().now() + ahead_);
    OrphanScan scan(store_.orphans, store_.gc, source_, lister_, options_, clock);
    const jobs::Term term(token, [] { return true; });
    auto done = async::block_on(scan.run_round(term));
    status_ = scan.status();
    return done;
  }

  Result<void> collect() {
    CoordinatingGateway coordinator(stores(), source_, remover_, {}, real_clock());
    auto result = coordinator.run_once();
    halted_ = coordinator.status().gc_halted;
    return result;
  }

  std::vector<ring::Disk> members_;
  Source source_;
  metadata::MemoryState state_;
  metadata::MemoryCluster store_{state_};
  WatchedReleases releases_{store_.releases};
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
  ASSERT_EQ(state_.released.size(), 1u);
  EXPECT_EQ(state_.released.begin()->second.row.stream, orphan);
  EXPECT_EQ(model::chunk_count(state_.released.begin()->second.row.size), 5u)
      << "every chunk up to the one seen";
  EXPECT_EQ(status_.blobs_scanned_total, 24u);
  EXPECT_EQ(status_.passes_total, 1u);
  ASSERT_TRUE(pass());
  EXPECT_EQ(state_.released.size(), 1u) << "once";
}

TEST_F(GarbageTest, ADiskWithTooManyOrphansReleasesNothingAndHalts) {
  options_.disk_floor = 100;
  for (int i = 0; i < 5'000; ++i) add(0, 48h, 48h, true);
  for (int i = 0; i < 101; ++i) add(0, 48h, 48h, false);
  EXPECT_EQ(pass().error().code, jobs::kHalted);
  EXPECT_TRUE(state_.released.empty());
  EXPECT_NE(state_.cluster.garbage.halted.find("101 of 5101 blobs are orphans on disk"),
            std::string::npos)
      << state_.cluster.garbage.halted;
  EXPECT_EQ(pass().error().code, jobs::kHalted) << "until somebody looks at it";
  async::block_on(store_.gc.resume_garbage(101, deadline_in(60s)));
  ASSERT_TRUE(pass());
  EXPECT_EQ(state_.released.size(), 101u);
  EXPECT_EQ(state_.cluster.garbage.allowance, 0u) << "for one pass";
}

TEST_F(GarbageTest, APassWithTooManyOrphansHalts) {
  options_.floor = 50;
  for (int i = 0; i < 40; ++i) add(0, 48h, 48h, false);
  for (int i = 0; i < 40; ++i) add(1, 48h, 48h, false);
  EXPECT_EQ(pass().error().code, jobs::kHalted);
  EXPECT_TRUE(state_.released.empty()) << "nothing before every disk was seen";
  EXPECT_NE(state_.cluster.garbage.halted, "");
}

// However many that are: a cluster that grows must not halt for what is as rare as before.
TEST_F(GarbageTest, AShareOfWhatWasLookedAtIsBearable) {
  options_.floor = options_.disk_floor = 10;
  for (size_t disk = 0; disk < 3; ++disk) {
    for (int i = 0; i < 4'970; ++i) add(disk, 48h, 48h, true);
    for (int i = 0; i < 40; ++i) add(disk, 48h, 48h, false);
  }
  ASSERT_TRUE(pass()) << state_.cluster.garbage.halted;
  EXPECT_EQ(state_.released.size(), 120u);
  for (int i = 0; i < 11; ++i) add(0, 48h, 48h, false);
  EXPECT_EQ(pass().error().code, jobs::kHalted) << "51 of a disk within the orphan age";
  async::block_on(store_.gc.resume_garbage(11, deadline_in(60s)));
  ASSERT_TRUE(pass());
  EXPECT_EQ(state_.released.size(), 131u);
}

// Under way when the database failed, in a cluster that holds next to nothing.
TEST_F(GarbageTest, AFewAreNeverTooMany) {
  for (size_t disk = 0; disk < 3; ++disk) {
    for (int i = 0; i < 256; ++i) add(disk, 48h, 48h, false);
  }
  ASSERT_TRUE(pass()) << state_.cluster.garbage.halted;
  EXPECT_EQ(state_.released.size(), 768u);
}

TEST_F(GarbageTest, WhatAPassCannotKeepIsLeftToTheNext) {
  options_.streams_max = 5;
  for (int i = 0; i < 8; ++i) add(0, 48h, 48h, false);
  for (const size_t released : {5u, 8u}) {
    ASSERT_TRUE(pass());
    EXPECT_EQ(state_.released.size(), released);
  }
}

TEST_F(GarbageTest, SmallPassesAddUp) {
  options_.floor = 50;
  for (int i = 0; i < 30; ++i) add(0, 48h, 48h, false);
  ASSERT_TRUE(pass());
  EXPECT_EQ(state_.released.size(), 30u);
  for (int i = 0; i < 30; ++i) add(1, 48h, 48h, false);
  EXPECT_EQ(pass().error().code, jobs::kHalted);
  EXPECT_NE(state_.cluster.garbage.halted.find("30 of 60 blobs (and 30 were of late) are orphans"),
            std::string::npos)
      << state_.cluster.garbage.halted;
  async::block_on(store_.gc.resume_garbage(0, deadline_in(60s)));
  ASSERT_TRUE(pass());
  EXPECT_EQ(state_.released.size(), 60u);
}

TEST_F(GarbageTest, SmallPassesOverOneDiskAddUp) {
  options_.disk_floor = 100;
  for (int i = 0; i < 60; ++i) add(0, 48h, 48h, false);
  ASSERT_TRUE(pass());
  for (int i = 0; i < 60; ++i) add(0, 48h, 48h, false);
  EXPECT_EQ(pass().error().code, jobs::kHalted);
  EXPECT_EQ(state_.released.size(), 60u);
}

TEST_F(GarbageTest, WhatAnOperatorAllowedDoesNotCountLater) {
  async::block_on(store_.gc.resume_garbage(150, deadline_in(60s)));
  for (int i = 0; i < 150; ++i) add(0, 48h, 48h, false);
  ASSERT_TRUE(pass());
  add(0, 48h, 48h, false);
  ASSERT_TRUE(pass());
  EXPECT_EQ(state_.released.size(), 151u);
}

TEST_F(GarbageTest, TheLongestOrphanAgeOfAllGatewaysCounts) {
  state_.cluster.garbage.ages.orphan_age = 72h;
  add(0, 48h, 48h, false);
  const auto orphan = add(0, 73h, 73h, false);
  ASSERT_TRUE(pass());
  ASSERT_EQ(state_.released.size(), 1u);
  EXPECT_EQ(state_.released.begin()->second.row.stream, orphan);
}

TEST_F(GarbageTest, ADiskThatListsImpossibleChunksIsNotBelieved) {
  add(0, 48h, 48h, false, 0xffffffff);
  add(0, 48h, 48h, false);
  add(1, 48h, 48h, false);
  ASSERT_TRUE(pass());
  EXPECT_EQ(state_.released.size(), 1u);
  EXPECT_EQ(status_.disks_skipped_total, 1u);
}

TEST_F(GarbageTest, TheLongestGraceOfAllGatewaysCounts) {
  state_.cluster.garbage.ages.grace = 48h;
  release(1, model::StreamId::random(), 100, real_clock().now() - 24h);
  ASSERT_TRUE(collect());
  EXPECT_EQ(state_.released.size(), 1u);
  state_.cluster.garbage.ages.grace = 12h;
  ASSERT_TRUE(collect());
  EXPECT_TRUE(state_.released.empty());
}

TEST_F(GarbageTest, ADiskThatIsAwayIsSkipped) {
  add(0, 48h, 48h, false);
  add(1, 48h, 48h, false);
  lister_.away = {members_[0].id};
  ASSERT_TRUE(pass());
  EXPECT_EQ(state_.released.size(), 1u);
  EXPECT_EQ(status_.disks_skipped_total, 1u);
}

TEST_F(GarbageTest, AFormerCoordinatorReleasesNothing) {
  add(0, 48h, 48h, false);
  const uint64_t former = lead();
  state_.begin_lease("another gateway");
  ASSERT_TRUE(pass_as(former));
  EXPECT_TRUE(state_.released.empty());
}

TEST_F(GarbageTest, AClockThatIsAheadMakesNothingOld) {
  add(0, 1h, 1h, false);
  const auto orphan = add(0, 25h, 25h, false);
  ahead_ = 48h;
  ASSERT_TRUE(pass());
  ASSERT_EQ(state_.released.size(), 1u);
  EXPECT_EQ(state_.released.begin()->second.row.stream, orphan);
}

TEST_F(GarbageTest, WhatIsReferredToByTheEndOfThePassStays) {
  const auto orphan = add(0, 48h, 48h, false);
  add(1, 48h, 48h, false);
  lister_.on_list = [&](const model::DiskId& disk) {
    if (disk == std::max(members_[0].id, members_[1].id)) state_.references[orphan] = 1;
  };
  if (members_[0].id > members_[1].id) {
    std::swap(lister_.disks[members_[0].id], lister_.disks[members_[1].id]);
  }
  ASSERT_TRUE(pass());
  EXPECT_EQ(state_.released.size(), 1u);
  EXPECT_NE(state_.released.begin()->second.row.stream, orphan);
}

class RestoredDatabase : public GarbageTest {
 protected:
  void SetUp() override {
    state_.references[kept_] = 1;
    backup_ = state_.backup();
    // After the backup a stream is released and goes into the trash.
    state_.references.erase(kept_);
    release(1, kept_);
    ASSERT_TRUE(collect());
    ASSERT_TRUE(state_.released.empty());
    ASSERT_GT(remover_.removed, 0u);
    removed_ = remover_.removed;
    join();
  }

  void join() {
    for (const ring::Disk& disk : members_) {
      metadata::NodeRecord node{
          disk.node, disk.host, "", disk.host, disk.zone, {{disk.id, disk.capacity_bytes, ""}}, {}};
      ASSERT_TRUE(async::block_on(store_.nodes.record_node(node, deadline_in(60s))));
    }
  }

  void restart_from_backup() {
    state_.set_back(backup_);
    restart();
  }

  // The same gateway leads then.
  void restart() {
    state_.end_sessions();
    lead();
  }

  void set_back() {
    restart_from_backup();
    join();
    release(2, model::StreamId::random());
  }

  void expect_halted() {
    ASSERT_TRUE(collect());
    EXPECT_EQ(remover_.removed, removed_);
    EXPECT_EQ(state_.released.size(), 1u);
    EXPECT_NE(halted_, "");
    add(0, 48h, 48h, false);
    EXPECT_FALSE(pass()) << "the scan stands still as well";
    async::block_on(store_.gc.resume_garbage(0, deadline_in(60s)));
    ASSERT_TRUE(collect());
    EXPECT_GT(remover_.removed, removed_);
    EXPECT_EQ(halted_, "");
    ASSERT_TRUE(collect());
    EXPECT_EQ(halted_, "") << "nodes remember what was confirmed";
  }

  void expect_running() {
    release(3, model::StreamId::random());
    ASSERT_TRUE(collect());
    EXPECT_EQ(halted_, "");
    EXPECT_GT(remover_.removed, removed_);
    EXPECT_TRUE(state_.released.empty());
  }

  Result<void> restore() {
    Trash trash(remover_);
    TrashRestore restores(store_.restores, store_.lease, trash, remover_,
                          {.streams_per_query = 3, .blobs_per_call = 2});
    const jobs::Term term(state_.cluster.token, [] { return true; });
    auto done = async::block_on(restores.run_round(term));
    waiting_ = restores.status().disks_waiting;
    restored_ = restores.status().blobs_restored_total;
    return done;
  }

  size_t trashed(const model::StreamId& stream) {
    size_t count = 0;
    for (const auto& [disk, blobs] : remover_.trash) {
      for (const auto& [id, blob] : blobs) count += id.stream == stream && blob.trashed;
    }
    return count;
  }

  const model::StreamId kept_ = model::StreamId::random();
  metadata::MemoryRows backup_;
  size_t removed_ = 0;
  uint64_t waiting_ = 0, restored_ = 0;
};

TEST_F(RestoredDatabase, AnOlderStateHalts) {
  set_back();
  expect_halted();
}

TEST_F(RestoredDatabase, AnOlderStateHaltsHoweverLongItHasRunAlone) {
  set_back();
  for (int i = 0; i < 10'000; ++i) state_.write_mark();
  expect_halted();
}

TEST_F(RestoredDatabase, IsFoundWithNothingToRemove) {
  restart_from_backup();
  ASSERT_TRUE(collect());
  EXPECT_NE(halted_, "");
  EXPECT_EQ(pass().error().code, jobs::kHalted);
}

TEST_F(RestoredDatabase, ANodeThatSaysSoWithItsHeartbeatIsEnough) {
  metadata::NodeRecord node{model::NodeId::random(),         "a", "", "h", "z", {}, {},
                            {0, state_.system, {4711, 1}, 3}};
  ASSERT_TRUE(async::block_on(store_.nodes.record_node(node, deadline_in(60s))));
  ASSERT_TRUE(collect());
  EXPECT_NE(halted_, "");
  EXPECT_NE(state_.cluster.garbage.halted, "");
}

TEST_F(RestoredDatabase, APromotionThatLostNothingNeedsNobody) {
  restart();
  expect_running();
}

TEST_F(RestoredDatabase, AnotherSystemHalts) {
  state_.system += 1;
  release(2, model::StreamId::random());
  expect_halted();
}

TEST_F(RestoredDatabase, ANodeWhoseMarkMovesOnMeanwhileDoesNotHalt) {
  remover_.before_remove = [this] {
    state_.write_mark();
    remover_.remember([this](auto& node) { node.seen.mark = state_.generation().mark; });
  };
  expect_running();
}

// The same gateway leads on: what it knows of nodes' marks is of the database before.
TEST_F(RestoredDatabase, IsSeenByACoordinatorThatGoesOnLeading) {
  CoordinatingGateway coordinator(stores(), source_, remover_, {}, real_clock());
  release(3, model::StreamId::random());
  ASSERT_TRUE(coordinator.run_once());
  removed_ = remover_.removed;
  set_back();
  const uint64_t before = state_.cluster.token;
  ASSERT_TRUE(coordinator.run_once());
  EXPECT_EQ(coordinator.token(), before);
  EXPECT_EQ(remover_.removed, removed_);
  EXPECT_NE(state_.cluster.garbage.halted, "");
}

// Tokens start again in a database that was set back; a confirmation is above them.
TEST_F(RestoredDatabase, TheCoordinatorWorksAfterAConfirmationWithoutARestart) {
  remover_.remember([](auto& node) { node.token = 1'000'000; });
  CoordinatingGateway coordinator(stores(), source_, remover_, {}, real_clock());
  set_back();
  ASSERT_TRUE(coordinator.run_once());
  EXPECT_NE(coordinator.status().gc_halted, "");
  async::block_on(store_.gc.resume_garbage(0, deadline_in(60s)));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(coordinator.run_once());
    EXPECT_TRUE(coordinator.leads());
  }
  EXPECT_EQ(coordinator.status().gc_halted, "");
  EXPECT_TRUE(state_.released.empty());
}

TEST_F(RestoredDatabase, WhatRowsReferToIsTakenOutOfTheTrashAndTheRestStays) {
  const auto gone = model::StreamId::random();
  release(7, gone);
  ASSERT_TRUE(collect());
  for (int i = 0; i < 20; ++i) state_.references[model::StreamId::random()] = 1;
  const size_t copies = trashed(kept_);
  ASSERT_GT(copies, 0u);
  set_back();
  ASSERT_TRUE(collect());
  ASSERT_NE(halted_, "");
  async::block_on(store_.restores.order_restore(deadline_in(60s)));
  ASSERT_TRUE(restore());
  EXPECT_EQ(waiting_, 0u);
  EXPECT_EQ(restored_, copies);
  EXPECT_EQ(trashed(kept_), 0u);
  EXPECT_GT(trashed(gone), 0u);
  async::block_on(store_.restores.order_restore(deadline_in(60s)));
  ASSERT_TRUE(restore());
  EXPECT_EQ(restored_, 0u) << "again: nothing";
}

TEST_F(RestoredDatabase, ADiskThatIsAwayHasItsTurnWhenItIsBack) {
  set_back();
  async::block_on(store_.restores.order_restore(deadline_in(60s)));
  remover_.away = {members_[1].id};
  ASSERT_TRUE(restore());
  EXPECT_EQ(waiting_, 1u);
  EXPECT_EQ(trashed(kept_), 1u);
  async::block_on(store_.gc.resume_garbage(0, deadline_in(60s)));
  const auto greeting = async::block_on(store_.nodes.record_node(
      {members_[1].node, "", "", "h", "z", {{members_[1].id, 1, ""}}, {}}, deadline_in(60s)));
  EXPECT_EQ(greeting->purging_stopped, "");
  EXPECT_TRUE(greeting->purging_disks.empty()) << "nothing is purged there before";
  remover_.away.clear();
  ASSERT_TRUE(restore());
  EXPECT_EQ(waiting_, 0u);
  EXPECT_EQ(trashed(kept_), 0u);
}

// Nothing deletes the rows of nodes that left for good.
TEST_F(RestoredDatabase, ANodeThatLeftForGoodIsNotWaitedFor) {
  set_back();
  const model::NodeId left = model::NodeId::random();
  const model::DiskId disk = model::DiskId::random();
  ASSERT_TRUE(async::block_on(store_.nodes.record_node(
      {left, "old:1", "", "h", "z", {{disk, 1, ""}}, {}}, deadline_in(60s))));
  state_.cluster.nodes[left].record.last_seen -= 2h;
  remover_.away = {disk};
  async::block_on(store_.restores.order_restore(deadline_in(60s)));
  ASSERT_TRUE(restore());
  EXPECT_EQ(waiting_, 0u);
  EXPECT_EQ(trashed(kept_), 0u);
}

TEST_F(RestoredDatabase, ADiskThatHangsHoldsUpNoOther) {
  for (const ring::Disk& hanging : members_) {
    const uint64_t number =
        async::block_on(store_.restores.order_restore(deadline_in(60s))).value();
    remover_.hanging = {hanging.id};
    remover_.hang_ends = [&] {
      return std::ranges::all_of(members_, [&](const ring::Disk& disk) {
        return disk.id == hanging.id || state_.cluster.restores[disk.id].number == number;
      });
    };
    ASSERT_TRUE(restore());
    EXPECT_EQ(waiting_, 0u);
  }
}

// By coordinators of the database before, which had given many more numbers.
TEST_F(RestoredDatabase, RemovalsWithHigherNumbersAreTakenBack) {
  for (auto& [disk, blobs] : remover_.trash) {
    for (auto& [id, blob] : blobs) blob.order = 1ull << 31;
  }
  remover_.remember([](auto& node) { node.highest_order = 1ull << 31; });
  set_back();
  async::block_on(store_.restores.order_restore(deadline_in(60s)));
  ASSERT_TRUE(restore());
  EXPECT_EQ(trashed(kept_), 0u);
}

TEST_F(RestoredDatabase, ARemovalBelowWhatANodeHasSeenIsOrderedAgainAboveIt) {
  remover_.remember([](auto& node) { node.highest_order = 1ull << 31; });
  release(3, kept_);
  CoordinatingGateway coordinator(stores(), source_, remover_, {}, real_clock());
  ASSERT_TRUE(coordinator.run_once());
  ASSERT_TRUE(coordinator.run_once());
  EXPECT_TRUE(state_.released.empty());
  EXPECT_GT(state_.cluster.order, 1ull << 31);
}

// Following it would use the numbers up for good.
TEST_F(RestoredDatabase, AnOrderThatLeapsIsFollowedByNobody) {
  remover_.nodes[members_[0].node].highest_order = 1ull << 62;
  release(3, kept_);
  CoordinatingGateway coordinator(stores(), source_, remover_, {}, real_clock());
  ASSERT_TRUE(coordinator.run_once());
  ASSERT_TRUE(coordinator.run_once());
  EXPECT_TRUE(state_.released.empty()) << "the other nodes obey";
  EXPECT_LT(state_.cluster.order, 1ull << 31);

  set_back();
  async::block_on(store_.restores.order_restore(deadline_in(60s)));
  ASSERT_TRUE(restore());
  EXPECT_LT(state_.cluster.order, 1ull << 31);
  remover_.nodes[members_[0].node].highest_order = 0;
  ASSERT_TRUE(restore());
  EXPECT_EQ(trashed(kept_), 0u);
}

// A database that still refers to what was removed does not hold the mark that came with the
// removal, however short the grace.
TEST_F(RestoredDatabase, NodesRememberAMarkThatIsNewerThanTheRelease) {
  const auto stream = model::StreamId::random();
  state_.references[stream] = 1;
  const auto just_before = state_.backup();
  state_.references.erase(stream);
  release(9, stream);
  CoordinatingGateway coordinator(stores(), source_, remover_, {}, real_clock());
  ASSERT_TRUE(coordinator.run_once());
  ASSERT_GT(trashed(stream), 0u);
  for (const auto& [id, node] : remover_.nodes) {
    EXPECT_FALSE(just_before.cluster.holds(node.seen.mark));
  }
}

// A round of two batches, read from the database that was there. An older one takes its place, with
// an operator's confirmation or not: what the other one released is not removed any further.
TEST_F(RestoredDatabase, ThatTakesThePlaceOfTheOneARoundWasReadFromEndsTheRound) {
  enum class When { kBetweenBatches, kNodesHear, kDisksAreSlow };

  const struct {
    const char* name;
    When when;
    bool confirmed;
  } cases[] = {
      {"between two batches", When::kBetweenBatches, false},
      {"between two batches, confirmed", When::kBetweenBatches, true},
      {"within a batch, and nodes hear of it", When::kNodesHear, false},
      {"within a batch, and nodes hear that it is confirmed", When::kNodesHear, true},
      {"within a batch of slow disks", When::kDisksAreSlow, false},
      {"within a batch of slow disks, confirmed", When::kDisksAreSlow, true},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    metadata::MemoryRows older = state_.backup();
    fakes::ManualClock clock(std::chrono::sys_days(std::chrono::year(2024) / 1 / 1));
    CoordinatingGateway coordinator(stores(), source_, remover_, {}, clock);
    ASSERT_TRUE(coordinator.run_once());
    ASSERT_EQ(coordinator.status().gc_halted, "");
    for (int64_t row = 1; row <= 20; ++row) {
      const auto stream = model::StreamId::random();
      older.references[stream] = 1;
      release(row, stream, kStreamChunksMax * model::kChunkBytes);
    }
    size_t at_swap = 0;
    const auto swap = [&] {
      at_swap = remover_.removed;
      state_.set_back(older);
      if (c.confirmed) async::block_on(store_.gc.resume_garbage(0, deadline_in(60s)));
    };
    int calls = 0;
    if (c.when == When::kBetweenBatches) {
      releases_.on_finish = swap;
    } else {
      remover_.on_ids = [&] {
        if (c.when == When::kDisksAreSlow) clock.advance(5s);
        if (++calls != 3) return;
        swap();
        // The order under way was sent before.
        if (c.when == When::kDisksAreSlow) at_swap += 4'096;
        remover_.remember([&](auto& node) {
          if (c.when == When::kNodesHear && c.confirmed) node.seen = state_.generation();
          node.estranged = c.when == When::kNodesHear && !c.confirmed;
        });
      };
    }
    const size_t before = remover_.removed;
    ASSERT_TRUE(coordinator.run_once());
    ASSERT_GT(at_swap, before) << "the round had begun";
    EXPECT_EQ(remover_.removed, at_swap);
    for (int i = 0; i < 3; ++i) {
      clock.advance(61s);
      ASSERT_TRUE(coordinator.run_once());
    }
    EXPECT_EQ(remover_.removed, at_swap);
    EXPECT_EQ(coordinator.status().gc_halted.empty(), c.confirmed);

    // For the next case.
    remover_.on_ids = nullptr;
    async::block_on(store_.gc.resume_garbage(0, deadline_in(60s)));
    ASSERT_TRUE(coordinator.run_once());
    ASSERT_EQ(coordinator.status().gc_halted, "");
  }
}

// Halted by an operator's order or by the scan while a round waits for disks.
TEST_F(RestoredDatabase, AHaltEndsTheRoundThatIsUnderWay) {
  for (int64_t row = 1; row <= 20; ++row) {
    release(row, model::StreamId::random(), kStreamChunksMax * model::kChunkBytes);
  }
  size_t at_halt = 0;
  releases_.on_finish = [&] {
    at_halt = remover_.removed;
    state_.cluster.garbage.halted = "somebody must look";
  };
  ASSERT_TRUE(collect());
  EXPECT_GT(at_halt, removed_);
  EXPECT_EQ(remover_.removed, at_halt);
  EXPECT_EQ(halted_, "somebody must look");
  EXPECT_FALSE(state_.released.empty());
}

}  // namespace
}  // namespace rondel::gc
