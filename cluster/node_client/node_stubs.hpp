// NodeStubs: the Storage service of each node, by its address in the topology (.cc files alone).
// Safe for concurrent use.
#pragma once

#include "common/grpc/channel.hpp"
#include "common/ring/ring.h"
#include "proto/storage/v1/storage.grpc.pb.h"

namespace rondel::node_client {

class NodeStubs {
 public:
  NodeStubs(const ring::TopologySource& topology,
            std::shared_ptr<const rpc::PeerCredentials> credentials)
      : topology_(topology), channels_(std::move(credentials)) {}

  // Null: the node's address is not known.
  std::shared_ptr<storage::v1::Storage::Stub> find(const model::NodeId& node) {
    const auto topology = topology_.topology();
    const ring::Topology::Node* const known = topology->find_node(node);
    return known == nullptr
               ? nullptr
               : storage::v1::Storage::NewStub(channels_.to({known->address, known->name}));
  }

 private:
  const ring::TopologySource& topology_;
  rpc::NodeChannels channels_;
};

}  // namespace rondel::node_client
