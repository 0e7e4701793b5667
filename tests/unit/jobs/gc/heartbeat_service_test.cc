// What a gateway answers to heartbeats, over gRPC, with the database in memory.
#include "cluster/membership/heartbeat_service.h"
#include "tests/unit/jobs/gc/coordinating_gateway.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "common/async/loop_threads.h"
#include "common/grpc/channel.hpp"
#include "metadata/memory/memory_cluster.h"
#include "proto/cluster/v1/cluster.grpc.pb.h"
#include "tests/fakes/certificates.h"
#include "transfer/grpc/metadata_generation.hpp"

namespace rondel::gc {
namespace {

using namespace std::chrono_literals;
using model::Recognition;
namespace wire = rondel::cluster::v1;

class NoDisks final : public node_client::BlobRemover {
 public:
  async::Task<Result<node_client::RemovalReply>> remove(transfer::DiskAddress,
                                                        std::vector<model::BlobId>,
                                                        node_client::RemovalOrder,
                                                        Deadline) override {
    co_return node_client::RemovalReply{};
  }

  async::Task<Result<node_client::RestoreReply>> restore(transfer::DiskAddress,
                                                         std::vector<model::BlobId>, uint64_t,
                                                         Deadline) override {
    co_return node_client::RestoreReply{};
  }
};

class HeartbeatServiceTest : public ::testing::Test {
 protected:
  HeartbeatServiceTest() {
    std::vector<ring::Disk> members;
    for (int i = 0; i < 3; ++i) {
      const std::string number = std::to_string(i);
      members.push_back({model::DiskId::random(), model::NodeId::random(), "h" + number,
                         "z" + number, 1ull << 40});
    }
    ring::RingOptions options;
    options.power = 4;
    state_.cluster.live_rings = {{5, ring::Ring::build(members, options, 5).value().serialize()}};
    state_.min_epoch = 3;
    state_.cluster.accepted = 2;
    EXPECT_TRUE(async::block_on(topology_.refresh(deadline_in(60s))));
    service_ = membership::HeartbeatService::start(loops_.loop(0), store_.nodes, topology_, ages_,
                                                   cluster_, real_clock(), "127.0.0.1:0",
                                                   grpc::InsecureServerCredentials())
                   .value();
    stub_ = wire::Cluster::NewStub(grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(service_->port()), grpc::InsecureChannelCredentials()));
  }

  ~HeartbeatServiceTest() override {
    service_.reset();
    loops_.join();
  }

  wire::HeartbeatRequest request() const {
    wire::HeartbeatRequest out;
    out.set_node_id(std::string(as_text(node_.view())));
    out.set_name("n");
    out.set_address("n:1");
    out.set_zone("z");
    out.set_host("h");
    out.set_version(1);
    return out;
  }

  wire::HeartbeatReply ask(const wire::HeartbeatRequest& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 60s);
    wire::HeartbeatReply reply;
    const grpc::Status status = stub_->Heartbeat(&context, request, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply;
  }

  // The row has come to so many heartbeats.
  void recorded(uint64_t beats = 1) {
    const Deadline end = deadline_in(60s);
    while (beats_of_node() < beats && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(1ms);
    }
    EXPECT_GE(beats_of_node(), beats);
  }

  void forget_nodes() {
    std::lock_guard lock(state_.mutex);
    state_.cluster.nodes.clear();
  }

  size_t nodes_known() {
    return async::block_on(store_.nodes.list_nodes(deadline_in(60s))).value().size();
  }

  uint64_t beats_of_node() {
    metadata::NodeRecord node;
    node.id = node_;
    return async::block_on(store_.nodes.greet(node, deadline_in(60s))).value().database.beat;
  }

