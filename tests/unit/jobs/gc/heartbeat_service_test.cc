// What a gateway answers to heartbeats, over gRPC, with the database in memory.
#include "cluster/membership/heartbeat_service.h"
#include "tests/unit/jobs/gc/coordinating_gateway.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <gtest/gtest.h>

#include "common/async/loop_threads.h"
#include "transfer/grpc/metadata_generation.hpp"
#include "metadata/memory/memory_cluster.h"
#include "proto/cluster/v1/cluster.grpc.pb.h"

namespace rondel::gc {
namespace {

using namespace std::chrono_literals;
using model::Recognition;
namespace wire = rondel::cluster::v1;

class NoDisks final : public node_client::BlobRemover {
 public:
  async::Task<Result<node_client::RemovalReply>> remove(transfer::DiskAddress, std::vector<model::BlobId>,
                                           node_client::RemovalOrder, Deadline) override {
    co_return node_client::RemovalReply{};
  }
  async::Task<Result<node_client::RestoreReply>> restore(transfer::DiskAddress, std::vector<model::BlobId>, uint64_t,
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
    EXPECT_TRUE(async::block_on(topology_.refresh(deadline_in(5s))));
    service_ = membership::HeartbeatService::start(loops_.loop(0), store_.nodes, topology_,
                                       [this](uint64_t accepted) { return coordinator_.token_under(accepted); }, cluster_,
                                       real_clock(), "127.0.0.1:0",
                                       grpc::InsecureServerCredentials()).value();
    stub_ = wire::Cluster::NewStub(
        grpc::CreateChannel("127.0.0.1:" + std::to_string(service_->port()),
                            grpc::InsecureChannelCredentials()));
  }
  ~HeartbeatServiceTest() override {
    service_.reset();
    loops_.join();
  }

  wire::HeartbeatRequest request() const {
    wire::HeartbeatRequest out;
    out.set_node_id(std::string(as_text(node_.view())));
    out.set_address("n:1");
    out.set_zone("z");
    out.set_host("h");
    out.set_version(1);
    return out;
  }

  wire::HeartbeatReply ask(const wire::HeartbeatRequest& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 30s);
    wire::HeartbeatReply reply;
    const grpc::Status status = stub_->Heartbeat(&context, request, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply;
  }

  const model::NodeId node_ = model::NodeId::random();
  const model::ClusterId cluster_ = model::ClusterId::random();
  metadata::MemoryState state_;
  metadata::MemoryCluster store_{state_};
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
    members.push_back({model::DiskId::random(), model::NodeId::random(), "h" + number, "z" + number, 1ull << 40});
  }
  ring::RingOptions options;
  options.power = 19;
  for (const uint64_t epoch : {6, 7}) {
    state_.cluster.live_rings.insert(state_.cluster.live_rings.begin(), {epoch, ring::Ring::build(members, options, epoch).value().serialize()});
  }
  ASSERT_TRUE(async::block_on(topology_.refresh(deadline_in(5s))));
  wire::HeartbeatRequest asked = request();
  asked.set_ring_accepted(2);
  const wire::RingsOffer offer = ask(asked).rings_offer();
  ASSERT_EQ(offer.bytes_size(), 3);
  const auto read = [&](uint64_t digest, uint64_t offset, std::string& piece) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 30s);
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
    EXPECT_EQ(rings.substr(at, offer.bytes(i)), topology_.topology()->rings[static_cast<size_t>(i)]->serialize());
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
      [&](Request& asked) { asked.set_address(text); }, [&](Request& asked) { asked.set_zone(text); },
      [&](Request& asked) { asked.set_host(text); }, [&](Request& asked) { asked.set_operations_address(text); }};
  for (const auto& change : changes) {
    Request asked = request();
    change(asked);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 30s);
    wire::HeartbeatReply reply;
    EXPECT_EQ(stub_->Heartbeat(&context, asked, &reply).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
}

TEST_F(HeartbeatServiceTest, ANodeHearsWhatTheDatabaseIsToIt) {
  wire::HeartbeatReply reply = ask(request());
  EXPECT_EQ(reply.recognition(), static_cast<uint32_t>(Recognition::kHeld));
  const model::MetadataGeneration first = transfer::from_wire(reply.generation());
  EXPECT_EQ(first.accepted, 2u);
  EXPECT_EQ(first.mark, state_.generation().mark);
  EXPECT_EQ(first.beat, 1u);
  EXPECT_EQ(reply.purging_stopped(), "");

  wire::HeartbeatRequest asked = request();
  *asked.mutable_seen() = transfer::to_wire(first);
  asked.set_highest_order(77);
  reply = ask(asked);
  EXPECT_EQ(reply.recognition(), static_cast<uint32_t>(Recognition::kHeld));
  EXPECT_EQ(transfer::from_wire(reply.generation()).beat, 2u);
  EXPECT_GT(async::block_on(store_.lease.next_order(0, state_.cluster.token, deadline_in(5s))).value(), 77u);

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
  const uint64_t number = async::block_on(store_.restores.order_restore(deadline_in(5s))).value();
  EXPECT_EQ(ask(asked).purging_disks_size(), 0);
  ASSERT_TRUE(async::block_on(store_.restores.finish_restore(
      disks[1], number, 0, state_.cluster.token, deadline_in(5s))));
  reply = ask(asked);
  EXPECT_EQ(reply.purging_stopped(), "");
  ASSERT_EQ(reply.purging_disks_size(), 1);
  EXPECT_EQ(reply.purging_disks(0), as_text(disks[1].view()));

  state_.cluster.garbage.halted = "somebody must look";
  EXPECT_NE(ask(request()).purging_stopped(), "");
}

// A token of the database before, under the confirmation of the one that took its place, would lock
// out all coordinators of that one.
TEST_F(HeartbeatServiceTest, ATokenIsToldUnderTheConfirmationThatItWasTakenUnder) {
  EXPECT_EQ(ask(request()).coordinator_token(), 0u) << "it does not lead";
  ASSERT_TRUE(coordinator_.run_once());
  EXPECT_EQ(ask(request()).coordinator_token(), state_.cluster.token);
  async::block_on(store_.gc.resume_garbage(0, deadline_in(1s)));
  const wire::HeartbeatReply reply = ask(request());
  EXPECT_EQ(reply.generation().accepted(), 3u);
  EXPECT_EQ(reply.coordinator_token(), 0u);
  state_.end_sessions();
  ASSERT_TRUE(coordinator_.run_once());
  EXPECT_EQ(ask(request()).coordinator_token(), state_.cluster.token);
  state_.set_away(true);
  EXPECT_EQ(ask(request()).coordinator_token(), 0u);
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
