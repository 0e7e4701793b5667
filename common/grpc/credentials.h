// Mutual TLS between gateways and storage nodes: who may connect, as what, and as whom.
//
// Every gateway and every node has a certificate of the cluster's own authority. Its DNS name says
// what its holder is: "rondel-gateway" or "rondel-node" (both in one certificate: both). A URI says
// who it is: spiffe://rondel/node/NAME, spiffe://rondel/gateway/NAME. A client insists on what and
// whom it wants to reach, a server looks at the caller's names for each method (peer.hpp). TLS 1.2
// and later, gRPC's cipher suites.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/grpc/peer_name.h"

namespace grpc {
class ChannelCredentials;
class ServerCredentials;
}  // namespace grpc

namespace rondel::rpc {

// Whose Storage service is to be reached, and where. The name is that of its certificate; nobody
// looks at it on plain connections.
struct NodeEndpoint {
  NodeEndpoint() = default;

  NodeEndpoint(std::string at, std::string called = {})  // NOLINT: an address alone is one.
      : address(std::move(at)), name(std::move(called)) {}

  auto operator<=>(const NodeEndpoint&) const = default;

  std::string address;
  std::string name;
};

// PEM files: the authority that peers' certificates come from, the own chain, its private key. All
// or none.
struct TlsFiles {
  std::string authority;
  std::string certificate;
  std::string key;

  bool given() const { return !authority.empty() || !certificate.empty() || !key.empty(); }
};

// When the certificates of a file end: the earliest of them.
struct CertificateExpiry {
  std::string file;
  SystemTime not_after;
};

// What this process shows and whom it believes. Files that were written anew count from reload()
// on, for every connection that is made then; what is connected stays so. Safe for concurrent use.
class PeerCredentials {
 public:
  // No files: plain connections, and what follows about certificates is empty. kInvalidArgument, in
  // one line: not all three given, one cannot be read or is no PEM, the key is another
  // certificate's, or the certificate is not made for `self`.
  static Result<std::shared_ptr<PeerCredentials>> load(const TlsFiles& files, ExpectedPeer self);
  static std::shared_ptr<PeerCredentials> plain();

  // Reads the files again. True: they are others than before. On an error the ones before stay.
  Result<bool> reload();

  bool tls() const { return files_.given(); }

  // Rises when reload() has taken others: channels of an older version do not connect anew with the
  // new ones.
  uint64_t version() const;
  // Follows reload(). For any number of servers.
  std::shared_ptr<grpc::ServerCredentials> server();
  // Of the version that is current now.
  std::shared_ptr<grpc::ChannelCredentials> channel(const ExpectedPeer& peer) const;
  std::vector<CertificateExpiry> expiries() const;

  struct Pem {
    std::string authority;
    std::string certificate;
    std::string key;
    bool operator==(const Pem&) const = default;
  };

 private:
  struct Current;
  PeerCredentials(TlsFiles files, ExpectedPeer self);
  Result<std::shared_ptr<const Current>> read() const;

  const TlsFiles files_;
  const ExpectedPeer self_;
  struct Shared;
  const std::shared_ptr<Shared> shared_;  // With what listeners still ask for.
};

// Plain connections stay on this machine: kInvalidArgument when `address` (host:port or unix:path)
// is not loopback or a unix socket, there is no TLS and it was not allowed.
Result<void> check_plain_listener(const std::string& address, const TlsFiles& files,
                                  bool plain_allowed);

}  // namespace rondel::rpc
