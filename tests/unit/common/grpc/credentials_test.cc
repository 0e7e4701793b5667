// Real certificates, made by deploy/local/certificates.sh, over a real gRPC server.
#include "common/grpc/credentials.h"

#include <grpcpp/security/credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include "common/grpc/channel.hpp"
#include "common/grpc/peer.hpp"
#include "proto/cluster/v1/cluster.grpc.pb.h"
#include "tests/fakes/certificates.h"

namespace rondel::rpc {
namespace {

namespace wire = rondel::cluster::v1;

using fakes::Authority;

const Authority& ours() {
  static const Authority authority;
  return authority;
}

std::shared_ptr<PeerCredentials> gateway_of(const Authority& authority) {
  return authority.gateway();
}

std::shared_ptr<PeerCredentials> node_of(const Authority& authority,
                                         const std::string& name = "node") {
  return authority.node(name);
}

constexpr const char* kHeartbeat = "/rondel.cluster.v1.Cluster/Heartbeat";

// Lets in whom the table lets call Heartbeat, as the gateway's own service does.
class Server final : public wire::Cluster::Service {
 public:
  explicit Server(std::shared_ptr<PeerCredentials> credentials)
      : credentials_(std::move(credentials)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials_->server(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }

  ~Server() override { server_->Shutdown(); }

  grpc::Status Heartbeat(grpc::ServerContext* context, const wire::HeartbeatRequest* request,
                         wire::HeartbeatReply*) override {
    Admission admission = admit(*context, kHeartbeat);
    if (admission.status.ok() && !admission.caller.may_be(request->name())) {
      return {grpc::StatusCode::UNAUTHENTICATED, "another"};
    }
    return admission.status;
  }

  grpc::StatusCode call(const std::shared_ptr<PeerCredentials>& caller,
                        const ExpectedPeer& expected, const std::string& name = "node") const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // A handshake of its own.
    const auto channel =
        open_channel("127.0.0.1:" + std::to_string(port_), *caller, expected, arguments);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    wire::HeartbeatRequest request;
    request.set_name(name);
    wire::HeartbeatReply reply;
    return wire::Cluster::NewStub(channel)->Heartbeat(&context, request, &reply).error_code();
  }

