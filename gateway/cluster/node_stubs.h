// NodeStubs: the Storage service of each node, by its address in the topology. Safe for concurrent use.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "common/ring/ring.h"
#include "proto/storage/v1/storage.grpc.pb.h"

namespace grpc {
class ChannelCredentials;
}

namespace rondel::cluster {

class NodeStubs {
 public:
  NodeStubs(const ring::TopologySource& topology, std::shared_ptr<grpc::ChannelCredentials> credentials)
      : topology_(topology), credentials_(std::move(credentials)) {}

  // Null: the node's address is not known.
  std::shared_ptr<storage::v1::Storage::Stub> find(const model::NodeId& node);

 private:
  const ring::TopologySource& topology_;
  const std::shared_ptr<grpc::ChannelCredentials> credentials_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<storage::v1::Storage::Stub>> stubs_;  // Guarded by mutex_; one per node address.
};

}  // namespace rondel::cluster
