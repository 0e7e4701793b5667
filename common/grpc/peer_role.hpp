// What a certificate allows: used by whoever opens a channel or serves a method (.cc files alone).
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/status.h>

#include <initializer_list>

#include "common/grpc/credentials.h"

namespace rondel::rpc {

// The channel believes a server whose certificate names `role`, whatever its address. Nothing on plain channels.
void expect_server(grpc::ChannelArguments& arguments, PeerRole role);

// PERMISSION_DENIED unless the caller's certificate names one of `allowed`. On plain listeners (loopback, unix sockets, or allowed
// by a setting) there is no certificate and everybody is let in.
grpc::Status check_peer(const grpc::ServerContextBase& context, std::initializer_list<PeerRole> allowed);

}  // namespace rondel::rpc
