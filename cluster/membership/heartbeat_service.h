// HeartbeatService: the gRPC service through which storage nodes join and learn the ring
// (proto/cluster/v1).
//
// An answer waits for one look at the database and for no write. A node speaks for itself alone:
// its certificate names it, and the name belongs to its id from the first contact on. What it says
// is bounded before anybody goes by it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cluster/membership/topology_cache.h"
#include "common/async/event_loop.h"
#include "common/base/result.h"
#include "metadata/store/node_store.h"

namespace grpc {
class ServerCredentials;
}

namespace rondel::membership {

// Why a node's heartbeat is not taken for true: a number that no database gave, a size that no disk
// has, a text too long or with a control character. nullopt: it may be. `record` is what it said.
std::optional<Error> check_told(const metadata::NodeRecord& record);
// What only the database can tell: orders and confirmations that leap over its own.
std::optional<Error> check_leaps(const metadata::NodeRecord& record,
                                 const metadata::Greeting& greeting);

class HeartbeatService {
 public:
  // Everything given outlives the service; `ages` says whose clock is wrong. kAlreadyExists: the
  // address is in use. The loop must run until the service is destroyed, which waits for open
  // calls.
  static Result<std::unique_ptr<HeartbeatService>> start(
      async::EventLoop& loop, metadata::NodeStore& nodes, const TopologyCache& topology,
      const AgeClock& ages, model::ClusterId cluster, const Clock& clock, std::string address,
      std::shared_ptr<grpc::ServerCredentials> credentials);
  virtual ~HeartbeatService() = default;
  virtual int port() const = 0;
};

}  // namespace rondel::membership
