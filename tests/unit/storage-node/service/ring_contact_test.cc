#include "storage-node/service/ring_contact.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <thread>

#include "common/hash/hash64.h"
#include "proto/cluster/v1/cluster.grpc.pb.h"
#include "storage-node/service/open_disks.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"
#include "transfer/grpc/metadata_generation.hpp"

namespace rondel::node {
namespace {

using namespace std::chrono_literals;
using model::Recognition;
namespace wire = rondel::cluster::v1;

// What gateways have offered, laid end to end, by its digest.
std::map<uint64_t, std::string>& offered_rings() {
  static std::map<uint64_t, std::string> rings;
  return rings;
}

// Answers heartbeats with what a test says.
class Gateway final : public wire::Cluster::Service {
 public:
  Gateway() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }

  ~Gateway() override { server_->Shutdown(std::chrono::system_clock::now() + 1s); }

  grpc::Status Heartbeat(grpc::ServerContext*, const wire::HeartbeatRequest* request,
                         wire::HeartbeatReply* reply) override {
    std::lock_guard lock(mutex_);
    *reply = reply_;
    asked_ = *request;
    ++beats_;
    changed_.notify_all();
    return grpc::Status::OK;
  }

  grpc::Status ReadRings(grpc::ServerContext*, const wire::ReadRingsRequest* request,
                         wire::ReadRingsReply* reply) override {
    std::lock_guard lock(mutex_);
    ++pieces_;
    if (pieces_ == fail_at) return {grpc::StatusCode::UNAVAILABLE, "away"};
    const auto rings = offered_rings().find(request->digest());
    if (rings == offered_rings().end()) return {grpc::StatusCode::NOT_FOUND, "others"};
    reply->set_piece(rings->second.substr(request->offset(), kPieceBytes));
    return grpc::Status::OK;
  }

  int pieces() const {
    std::lock_guard lock(mutex_);
    return pieces_;
  }

  static constexpr size_t kPieceBytes = 1 << 20;
  std::atomic<int> fail_at = 0;  // This piece does not come.

  // Returns when two heartbeats have had this answer: what follows the first is done then.
  void answer(const wire::HeartbeatReply& reply) {
    std::unique_lock lock(mutex_);
    reply_ = reply;
    const int end = beats_ + 2;
    ASSERT_TRUE(changed_.wait_for(lock, 60s, [&] { return beats_ >= end; }));
  }

  // From the next heartbeat on.
  void say(const wire::HeartbeatReply& reply) {
    std::lock_guard lock(mutex_);
    reply_ = reply;
  }