  const model::NodeId node_ = model::NodeId::random();
  const model::ClusterId cluster_ = model::ClusterId::random();
  metadata::MemoryState state_;
  metadata::MemoryCluster store_{state_};
  membership::AgeClock ages_{real_clock()};
  membership::TopologyCache topology_{store_.nodes, store_.ring, real_clock()};
  NoDisks disks_;
  gc::CoordinatingGateway coordinator_{
      {store_.lease, store_.nodes, store_.ring, store_.releases, store_.gc},
      topology_,
      disks_,
      {},
      real_clock()};
  async::LoopThreads loops_{1};
  std::unique_ptr<membership::HeartbeatService> service_;
  std::unique_ptr<wire::Cluster::Stub> stub_;
};

TEST_F(HeartbeatServiceTest, RingsAreSentToWhoeverHasOthers) {
  const uint64_t digest = topology_.digest();

  const struct {
    const char* name;
    uint64_t accepted, epoch, digest;
    bool sent;
  } cases[] = {
      {"none", 0, 0, 0, true},
      {"these", 2, 5, digest, false},
      {"the epoch before", 2, 4, digest + 1, true},
      {"a later one: our look is older", 2, 6, digest + 1, false},
      {"the same number over another table", 2, 5, digest + 1, true},
      {"a later one from before the confirmation", 1, 6, digest + 1, true},
      {"these, from before the confirmation", 1, 5, digest, false},
      {"one of a later confirmation", 3, 4, digest + 1, false},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    wire::HeartbeatRequest asked = request();
    asked.set_ring_accepted(c.accepted);
    asked.set_ring_epoch(c.epoch);
    asked.set_ring_digest(c.digest);
    const wire::HeartbeatReply reply = ask(asked);
    EXPECT_EQ(reply.rings_offer().bytes_size(), c.sent ? 1 : 0);
    EXPECT_EQ(reply.min_epoch(), 3u);
    EXPECT_TRUE(reply.epoch_confirmed());
  }
}

// Two epochs of 2^19 arcs: more than a message holds.
TEST_F(HeartbeatServiceTest, RingsOfAnySizeAreReadInPieces) {
  std::vector<ring::Disk> members;
  for (int i = 0; i < 3; ++i) {
    const std::string number = std::to_string(i);
    members.push_back(
        {model::DiskId::random(), model::NodeId::random(), "h" + number, "z" + number, 1ull << 40});
  }
  ring::RingOptions options;
  options.power = 19;
  for (const uint64_t epoch : {6, 7}) {
    state_.cluster.live_rings.insert(
        state_.cluster.live_rings.begin(),
        {epoch, ring::Ring::build(members, options, epoch).value().serialize()});
  }
  ASSERT_TRUE(async::block_on(topology_.refresh(deadline_in(60s))));
  wire::HeartbeatRequest asked = request();
  asked.set_ring_accepted(2);
  const wire::RingsOffer offer = ask(asked).rings_offer();
  ASSERT_EQ(offer.bytes_size(), 3);
  const auto read = [&](uint64_t digest, uint64_t offset, std::string& piece) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 60s);
    wire::ReadRingsRequest wanted;
    wanted.set_digest(digest);
    wanted.set_offset(offset);
    wire::ReadRingsReply reply;
    const grpc::Status status = stub_->ReadRings(&context, wanted, &reply);
    piece = reply.piece();
    return status.error_code();
  };
  std::string rings, piece;
  do {
    ASSERT_EQ(read(offer.digest(), rings.size(), piece), grpc::StatusCode::OK);
    EXPECT_LE(piece.size(), 1u << 20);
    rings += piece;
  } while (!piece.empty());
  uint64_t at = 0;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(rings.substr(at, offer.bytes(i)),
              topology_.topology()->rings[static_cast<size_t>(i)]->serialize());
    at += offer.bytes(i);
  }
  EXPECT_EQ(at, rings.size());
  EXPECT_EQ(read(offer.digest(), UINT64_MAX, piece), grpc::StatusCode::OK);
  EXPECT_EQ(piece, "");
  EXPECT_EQ(read(offer.digest() + 1, 0, piece), grpc::StatusCode::NOT_FOUND);
}

