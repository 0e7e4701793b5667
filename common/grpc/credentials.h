// Mutual TLS between gateways and storage nodes: who may connect, and as what.
//
// Every gateway and every node has a certificate of the cluster's own authority. Its DNS name says what its holder is:
// "rondel-gateway" or "rondel-node" (both in one certificate: both). A client insists on the name of what it wants to reach,
// a server looks at the caller's name for each method (peer_role.hpp). TLS 1.2 and later, gRPC's cipher suites.
#pragma once

#include <memory>
#include <string>

#include "common/base/result.h"

namespace grpc {
class ChannelCredentials;
class ServerCredentials;
}

namespace rondel::rpc {

enum class PeerRole { kGateway, kNode };

// PEM files: the authority that peers' certificates come from, the own chain, its private key. All or none.
struct TlsFiles {
  std::string authority;
  std::string certificate;
  std::string key;
  bool given() const { return !authority.empty() || !certificate.empty() || !key.empty(); }
};

struct PeerCredentials {
  std::shared_ptr<grpc::ServerCredentials> server;
  std::shared_ptr<grpc::ChannelCredentials> channel;
};

// Reads the files once. No files: plain connections. kInvalidArgument: not all three given, or one cannot be read or is empty.
Result<PeerCredentials> load_credentials(const TlsFiles& files);

// Plain connections stay on this machine: kInvalidArgument when `address` (host:port or unix:path) is not loopback or a unix
// socket, there is no TLS and it was not allowed.
Result<void> check_plain_listener(const std::string& address, const TlsFiles& files, bool plain_allowed);

}  // namespace rondel::rpc
