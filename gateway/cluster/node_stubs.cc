#include "gateway/cluster/node_stubs.h"

#include <grpcpp/security/credentials.h>

#include "common/rpc/channel.hpp"

namespace rondel::cluster {

std::shared_ptr<storage::v1::Storage::Stub> NodeStubs::find(const model::NodeId& node) {
  const auto topology = topology_.topology();
  for (const ring::Topology::Node& known : topology->nodes) {
    if (known.id != node) continue;
    std::lock_guard lock(mutex_);
    auto& stub = stubs_[known.address];
    if (!stub) {
      grpc::ChannelArguments arguments;
      arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
      stub = storage::v1::Storage::NewStub(rpc::open_channel(known.address, credentials_, rpc::PeerRole::kNode, std::move(arguments)));
    }
    return stub;
  }
  return nullptr;
}

}  // namespace rondel::cluster
