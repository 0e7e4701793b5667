// Which machine calls: what peers share memory by (.cc files alone).
#pragma once

#include <grpcpp/security/auth_context.h>
#include <grpcpp/server_context.h>

#include <string>

namespace rondel::rpc {

// The address that the caller comes from, without its port, behind the names of its certificate.
// Two processes of one machine may have the same.
inline std::string peer_machine(const grpc::ServerContextBase& context) {
  std::string machine;
  if (const auto auth = context.auth_context()) {
    for (const grpc::string_ref& name : auth->GetPeerIdentity()) {
      machine += std::string(name.data(), name.size()) + " ";
    }
  }
  const std::string peer = context.peer();
  const bool with_port = peer.starts_with("ipv4:") || peer.starts_with("ipv6:");
  return machine + (with_port ? peer.substr(0, peer.rfind(':')) : peer);
}

}  // namespace rondel::rpc
