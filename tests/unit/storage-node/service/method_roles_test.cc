// Which role may call which method: every method there is, called with every kind of certificate.
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <future>
#include <set>

#include "common/grpc/channel.hpp"
#include "common/grpc/peer.hpp"
#include "proto/cluster/v1/cluster.grpc.pb.h"
#include "proto/storage/v1/storage.grpc.pb.h"
#include "storage-node/service/storage_service.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/fixed_topology.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"
#include "tests/unit/storage-node/service/open_gate.h"

namespace rondel::node {
namespace {

using rpc::MethodRoles;
using rpc::PeerRole;

std::set<std::string> methods_of(const google::protobuf::FileDescriptor& file) {
  std::set<std::string> methods;
  for (int s = 0; s < file.service_count(); ++s) {
    const auto& service = *file.service(s);
    for (int m = 0; m < service.method_count(); ++m) {
      methods.insert("/" + std::string(service.full_name()) + "/" +
                     std::string(service.method(m)->name()));
    }
  }
  return methods;
}

TEST(MethodRoles, EveryMethodIsInTheTableOnce) {
  std::set<std::string> methods = methods_of(*storage::v1::StatusRequest::descriptor()->file());
  methods.merge(methods_of(*cluster::v1::HeartbeatRequest::descriptor()->file()));
  std::set<std::string> listed;
  for (const MethodRoles& rule : rpc::method_roles()) {
    EXPECT_TRUE(listed.emplace(rule.method).second) << rule.method;
    EXPECT_TRUE(rule.gateway || rule.node) << rule.method << ": nobody may call it";
  }
  EXPECT_EQ(listed, methods);
}

class StorageRoles : public ::testing::Test {
 protected:
  StorageRoles() {
    EXPECT_TRUE(files_.make_directory("/disk"));
    std::vector<std::unique_ptr<engine::Engine>> engines;
    engines.push_back(
        engine::Engine::open(files_, engine::small_options(folder_.path() + "/index")).value());
    disks_ = std::make_unique<DiskSet>(std::move(engines));
    readers_ = std::make_unique<DiskReaders>(*disks_, 2, 1000);
    StorageServices services{*disks_,
                             gate_,
                             topology_,
                             *readers_,
                             model::NodeId::random(),
                             [](auto&&...) {},
                             [](auto&&...) { return model::ReplicationLag{}; },
                             outgoing_bytes_};
    service_ =
        StorageService::start(std::move(services), "127.0.0.1:0", authority_.node()->server())
            .value();
  }

  // One empty message; a stream is cancelled once the service let it in.
  grpc::StatusCode call(const std::shared_ptr<rpc::PeerCredentials>& caller,
                        const std::string& method) {
    const auto channel = rpc::open_channel("127.0.0.1:" + std::to_string(service_->port()), *caller,
                                           {PeerRole::kNode, "node"});
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    // Exchange waits for frames as long as its caller does.
    const bool waits = method.ends_with("/Exchange");
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(waits ? 2 : 30));
    grpc::Slice nothing;
    grpc::ByteBuffer request(&nothing, 1), response;
    std::promise<grpc::StatusCode> ended;
    stub.UnaryCall(&context, method, {}, &request, &response,
                   [&](const grpc::Status& status) { ended.set_value(status.error_code()); });
    return ended.get_future().get();
  }

  const fakes::Authority authority_;
  engine::TemporaryFolder folder_;
  fs::SimulatedFileSystem files_{1};
  std::unique_ptr<DiskSet> disks_;
  std::unique_ptr<DiskReaders> readers_;
  node::OpenGate gate_;
  fakes::FixedTopology topology_;
  std::atomic<uint64_t> outgoing_bytes_{0};
  std::unique_ptr<StorageService> service_;
};

TEST_F(StorageRoles, EveryMethodAsksForItsCallers) {
  const auto gateway = authority_.gateway(), node = authority_.node("other");
  for (const MethodRoles& rule : rpc::method_roles()) {
    const std::string method(rule.method);
    if (!method.starts_with("/rondel.storage.")) continue;
    SCOPED_TRACE(method);
    EXPECT_EQ(call(gateway, method) != grpc::StatusCode::PERMISSION_DENIED, rule.gateway);
    EXPECT_EQ(call(node, method) != grpc::StatusCode::PERMISSION_DENIED, rule.node);
  }
}

}  // namespace
}  // namespace rondel::node
