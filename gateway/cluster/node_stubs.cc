#include "gateway/cluster/node_stubs.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "common/rpc/peer_role.hpp"

namespace rondel::cluster {

std::shared_ptr<storage::v1::Storage::Stub> NodeStubs::find(const model::NodeId& node) {
  const auto topology = topology_.topology();
  for (const ring::Topology::Node& known : topology->nodes) {
    if (known.id != node) continue;
    std::lock_guard lock(mutex_);
    auto& stub = stubs_[known.address];
    if (!stub) {
      grpc::ChannelArguments arguments;
      rpc::expect_server(arguments, rpc::PeerRole::kNode);
      arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
      stub = storage::v1::Storage::NewStub(grpc::CreateCustomChannel(known.address, credentials_, arguments));
    }
    return stub;
  }
  return nullptr;
}

}  // namespace rondel::cluster
