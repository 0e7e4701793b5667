// Real certificates, made by deploy/local/certificates.sh, over a real gRPC server.
#include "common/grpc/credentials.h"

#include <grpcpp/security/credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "common/grpc/channel.hpp"
#include "common/grpc/peer_role.hpp"
#include "proto/cluster/v1/cluster.grpc.pb.h"

namespace rondel::rpc {
namespace {

namespace wire = rondel::cluster::v1;

class Authority {
 public:
  Authority() {
    std::string pattern = std::filesystem::temp_directory_path() / "rondel-certificates-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    EXPECT_EQ(std::system((std::string(RONDEL_SOURCE) + "/deploy/local/certificates.sh " + folder_ + " > /dev/null").c_str()), 0);
  }

  ~Authority() { std::filesystem::remove_all(folder_); }

  TlsFiles files(const std::string& role) const { return {folder_ + "/authority.pem", folder_ + "/" + role + ".pem", folder_ + "/" + role + ".key"}; }

 private:
  std::string folder_;
};

const Authority& ours() {
  static const Authority authority;
  return authority;
}

// Lets nodes alone in, as the gateway's own service does.
class NodesOnly final : public wire::Cluster::Service {
 public:
  explicit NodesOnly(const TlsFiles& files) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", load_credentials(files)->server, &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }

  ~NodesOnly() override { server_->Shutdown(); }

  grpc::Status Heartbeat(grpc::ServerContext* context, const wire::HeartbeatRequest*, wire::HeartbeatReply*) override {
    return check_peer(*context, {PeerRole::kNode});
  }

  grpc::StatusCode call(const TlsFiles& caller, PeerRole expected) const {
    const auto channel = open_channel("127.0.0.1:" + std::to_string(port_), load_credentials(caller)->channel, expected);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    wire::HeartbeatReply reply;
    return wire::Cluster::NewStub(channel)->Heartbeat(&context, {}, &reply).error_code();
  }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST(Credentials, ANodeReachesTheGateway) {
  const NodesOnly gateway(ours().files("gateway"));
  EXPECT_EQ(gateway.call(ours().files("node"), PeerRole::kGateway), grpc::StatusCode::OK);
}

TEST(Credentials, AMethodForNodesRefusesAGateway) {
  const NodesOnly gateway(ours().files("gateway"));
  EXPECT_EQ(gateway.call(ours().files("gateway"), PeerRole::kGateway), grpc::StatusCode::PERMISSION_DENIED);
}

TEST(Credentials, AServerThatIsNotWhatItShouldBeIsNotBelieved) {
  const NodesOnly node(ours().files("node"));
  EXPECT_EQ(node.call(ours().files("node"), PeerRole::kGateway), grpc::StatusCode::UNAVAILABLE);
}

TEST(Credentials, ForeignAndMissingCertificatesAreRefused) {
  const NodesOnly gateway(ours().files("gateway"));
  const Authority foreign;
  EXPECT_EQ(gateway.call(foreign.files("node"), PeerRole::kGateway), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(gateway.call({}, PeerRole::kGateway), grpc::StatusCode::UNAVAILABLE);
}

TEST(Credentials, PlainListenersLetEverybodyIn) {
  const NodesOnly gateway(TlsFiles{});
  EXPECT_EQ(gateway.call({}, PeerRole::kGateway), grpc::StatusCode::OK);
}

TEST(Credentials, FilesGoTogetherAndMustBePem) {
  TlsFiles files = ours().files("node");
  files.key.clear();
  EXPECT_EQ(load_credentials(files).error().code, ErrorCode::kInvalidArgument);
  files = ours().files("node");
  files.authority = "/dev/null";
  EXPECT_EQ(load_credentials(files).error().code, ErrorCode::kInvalidArgument);
}

TEST(Credentials, PlainListenersStayOnThisMachine) {
  for (const char* local : {"127.0.0.1:9200", "localhost:1", "[::1]:1", "unix:/run/node.socket"}) EXPECT_TRUE(check_plain_listener(local, {}, false)) << local;
  for (const char* open : {"0.0.0.0:9200", "10.0.0.1:9200", "[::]:9200", "node.example.test:9200"}) {
    EXPECT_FALSE(check_plain_listener(open, {}, false)) << open;
    EXPECT_TRUE(check_plain_listener(open, {}, true)) << open;
    EXPECT_TRUE(check_plain_listener(open, ours().files("node"), false)) << open;
  }
}

}  // namespace
}  // namespace rondel::rpc