 private:
  const std::shared_ptr<PeerCredentials> credentials_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST(Credentials, WhoMayCallAndWhoIsBelieved) {
  const auto gateway = gateway_of(ours()), node = node_of(ours()), other = node_of(ours(), "other");
  const ExpectedPeer any_gateway{PeerRole::kGateway};

  const struct {
    const char* name;
    std::shared_ptr<PeerCredentials> server, caller;
    ExpectedPeer expected;
    grpc::StatusCode answer;
  } cases[] = {
      {"a node at a gateway", gateway, node, any_gateway, grpc::StatusCode::OK},
      {"another node in its name", gateway, other, any_gateway, grpc::StatusCode::UNAUTHENTICATED},
      {"a gateway at a method for nodes", gateway, gateway, any_gateway,
       grpc::StatusCode::PERMISSION_DENIED},
      {"a node at a node",
       node,
       other,
       {PeerRole::kNode, "node"},
       grpc::StatusCode::UNAUTHENTICATED},
      {"a node where a gateway should be", node, node, any_gateway, grpc::StatusCode::UNAVAILABLE},
      {"a gateway where a node should be",
       gateway,
       node,
       {PeerRole::kNode, "node"},
       grpc::StatusCode::UNAVAILABLE},
      {"another node where this one should be",
       other,
       gateway,
       {PeerRole::kNode, "node"},
       grpc::StatusCode::UNAVAILABLE},
      {"a node whose name nobody knows",
       node,
       gateway,
       {PeerRole::kNode},
       grpc::StatusCode::UNAVAILABLE},
      {"a gateway by its name",
       gateway,
       node,
       {PeerRole::kGateway, "gateway"},
       grpc::StatusCode::OK},
      {"a gateway by another",
       gateway,
       node,
       {PeerRole::kGateway, "node"},
       grpc::StatusCode::UNAVAILABLE},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const Server server(c.server);
    EXPECT_EQ(server.call(c.caller, c.expected), c.answer);
  }
}

TEST(Credentials, ForeignAndMissingCertificatesAreRefused) {
  const Server gateway(gateway_of(ours()));
  const Authority foreign;
  EXPECT_EQ(gateway.call(node_of(foreign), {PeerRole::kGateway}), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(gateway.call(PeerCredentials::plain(), {PeerRole::kGateway}),
            grpc::StatusCode::UNAVAILABLE);
}

TEST(Credentials, PlainListenersLetEverybodyIn) {
  const Server gateway(PeerCredentials::plain());
  EXPECT_EQ(gateway.call(PeerCredentials::plain(), {PeerRole::kGateway}, "anybody"),
            grpc::StatusCode::OK);
}

// The authority changes under both: what was believed is believed no more, without a new process.
TEST(Credentials, FilesThatWereWrittenAnewCountFromTheReloadOn) {
  Authority mine;
  const auto gateway = gateway_of(mine), node = node_of(mine);
  const Server server(gateway);
  ASSERT_EQ(server.call(node, {PeerRole::kGateway}), grpc::StatusCode::OK);
  EXPECT_EQ(gateway->reload().value(), false) << "nothing is new";
  EXPECT_EQ(node->version(), 1u);
  const Authority next;
  mine.take_over(next);
  EXPECT_EQ(gateway->reload().value(), true);
  EXPECT_EQ(server.call(node, {PeerRole::kGateway}), grpc::StatusCode::UNAVAILABLE)
      << "the node has the old ones";
  EXPECT_EQ(node->reload().value(), true);
  EXPECT_EQ(node->version(), 2u);
  EXPECT_EQ(server.call(node, {PeerRole::kGateway}), grpc::StatusCode::OK);

  mine.write("node.key", "-----BEGIN nothing");
  EXPECT_FALSE(node->reload()) << "a key that is none";
  mine.write("node.pem", next.read("other.pem"));
  mine.write("node.key", next.read("other.key"));
  EXPECT_FALSE(node->reload()) << "another node's";
  EXPECT_EQ(node->version(), 2u);
  EXPECT_EQ(server.call(node, {PeerRole::kGateway}), grpc::StatusCode::OK)
      << "the ones before stay";
}

TEST(Credentials, TheEndOfEachFileIsKnown) {
  const auto node = node_of(ours());
  const auto now = std::chrono::system_clock::now();
  const auto ends = node->expiries();
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_GT(ends[0].not_after, now + std::chrono::days(3600)) << "the authority";
  EXPECT_GT(ends[1].not_after, now + std::chrono::days(800));
  EXPECT_LT(ends[1].not_after, now + std::chrono::days(830));
  EXPECT_TRUE(PeerCredentials::plain()->expiries().empty());
}

TEST(Credentials, NamesAreFitForAUri) {
  for (const char* name : {"n", "node-1", "a.b_c-d", "rondel-node-a-0", "N1"}) {
    EXPECT_TRUE(is_peer_name(name)) << name;
  }
  for (const char* name : {"", "-n", ".n", "a/b", "a b", "a%", "n\n", "spiffe://rondel/node/n"}) {
    EXPECT_FALSE(is_peer_name(name)) << name;
  }
  EXPECT_FALSE(is_peer_name(std::string(129, 'n')));
}

TEST(Credentials, FilesGoTogetherAndMustBePem) {
  TlsFiles files = ours().files("node");
  files.key.clear();
  const ExpectedPeer self{PeerRole::kNode, "node"};
  EXPECT_EQ(PeerCredentials::load(files, self).error().code, ErrorCode::kInvalidArgument);
  files = ours().files("node");
  files.authority = "/dev/null";
  EXPECT_EQ(PeerCredentials::load(files, self).error().code, ErrorCode::kInvalidArgument);
  files = ours().files("node");
  files.key = ours().files("other").key;
  EXPECT_EQ(PeerCredentials::load(files, self).error().code, ErrorCode::kInvalidArgument)
      << "another's key";
  EXPECT_EQ(PeerCredentials::load(ours().files("other"), self).error().code,
            ErrorCode::kInvalidArgument)
      << "another's name";
  EXPECT_EQ(PeerCredentials::load(ours().files("gateway"), self).error().code,
            ErrorCode::kInvalidArgument)
      << "another role";
}

TEST(Credentials, PlainListenersStayOnThisMachine) {
  for (const char* local : {"127.0.0.1:9200", "localhost:1", "[::1]:1", "unix:/run/node.socket"}) {
    EXPECT_TRUE(check_plain_listener(local, {}, false)) << local;
  }
  for (const char* open :
       {"0.0.0.0:9200", "10.0.0.1:9200", "[::]:9200", "node.example.test:9200"}) {
    EXPECT_FALSE(check_plain_listener(open, {}, false)) << open;
    EXPECT_TRUE(check_plain_listener(open, {}, true)) << open;
    EXPECT_TRUE(check_plain_listener(open, ours().files("node"), false)) << open;
  }
}

}  // namespace
}  // namespace rondel::rpc
