// The one way to open a channel (.cc files alone).
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>

#include "common/rpc/credentials.h"

namespace rondel::rpc {

// A channel to `address` that believes a server with a certificate for `role` alone (see expect_server). Connects when first
// used. Its last holder may let go of it on any thread, gRPC's completion threads among them: a reactor's OnDone() may
// destroy the reactor and all it holds.
std::shared_ptr<grpc::Channel> open_channel(const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                                            PeerRole role, grpc::ChannelArguments arguments = {});

}  // namespace rondel::rpc