TEST_F(HeartbeatServiceTest, NamesAndAddressesHaveABound) {
  using Request = wire::HeartbeatRequest;
  const std::string text(256, 'x');
  const std::function<void(Request&)> changes[] = {
      [&](Request& asked) { asked.set_address(text); },
      [&](Request& asked) { asked.set_zone(text); }, [&](Request& asked) { asked.set_host(text); },
      [&](Request& asked) { asked.set_operations_address(text); }};
  for (const auto& change : changes) {
    Request asked = request();
    change(asked);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 60s);
    wire::HeartbeatReply reply;
    EXPECT_EQ(stub_->Heartbeat(&context, asked, &reply).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
}

TEST_F(HeartbeatServiceTest, ANodeHearsWhatTheDatabaseIsToIt) {
  wire::HeartbeatReply reply = ask(request());
  EXPECT_EQ(reply.recognition(), static_cast<uint32_t>(Recognition::kHeld));
  const model::MetadataGeneration first = transfer::from_wire(reply.generation());
  EXPECT_EQ(first.accepted, 2u);
  EXPECT_EQ(first.mark, state_.generation().mark);
  EXPECT_EQ(first.beat, 0u) << "it is written down beside the answer";
  recorded();
  EXPECT_EQ(reply.purging_stopped(), "");

  wire::HeartbeatRequest asked = request();
  *asked.mutable_seen() = transfer::to_wire(first);
  asked.set_highest_order(77);
  reply = ask(asked);
  EXPECT_EQ(reply.recognition(), static_cast<uint32_t>(Recognition::kHeld));
  EXPECT_EQ(transfer::from_wire(reply.generation()).beat, 1u);
  recorded(2);
  EXPECT_GT(
      async::block_on(store_.lease.next_order(0, state_.cluster.token, deadline_in(60s))).value(),
      77u);

  asked.mutable_seen()->mutable_mark()->set_value(first.mark.value + 1);
  reply = ask(asked);
  EXPECT_EQ(reply.recognition(), static_cast<uint32_t>(Recognition::kMarkMissing));
  EXPECT_EQ(transfer::from_wire(reply.generation()).beat, 2u);

  // Per disk: what waits holds up no other.
  std::vector<model::DiskId> disks = {model::DiskId::random(), model::DiskId::random()};
  for (const auto& disk : disks) {
    asked.add_disks()->set_disk_id(std::string(as_text(disk.view())));
  }
  EXPECT_EQ(ask(asked).purging_disks_size(), 2);
  const uint64_t number = async::block_on(store_.restores.order_restore(deadline_in(60s))).value();
  EXPECT_EQ(ask(asked).purging_disks_size(), 0);
  ASSERT_TRUE(async::block_on(
      store_.restores.finish_restore(disks[1], number, 0, state_.cluster.token, deadline_in(60s))));
  reply = ask(asked);
  EXPECT_EQ(reply.purging_stopped(), "");
  ASSERT_EQ(reply.purging_disks_size(), 1);
  EXPECT_EQ(reply.purging_disks(0), as_text(disks[1].view()));

  state_.cluster.garbage.halted = "somebody must look";
  EXPECT_NE(ask(request()).purging_stopped(), "");
}

// Tokens and orders are the database's, whichever gateway answers.
TEST_F(HeartbeatServiceTest, ANodeHearsTheHighestTokenAndOrder) {
  EXPECT_EQ(ask(request()).coordinator_token(), 0u) << "nobody leads";
  ASSERT_TRUE(coordinator_.run_once());
  wire::HeartbeatReply reply = ask(request());
  EXPECT_EQ(reply.coordinator_token(), state_.cluster.token);
  EXPECT_EQ(reply.latest_order(), 0u);
  const auto number =
      async::block_on(store_.lease.next_order(41, state_.cluster.token, deadline_in(60s)));
  ASSERT_TRUE(number);
  state_.end_sessions();
  ASSERT_TRUE(coordinator_.run_once());
  reply = ask(request());
  EXPECT_EQ(reply.coordinator_token(), state_.cluster.token);
  EXPECT_EQ(reply.latest_order(), *number);
  state_.set_away(true);
  EXPECT_EQ(ask(request()).coordinator_token(), 0u);
}

// Every number and text that a node may say, at and beyond its bound. What is refused leaves no
// row.
TEST_F(HeartbeatServiceTest, WhatNoDatabaseGaveAndNoDiskHasIsRefused) {
  using Change = std::function<void(wire::HeartbeatRequest&)>;
  constexpr uint64_t kHuge = uint64_t{1} << 62;
  const auto disk = [](wire::HeartbeatRequest& r) {
    wire::Disk* const added = r.add_disks();
    added->set_disk_id(std::string(16, 'd'));
    return added;
  };

  const struct {
    const char* name;
    Change change;
    bool taken;
  } cases[] = {
      {"an order a little ahead: the database was set back",
       [](auto& r) { r.set_highest_order(1000); }, true},
      {"an order that leaps", [](auto& r) { r.set_highest_order(kHuge); }, false},
      {"an order beyond 63 bits", [](auto& r) { r.set_highest_order(UINT64_MAX); }, false},
      {"a confirmation a little ahead", [](auto& r) { r.mutable_seen()->set_accepted(9); }, true},
      {"a confirmation that leaps", [](auto& r) { r.mutable_seen()->set_accepted(kHuge); }, false},
      {"a confirmation beyond 63 bits", [](auto& r) { r.mutable_seen()->set_accepted(UINT64_MAX); },
       false},
      {"a mark that nobody has written",
       [](auto& r) { r.mutable_seen()->mutable_mark()->set_counter(kHuge); }, true},
      {"a beat that nobody has counted", [](auto& r) { r.mutable_seen()->set_beat(kHuge); }, true},
      {"a ring epoch", [](auto& r) { r.set_ring_epoch(kHuge); }, true},
      {"a disk of 64 PiB", [&](auto& r) { disk(r)->set_capacity_bytes(uint64_t{1} << 56); }, true},
      {"a larger one", [&](auto& r) { disk(r)->set_capacity_bytes((uint64_t{1} << 56) + 1); },
       false},
      {"live bytes", [&](auto& r) { disk(r)->mutable_status()->set_live_bytes(kHuge); }, false},
      {"dead bytes", [&](auto& r) { disk(r)->mutable_status()->set_dead_bytes(kHuge); }, false},
      {"trash bytes", [&](auto& r) { disk(r)->mutable_status()->set_trash_bytes(kHuge); }, false},
      {"free bytes", [&](auto& r) { disk(r)->mutable_status()->set_free_bytes(kHuge); }, false},
      {"blobs", [&](auto& r) { disk(r)->mutable_status()->set_blobs(kHuge); }, false},
      {"handed off blobs", [&](auto& r) { disk(r)->mutable_status()->set_handoff_blobs(kHuge); },
       false},
      {"bytes of lag",
       [&](auto& r) { disk(r)->mutable_status()->set_replication_lag_bytes(kHuge); }, false},
      {"a clock at the end of days",
       [&](auto& r) { disk(r)->mutable_status()->set_node_now_us(INT64_MAX); }, true},
      {"a clock before all days",
       [&](auto& r) { disk(r)->mutable_status()->set_node_now_us(INT64_MIN); }, true},
      {"more disks than a machine has",
       [&](auto& r) {
         for (int i = 0; i < 10001; ++i) disk(r);
       },
       false},
      {"a long address", [](auto& r) { r.set_address(std::string(256, 'a')); }, false},
      {"a line break in the zone", [](auto& r) { r.set_zone("z\nz"); }, false},
      {"a line break in the host", [](auto& r) { r.set_host("h\nh"); }, false},
      {"an escape in the operations address", [](auto& r) { r.set_operations_address("\033[2J"); },
       false},
      {"no name", [](auto& r) { r.clear_name(); }, false},
      {"a name that is a path", [](auto& r) { r.set_name("a/b"); }, false},
      {"a long name", [](auto& r) { r.set_name(std::string(129, 'n')); }, false},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    forget_nodes();
    wire::HeartbeatRequest asked = request();
    asked.set_node_id(std::string(as_text(model::NodeId::random().view())));
    c.change(asked);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 60s);
    wire::HeartbeatReply reply;
    const grpc::Status status = stub_->Heartbeat(&context, asked, &reply);
    EXPECT_EQ(status.ok(), c.taken) << status.error_message();
    if (!c.taken) EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    const Deadline end = deadline_in(60s);
    while (c.taken && nodes_known() == 0 && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(1ms);
    }
    EXPECT_EQ(nodes_known(), c.taken ? 1u : 0u);
  }
}