  void await_beats(int beats) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, 60s, [&] { return beats_ >= beats; }));
  }

  wire::HeartbeatRequest asked() const {
    std::lock_guard lock(mutex_);
    return asked_;
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  wire::HeartbeatReply reply_;
  wire::HeartbeatRequest asked_;
  int beats_ = 0;
  int pieces_ = 0;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

std::string table(uint64_t epoch, size_t disks) {
  std::vector<ring::Disk> members;
  for (size_t i = 0; i < disks; ++i) {
    members.push_back({model::DiskId::random(), model::NodeId::random(), "h" + std::to_string(i),
                       "z" + std::to_string(i), 1ull << 40});
  }
  ring::RingOptions options;
  options.power = 4;
  return ring::Ring::build(std::move(members), options, epoch).value().serialize();
}

void offer(wire::HeartbeatReply& reply, const std::vector<std::string>& rings) {
  std::string all;
  reply.clear_rings_offer();
  for (const std::string& ring : rings) {
    reply.mutable_rings_offer()->add_bytes(ring.size());
    all += ring;
  }
  const uint64_t digest = hash::hash64(as_bytes(all), 0);
  reply.mutable_rings_offer()->set_digest(digest);
  offered_rings()[digest] = std::move(all);
}

wire::HeartbeatReply reply_of(uint64_t accepted, Recognition recognition, uint64_t min_epoch,
                              const std::string& ring) {
  static const auto cluster = model::ClusterId::random();
  wire::HeartbeatReply reply;
  reply.set_cluster_id(std::string(as_text(cluster.view())));
  reply.set_epoch_confirmed(true);
  reply.set_min_epoch(min_epoch);
  offer(reply, {ring});
  reply.set_recognition(static_cast<uint32_t>(recognition));
  *reply.mutable_generation() = transfer::to_wire({accepted, 7, {accepted + 1, 1}, 0});
  return reply;
}

class RingContactTest : public ::testing::Test {
 protected:
  RingContactTest() {
    EXPECT_TRUE(files_.make_directory("/disk"));
    std::vector<std::unique_ptr<engine::Engine>> engines;
    engines.push_back(
        engine::Engine::open(files_, engine::small_options(folder_.path() + "/index")).value());
    disks_ = std::make_unique<DiskSet>(std::move(engines));
  }

  RingContactOptions options(const std::string& gateway) const {
    RingContactOptions out;
    out.gateways = {gateway};
    out.cache_file = folder_.path() + "/ring.cache";
    out.period = 1ms;
    return out;
  }

  engine::TemporaryFolder folder_;
  fs::SimulatedFileSystem files_{1};
  std::unique_ptr<DiskSet> disks_;
};

TEST_F(RingContactTest, AsksNobodyOnceItIsStopped) {
  MetadataMemory memory(folder_.path() + "/metadata.seen");
  RingContact contact(options("127.0.0.1:1"), memory);  // Refuses.
  std::atomic<int> asked = 0, answered = 0;
  std::atomic<bool> stopping = false, gone = false;
  contact.start(
      *disks_,
      [&](const model::DiskId&) {
        EXPECT_FALSE(gone);
        if (++asked >= 3) stopping.wait(false);
        ++answered;
        return model::ReplicationLag{};
      },
      [](const model::ClusterId&) {});
  // The third is asked until it is stopped.
  while (asked < 3) std::this_thread::yield();
  stopping = true;
  stopping.notify_all();
  contact.stop();
  gone = true;
  EXPECT_EQ(answered, asked) << "whoever was asked has answered";
  contact.stop();
}

// Two epochs of the greatest table that disks of very different sizes make: 12 MiB, in which one
// message may not be.
TEST_F(RingContactTest, RingsOfAnySizeComeInPiecesAndGoOnWhereTheyWere) {
  const auto large = [](uint64_t epoch) {
    std::vector<ring::Disk> members;
    for (size_t i = 0; i < 3; ++i) {
      members.push_back({model::DiskId::random(), model::NodeId::random(), "h" + std::to_string(i),
                         "z" + std::to_string(i), 1ull << 40});
    }
    ring::RingOptions options;
    options.power = 20;
    return ring::Ring::build(std::move(members), options, epoch).value().serialize();
  };
  const std::vector<std::string> tables = {large(6), large(5)};
  const size_t bytes = tables[0].size() + tables[1].size();
  const int pieces = static_cast<int>((bytes + Gateway::kPieceBytes - 1) / Gateway::kPieceBytes);
  ASSERT_GT(pieces, 12);
  Gateway gateway;
  gateway.fail_at = 7;
  auto reply = reply_of(2, Recognition::kHeld, 5, tables[0]);
  offer(reply, tables);
  MetadataMemory memory(folder_.path() + "/metadata.seen");
  RingContact contact(options(gateway.address()), memory);
  contact.start(
      *disks_, [](const model::DiskId&) { return model::ReplicationLag{}; },
      [](const model::ClusterId&) {});
  gateway.answer(reply);
  for (const Deadline end = deadline_in(60s);
       contact.topology()->rings.size() < 2 && std::chrono::steady_clock::now() < end;) {
    std::this_thread::sleep_for(1ms);
  }
  const auto topology = contact.topology();
  const int asked = gateway.pieces();
  contact.stop();
  ASSERT_EQ(topology->rings.size(), 2u);
  EXPECT_EQ(topology->rings[0]->serialize(), tables[0]);
  EXPECT_EQ(topology->rings[1]->serialize(), tables[1]);
  EXPECT_GE(asked, pieces + 1);
}

TEST(RingsFetchTest, BelievesNoOffer) {
  RingsFetch fetch;
  EXPECT_FALSE(fetch.offered(1, {}));
  EXPECT_FALSE(fetch.offered(1, {UINT64_MAX}));
  EXPECT_FALSE(fetch.offered(1, {RingsFetch::kBytesMax, 1}));
  EXPECT_FALSE(fetch.offered(1, std::vector<uint64_t>(RingsFetch::kRingsMax + 1, 1)));
  const uint64_t digest = hash::hash64(as_bytes("abcde"), 0);
  ASSERT_TRUE(fetch.offered(digest, {3, 2}));
  ASSERT_TRUE(fetch.add("abc"));
  ASSERT_TRUE(fetch.offered(digest, {3, 2}));
  EXPECT_EQ(fetch.offset(), 3u) << "the same offer";
  EXPECT_FALSE(fetch.add("def"));
  EXPECT_EQ(fetch.offset(), 0u);
  ASSERT_TRUE(fetch.offered(digest, {3, 2}));
  EXPECT_FALSE(fetch.add("")) << "no end otherwise";
  ASSERT_TRUE(fetch.offered(digest, {3, 2}));
  ASSERT_TRUE(fetch.add("abcdx"));
  ASSERT_TRUE(fetch.complete());
  EXPECT_EQ(fetch.take().error().code, ErrorCode::kCorruption);
  ASSERT_TRUE(fetch.offered(digest, {3, 2}));
  ASSERT_TRUE(fetch.add("ab"));
  ASSERT_TRUE(fetch.add("cde"));
  EXPECT_EQ(fetch.take().value(), (std::vector<std::string>{"abc", "de"}));
}

TEST_F(RingContactTest, TheRingOfTheLaterConfirmationIsTakenThenTheHigherEpoch) {
  const struct {
    const char* name;
    uint64_t accepted;
    Recognition recognition;
    uint64_t epoch;
    bool taken;
  } cases[] = {
      {"a higher epoch", 2, Recognition::kHeld, 6, true},
      {"a lower one, by a look that is older", 2, Recognition::kHeld, 4, false},
      {"the same number over another table", 2, Recognition::kHeld, 5, true},
      {"a lower one, confirmed", 3, Recognition::kConfirmed, 4, true},
      {"the same number over another table, confirmed", 3, Recognition::kConfirmed, 5, true},
      {"a higher one of a database that is not recognized", 2, Recognition::kMarkMissing, 6, false},
      {"a lower one of a database that is not recognized", 2, Recognition::kBeatMissing, 4, false},
      {"from before a confirmation", 1, Recognition::kBeforeConfirmation, 6, false},
      {"another system's", 2, Recognition::kOtherSystem, 6, false},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    std::remove((folder_.path() + "/ring.cache").c_str());
    std::remove((folder_.path() + "/metadata.seen").c_str());
    const std::string known = table(5, 3), offered = table(c.epoch, 4);
    Gateway gateway;
    MetadataMemory memory(folder_.path() + "/metadata.seen");
    RingContact contact(options(gateway.address()), memory);
    contact.start(
        *disks_, [](const model::DiskId&) { return model::ReplicationLag{}; },
        [](const model::ClusterId&) {});
    gateway.answer(reply_of(2, Recognition::kHeld, 5, known));
    ASSERT_EQ(contact.topology()->current()->serialize(), known);
    EXPECT_EQ(gateway.asked().ring_epoch(), 5u);
    gateway.answer(reply_of(c.accepted, c.recognition, c.epoch, offered));
    contact.stop();
    EXPECT_EQ(contact.topology()->current()->serialize(), c.taken ? offered : known);
    const bool later = c.accepted > 2;
    EXPECT_EQ(contact.topology()->min_epoch, later || (c.taken && c.epoch > 5) ? c.epoch : 5u);
    MetadataMemory again(folder_.path() + "/metadata.seen");
    ASSERT_TRUE(again.load());
    RingContact restarted(options(gateway.address()), again);
    EXPECT_EQ(restarted.topology()->current()->serialize(), c.taken ? offered : known)
        << "after a restart";
  }
}

// An order that shows what no gateway has told of asks one at once, and is obeyed when that tells
// so.
TEST_F(RingContactTest, WhatAnOrderShowsIsAskedForAtOnce) {
  Gateway gateway;
  MetadataMemory memory(folder_.path() + "/metadata.seen");
  RingContactOptions with = options(gateway.address());
  with.period = 24h;
  with.name = "node-1";
  RingContact contact(with, memory);
  auto reply = reply_of(2, Recognition::kHeld, 5, table(5, 3));
  reply.set_coordinator_token(4);
  reply.set_latest_order(9);
  gateway.say(reply);
  contact.start(
      *disks_, [](const model::DiskId&) { return model::ReplicationLag{}; },
      [](const model::ClusterId&) {});
  gateway.await_beats(1);
  EXPECT_EQ(gateway.asked().name(), "node-1");
  const auto eventually = [](const auto& condition) {
    const Deadline end = deadline_in(60s);
    while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
    return condition();
  };
  ASSERT_TRUE(eventually([&] { return memory.seen().accepted == 2; }));
  const model::MetadataGeneration database = memory.seen();
  reply.set_coordinator_token(5);
  reply.set_latest_order(10);
  gateway.say(reply);
  const OrderOrigin order{5, database, database.mark, 10};
  EXPECT_EQ(contact.accept_order(order), OrderRefusal::kUnheard);
  EXPECT_TRUE(eventually([&] { return contact.accept_order(order) == OrderRefusal::kNone; }));
  EXPECT_FALSE(contact.heard_of(uint64_t{1} << 62));
  EXPECT_EQ(contact.accept_order({uint64_t{1} << 62, database, database.mark, 10}),
            OrderRefusal::kUnheard);
  gateway.await_beats(3);
  EXPECT_EQ(contact.accept_order(order), OrderRefusal::kNone) << "nothing was raised";
  contact.stop();
}

TEST_F(RingContactTest, AGatewayStopsWritesAndHasThemTakenAgain) {
  Gateway gateway;
  MetadataMemory memory(folder_.path() + "/metadata.seen");
  RingContact contact(options(gateway.address()), memory);
  EXPECT_NE(contact.why_no_writes(), "");
  contact.start(
      *disks_, [](const model::DiskId&) { return model::ReplicationLag{}; },
      [](const model::ClusterId&) {});
  auto reply = reply_of(2, Recognition::kHeld, 5, table(5, 3));
  gateway.answer(reply);
  EXPECT_EQ(contact.why_no_writes(), "");
  EXPECT_TRUE(contact.check(5));
  reply.set_writes_stopped("the clock is wrong");
  gateway.answer(reply);
  EXPECT_EQ(contact.check(5).error(), (Error{ErrorCode::kPrecondition, "the clock is wrong"}));
  EXPECT_TRUE(contact.in_contact()) << "it is in contact all the same";
  reply.clear_writes_stopped();
  gateway.answer(reply);
  EXPECT_TRUE(contact.check(5));
  contact.stop();
}

TEST_F(RingContactTest, AHeartbeatSaysWhatIsRememberedAndTheHighestOrder) {
  engine::Waiter<uint64_t> removed;
  (*disks_->begin())->remove_async({engine::make_id(1)}, {77, 1h, true}, removed.callback());
  ASSERT_TRUE(removed.wait());
  Gateway gateway;
  MetadataMemory memory(folder_.path() + "/metadata.seen");
  RingContact contact(options(gateway.address()), memory);
  contact.start(
      *disks_, [](const model::DiskId&) { return model::ReplicationLag{}; },
      [](const model::ClusterId&) {});
  gateway.answer(reply_of(2, Recognition::kHeld, 5, table(5, 3)));
  gateway.answer(reply_of(2, Recognition::kMarkMissing, 5, table(5, 3)));
  EXPECT_EQ(transfer::from_wire(gateway.asked().seen()),
            (model::MetadataGeneration{2, 7, {3, 1}, 0}));
  EXPECT_EQ(gateway.asked().highest_order(), 77u);
  EXPECT_NE(contact.why_not_purging((*disks_->begin())->disk_id()), "");
  contact.stop();
}

// One disk of the node does not open: the other purges. When it opens it is told of, and purges
// once a gateway says that it was looked through.
TEST_F(RingContactTest, ADiskThatJoinsLateHoldsUpNoOtherAndWaitsForItsTurn) {
  disks_.reset();
  EXPECT_TRUE(files_.make_directory("/late"));
  std::vector<engine::EngineOptions> options_of_disks(
      2, engine::small_options(folder_.path() + "/index"));
  options_of_disks[1].path = "/late";
  options_of_disks[1].index_path = folder_.path() + "/late-index";
  ASSERT_TRUE(engine::Engine::open(files_, options_of_disks[1]));  // It was made before.
  std::atomic<bool> opens = false;
  const OpenDisk open =
      [&](const engine::EngineOptions& disk) -> Result<std::unique_ptr<engine::Engine>> {
    if (disk.path == "/late" && !opens) return fail(ErrorCode::kUnavailable, "bad");
    return engine::Engine::open(files_, disk);
  };
  std::vector<std::unique_ptr<engine::Engine>> engines;
  for (auto& disk : open_disks(options_of_disks, open, {60s, 1ms})) {
    engines.push_back(std::move(disk.engine));
  }
  const DiskSet disks(std::move(engines));
  const model::DiskId first = disks.begin()[0]->disk_id();
  Gateway gateway;
  MetadataMemory memory(folder_.path() + "/metadata.seen");
  RingContact contact(options(gateway.address()), memory);
  contact.start(
      disks, [](const model::DiskId&) { return model::ReplicationLag{}; },
      [](const model::ClusterId&) {});
  auto reply = reply_of(2, Recognition::kHeld, 5, table(5, 3));
  reply.add_purging_disks(std::string(as_text(first.view())));
  gateway.answer(reply);
  EXPECT_EQ(gateway.asked().disks_size(), 1) << "nothing is told of a disk without an id";
  EXPECT_TRUE(memory.may_purge(first));
  EXPECT_FALSE(memory.may_purge({}));

  opens = true;
  while (disks.begin()[1]->disk_id().is_zero()) std::this_thread::yield();
  const model::DiskId late = disks.begin()[1]->disk_id();
  EXPECT_FALSE(memory.may_purge(late));
  gateway.answer(reply);
  EXPECT_EQ(gateway.asked().disks_size(), 2);
  EXPECT_TRUE(memory.may_purge(first));
  EXPECT_FALSE(memory.may_purge(late)) << "its trash is yet to be looked through";
  reply.add_purging_disks(std::string(as_text(late.view())));
  gateway.answer(reply);
  EXPECT_TRUE(memory.may_purge(late));
  contact.stop();
}

// A gateway names the disks on which it may be; one that names none, an older one say, holds all.
TEST_F(RingContactTest, PurgingGoesOnOnTheDisksThatAGatewayNames) {
  EXPECT_TRUE(files_.make_directory("/other"));
  auto other = engine::small_options(folder_.path() + "/other-index");
  other.path = "/other";
  std::vector<std::unique_ptr<engine::Engine>> engines;
  disks_.reset();
  for (const auto& disk : {engine::small_options(folder_.path() + "/index"), other}) {
    engines.push_back(engine::Engine::open(files_, disk).value());
  }
  const DiskSet disks(std::move(engines));
  const std::vector<model::DiskId> ids = {disks.begin()[0]->disk_id(), disks.begin()[1]->disk_id()};
  Gateway gateway;
  MetadataMemory memory(folder_.path() + "/metadata.seen");
  RingContact contact(options(gateway.address()), memory);
  contact.start(
      disks, [](const model::DiskId&) { return model::ReplicationLag{}; },
      [](const model::ClusterId&) {});
  const std::vector<std::vector<size_t>> cases = {{}, {0}, {1}, {0, 1}, {1}, {}};
  for (const auto& named : cases) {
    SCOPED_TRACE(::testing::PrintToString(named));
    auto reply = reply_of(2, Recognition::kHeld, 5, table(5, 3));
    for (const size_t i : named) reply.add_purging_disks(std::string(as_text(ids[i].view())));
    // Not a disk of this node.
    reply.add_purging_disks(std::string(16, 'x'));
    gateway.answer(reply);
    for (size_t i = 0; i < ids.size(); ++i) {
      EXPECT_EQ(memory.may_purge(ids[i]), std::ranges::count(named, i) == 1) << i;
    }
  }
  contact.stop();
}

}  // namespace
}  // namespace rondel::node
