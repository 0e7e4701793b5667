// The one way to open a channel (.cc files alone).
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <map>
#include <memory>
#include <string>

#include "common/base/mutex.h"
#include "common/grpc/credentials.h"

namespace rondel::rpc {

// A channel to `address` that believes a server with a certificate of `peer` alone. Connects when
// first used. Its last holder may let go of it on any thread, gRPC's completion threads among them:
// a reactor's OnDone() may destroy the reactor and all it holds.
std::shared_ptr<grpc::Channel> open_channel(const std::string& address,
                                            const PeerCredentials& credentials,
                                            const ExpectedPeer& peer,
                                            grpc::ChannelArguments arguments = {});

// Channels to storage nodes for calls beside the exchange of bytes, one an endpoint; new ones when
// certificates are. Safe for concurrent use.
class NodeChannels {
 public:
  // Null: plain.
  explicit NodeChannels(std::shared_ptr<const PeerCredentials> credentials)
      : credentials_(credentials ? std::move(credentials) : PeerCredentials::plain()) {}

  std::shared_ptr<grpc::Channel> to(const NodeEndpoint& node);

 private:
  const std::shared_ptr<const PeerCredentials> credentials_;
  Mutex mutex_;
  uint64_t version_ GUARDED_BY(mutex_) = 0;  // Of channels_.
  std::map<NodeEndpoint, std::shared_ptr<grpc::Channel>> channels_ GUARDED_BY(mutex_);
};

}  // namespace rondel::rpc
