// The one way to open a channel (.cc files alone).
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "common/grpc/credentials.h"

namespace rondel::rpc {

// A channel to `address` that believes a server with a certificate for `role` alone (see expect_server). Connects when first
// used. Its last holder may let go of it on any thread, gRPC's completion threads among them: a reactor's OnDone() may
// destroy the reactor and all it holds.
std::shared_ptr<grpc::Channel> open_channel(const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                                            PeerRole role, grpc::ChannelArguments arguments = {});

// Channels to storage nodes for calls beside the exchange of bytes, one an address. Safe for concurrent use.
class NodeChannels {
 public:
  explicit NodeChannels(std::shared_ptr<grpc::ChannelCredentials> credentials) : credentials_(std::move(credentials)) {}

  std::shared_ptr<grpc::Channel> to(const std::string& address);

 private:
  const std::shared_ptr<grpc::ChannelCredentials> credentials_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_;   // Guarded by mutex_.
};

}  // namespace rondel::rpc