TEST_F(HeartbeatServiceTest, ANameBelongsToOneNode) {
  ask(request());
  recorded();
  const auto refused = [&](const wire::HeartbeatRequest& asked) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 60s);
    wire::HeartbeatReply reply;
    return stub_->Heartbeat(&context, asked, &reply);
  };
  wire::HeartbeatRequest thief = request();
  thief.set_node_id(std::string(as_text(model::NodeId::random().view())));
  thief.set_address("thief:1");
  EXPECT_EQ(refused(thief).error_code(), grpc::StatusCode::ALREADY_EXISTS)
      << "another id under its name";
  wire::HeartbeatRequest renamed = request();
  renamed.set_name("other");
  renamed.set_address("thief:1");
  EXPECT_EQ(refused(renamed).error_code(), grpc::StatusCode::ALREADY_EXISTS)
      << "its id under another name";
  const auto nodes = async::block_on(store_.nodes.list_nodes(deadline_in(60s))).value();
  ASSERT_EQ(nodes.size(), 1u);
  EXPECT_EQ(nodes[0].address, "n:1");

  EXPECT_TRUE(async::block_on(store_.nodes.forget_name("n", deadline_in(60s))).value());
  EXPECT_TRUE(refused(thief).ok()) << "an operator let go of it";
}

