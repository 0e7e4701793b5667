// HeartbeatService: the gRPC service through which storage nodes join and learn the ring (proto/cluster/v1).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/async/event_loop.h"
#include "common/base/result.h"
#include "cluster/membership/topology_cache.h"
#include "metadata/store/node_store.h"

namespace grpc {
class ServerCredentials;
}

namespace rondel::membership {

// The token of the coordinator of this gateway, when the database took it under that confirmation; 0
// otherwise. Called on the service's loop.
using CoordinatorToken = std::function<uint64_t(uint64_t accepted)>;

class HeartbeatService {
 public:
  // Everything given outlives the service. kAlreadyExists: the address is in use. The loop must run until the service is
  // destroyed, which waits for open calls.
  static Result<std::unique_ptr<HeartbeatService>> start(async::EventLoop& loop, metadata::NodeStore& nodes,
                                                         const TopologyCache& topology, CoordinatorToken coordinator_token,
                                                         model::ClusterId cluster, const Clock& clock, std::string address,
                                                         std::shared_ptr<grpc::ServerCredentials> credentials);
  virtual ~HeartbeatService() = default;
  virtual int port() const = 0;
};

}  // namespace rondel::membership
