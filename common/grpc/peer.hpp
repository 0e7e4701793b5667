// Who a peer is by its certificate, and what it may call (.cc files alone).
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/grpc/peer_name.h"

namespace rondel::rpc {

// The names of one certificate.
class PeerNames {
 public:
  void add_dns(std::string_view name);
  void add_uri(std::string_view uri);

  bool has(PeerRole role) const { return role == PeerRole::kGateway ? gateway_ : node_; }

  bool is(const ExpectedPeer& peer) const;

  // The name of the node; empty: the certificate names none, or more than one.
  std::string node_name() const { return nodes_.size() == 1 ? nodes_.front() : ""; }

 private:
  bool gateway_ = false;
  bool node_ = false;
  std::vector<std::string> nodes_;
  std::vector<std::string> gateways_;
};

// One method of a service and who may call it.
struct MethodRoles {
  std::string_view method;  // "/rondel.storage.v1.Storage/Status"
  bool gateway = false;
  bool node = false;
};

// Every method there is: one that is not here is refused to everybody whose certificate is looked
// at.
std::span<const MethodRoles> method_roles();

// Who calls. On plain listeners (loopback, unix sockets, or allowed by a setting) there is no
// certificate: everybody is let in, as anybody.
struct Caller {
  bool known = false;  // By a certificate; what follows is of it.
  bool gateway = false;
  std::string node;  // The name of the node; empty: the caller is none.

  // May it speak for the node of that name? A node may for itself alone.
  bool may_be(std::string_view node_name) const {
    return !known || (!node.empty() && node == node_name);
  }

  // A node, and nothing more.
  bool only_node() const { return known && !gateway; }
};

struct Admission {
  grpc::Status status;  // Not OK: PERMISSION_DENIED, and the call ends with it.
  Caller caller;
};

// May the caller of this context call the method? A node needs a name for that.
Admission admit(const grpc::ServerContextBase& context, std::string_view method);

}  // namespace rondel::rpc