// Who tells of another's disk would be asked about its trash in the place of its node.
TEST_F(HeartbeatServiceTest, ADiskIsOneNodes) {
  const model::DiskId disk = model::DiskId::random();
  wire::HeartbeatRequest owner = request();
  owner.add_disks()->set_disk_id(std::string(as_text(disk.view())));
  ask(owner);
  recorded();
  ASSERT_TRUE(async::block_on(topology_.refresh(deadline_in(60s))));
  wire::HeartbeatRequest thief = owner;
  thief.set_name("thief");
  thief.set_node_id(std::string(as_text(model::NodeId::random().view())));
  const auto status_of = [&](const wire::HeartbeatRequest& asked) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 60s);
    wire::HeartbeatReply reply;
    return stub_->Heartbeat(&context, asked, &reply).error_code();
  };
  EXPECT_EQ(status_of(thief), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(nodes_known(), 1u);
  EXPECT_EQ(status_of(owner), grpc::StatusCode::OK);
  EXPECT_TRUE(async::block_on(store_.nodes.forget_name("n", deadline_in(60s))).value());
  ASSERT_TRUE(async::block_on(topology_.refresh(deadline_in(60s))));
  EXPECT_EQ(status_of(thief), grpc::StatusCode::OK) << "an operator said that its node is gone";
}

// A database whose commits wait, or a row that somebody holds: as long as a test says.
class HeldWrites final : public metadata::NodeStore {
 public:
  explicit HeldWrites(metadata::NodeStore& inner) : inner_(inner) {}

  async::Task<Result<metadata::Greeting>> greet(metadata::NodeRecord node,
                                                Deadline deadline) override {
    return inner_.greet(std::move(node), deadline);
  }

  async::Task<Result<metadata::Greeting>> record_node(metadata::NodeRecord node,
                                                      Deadline deadline) override {
    ++waiting;
    const std::string name = node.name;
    while (held && std::chrono::steady_clock::now() < deadline) co_await async::sleep_for(1ms);
    --waiting;
    if (held) co_return fail(ErrorCode::kDeadlineExceeded, "somebody holds the row");
    co_return co_await inner_.record_node(std::move(node), deadline);
  }

  async::Task<Result<bool>> forget_name(std::string name, Deadline deadline) override {
    return inner_.forget_name(std::move(name), deadline);
  }

  async::Task<Result<metadata::HeardClocks>> exchange_clocks(metadata::ToldClocks told,
                                                             Deadline deadline) override {
    return inner_.exchange_clocks(std::move(told), deadline);
  }

  async::Task<Result<metadata::ReachedAge>> reached_age(metadata::BootTime now,
                                                        Deadline deadline) override {
    return inner_.reached_age(std::move(now), deadline);
  }

  async::Task<Result<metadata::Recognized>> recognize(model::NodeId node,
                                                      model::MetadataGeneration seen,
                                                      Deadline deadline) override {
    return inner_.recognize(node, seen, deadline);
  }

  async::Task<Result<std::vector<metadata::NodeRecord>>> list_nodes(Deadline deadline) override {
    return inner_.list_nodes(deadline);
  }

  std::atomic<bool> held = true;
  std::atomic<int> waiting = 0;

 private:
  metadata::NodeStore& inner_;
};

TEST_F(HeartbeatServiceTest, HeartbeatsDependOnNoWrite) {
  HeldWrites held(store_.nodes);
  auto service = membership::HeartbeatService::start(loops_.loop(0), held, topology_, ages_,
                                                     cluster_, real_clock(), "127.0.0.1:0",
                                                     grpc::InsecureServerCredentials())
                     .value();
  const auto stub = wire::Cluster::NewStub(grpc::CreateChannel(
      "127.0.0.1:" + std::to_string(service->port()), grpc::InsecureChannelCredentials()));
  const auto beat = [&](const std::string& name, const model::NodeId& id) {
    wire::HeartbeatRequest asked = request();
    asked.set_name(name);
    asked.set_node_id(std::string(as_text(id.view())));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 60s);
    wire::HeartbeatReply reply;
    EXPECT_TRUE(stub->Heartbeat(&context, asked, &reply).ok());
    EXPECT_TRUE(reply.epoch_confirmed());
    EXPECT_TRUE(reply.has_generation());
  };
  std::vector<model::NodeId> nodes;
  for (int i = 0; i < 20; ++i) nodes.push_back(model::NodeId::random());
  for (int round = 0; round < 3; ++round) {
    for (size_t i = 0; i < nodes.size(); ++i) beat("n" + std::to_string(i), nodes[i]);
    EXPECT_LE(held.waiting, 1) << "the database's connections are for others too";
  }
  EXPECT_EQ(nodes_known(), 0u);
  held.held = false;
  const Deadline end = deadline_in(60s);
  while (nodes_known() < nodes.size() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(nodes_known(), nodes.size());
}

// By certificates: a node speaks for itself alone.
TEST_F(HeartbeatServiceTest, ACertificateSpeaksForItsOwnNodeAlone) {
  const fakes::Authority authority;
  auto service = membership::HeartbeatService::start(loops_.loop(0), store_.nodes, topology_, ages_,
                                                     cluster_, real_clock(), "127.0.0.1:0",
                                                     authority.gateway()->server())
                     .value();
  const auto beat = [&](const std::shared_ptr<rpc::PeerCredentials>& caller,
                        const std::string& name) {
    const auto stub = wire::Cluster::NewStub(rpc::open_channel(
        "127.0.0.1:" + std::to_string(service->port()), *caller, {rpc::PeerRole::kGateway}));
    wire::HeartbeatRequest asked = request();
    asked.set_name(name);
    asked.set_address(name + ":1");
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 60s);
    wire::HeartbeatReply reply;
    return stub->Heartbeat(&context, asked, &reply).error_code();
  };
  EXPECT_EQ(beat(authority.node("node"), "node"), grpc::StatusCode::OK);
  recorded();
  EXPECT_EQ(beat(authority.node("other"), "node"), grpc::StatusCode::PERMISSION_DENIED)
      << "in its name";
  EXPECT_EQ(beat(authority.node("other"), "other"), grpc::StatusCode::ALREADY_EXISTS)
      << "with its id";
  EXPECT_EQ(beat(authority.gateway(), "node"), grpc::StatusCode::PERMISSION_DENIED)
      << "a gateway is no node";
  const auto known = async::block_on(store_.nodes.list_nodes(deadline_in(60s))).value();
  ASSERT_EQ(known.size(), 1u);
  EXPECT_EQ(known[0].address, "node:1");
}

TEST_F(HeartbeatServiceTest, AWrongClockStopsItsNodeAndADatabaseThatIsWrongStopsPurging) {
  ages_.sample(real_clock().now(), real_clock().boot_now());
  ages_.witness({{node_, {std::chrono::hours(1), "z"}},
                 {model::NodeId::random(), {0s, "y"}},
                 {model::NodeId::random(), {0s, "x"}}});
  EXPECT_NE(ask(request()).writes_stopped(), "");
  EXPECT_EQ(ask(request()).purging_stopped(), "");
  EXPECT_TRUE(ages_.now_for_age());
  ages_.witness({{node_, {1h, "z"}},
                 {model::NodeId::random(), {1h, "y"}},
                 {model::NodeId::random(), {1h, "x"}}});
  const wire::HeartbeatReply reply = ask(request());
  EXPECT_EQ(reply.writes_stopped(), "") << "it is not the node that is wrong";
  EXPECT_NE(reply.purging_stopped(), "");
  EXPECT_FALSE(ages_.now_for_age()) << "nothing is released or looked for";
  ages_.witness({{node_, {0s, "z"}}});
  EXPECT_EQ(ask(request()).purging_stopped(), "");
}

TEST_F(HeartbeatServiceTest, WithoutTheDatabaseNothingIsSaidAboutIt) {
  state_.set_away(true);
  const wire::HeartbeatReply reply = ask(request());
  EXPECT_FALSE(reply.has_generation());
  EXPECT_EQ(reply.recognition(), 0u);
  EXPECT_FALSE(reply.epoch_confirmed());
  EXPECT_EQ(reply.rings_offer().bytes_size(), 1) << "rings are handed out all the same";
}

}  // namespace
}  // namespace rondel::gc
