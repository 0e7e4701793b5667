#include "common/grpc/peer.hpp"

#include <grpc/grpc_security_constants.h>

#include <algorithm>

namespace rondel::rpc {
namespace {

constexpr std::string_view kUriPrefix = "spiffe://rondel/";

// Object bytes go both ways between nodes: repair reads, and hands back to owners. What changes
// what is kept by order of the database is the gateways'; what nodes tell one another of is theirs.
constexpr MethodRoles kMethods[] = {
    {"/rondel.cluster.v1.Cluster/Heartbeat", false, true},
    {"/rondel.cluster.v1.Cluster/ReadRings", false, true},
    {"/rondel.storage.v1.Storage/Exchange", true, true},
    {"/rondel.storage.v1.Storage/PullJournal", false, true},
    {"/rondel.storage.v1.Storage/DeleteBlobs", true, false},
    {"/rondel.storage.v1.Storage/ListBlobs", true, true},
    {"/rondel.storage.v1.Storage/RestoreBlobs", true, false},
    {"/rondel.storage.v1.Storage/Status", true, false},
};

std::string_view view(const grpc::string_ref& text) { return {text.data(), text.size()}; }

PeerNames names_of(const grpc::AuthContext& peer) {
  PeerNames names;
  for (const grpc::string_ref& name : peer.FindPropertyValues(GRPC_PEER_DNS_PROPERTY_NAME)) {
    names.add_dns(view(name));
  }
  for (const grpc::string_ref& uri : peer.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME)) {
    names.add_uri(view(uri));
  }
  return names;
}

}  // namespace

void PeerNames::add_dns(std::string_view name) {
  gateway_ = gateway_ || name == "rondel-gateway";
  node_ = node_ || name == "rondel-node";
}

void PeerNames::add_uri(std::string_view uri) {
  if (!uri.starts_with(kUriPrefix)) return;
  uri.remove_prefix(kUriPrefix.size());
  const size_t slash = uri.find('/');
  if (slash == std::string_view::npos || !is_peer_name(uri.substr(slash + 1))) return;
  const std::string_view role = uri.substr(0, slash);
  if (role == "node") nodes_.emplace_back(uri.substr(slash + 1));
  if (role == "gateway") gateways_.emplace_back(uri.substr(slash + 1));
}

bool PeerNames::is(const ExpectedPeer& peer) const {
  if (!has(peer.role)) return false;
  if (peer.role == PeerRole::kNode) return !peer.name.empty() && node_name() == peer.name;
  return peer.name.empty() || std::ranges::find(gateways_, peer.name) != gateways_.end();
}

std::span<const MethodRoles> method_roles() { return kMethods; }

Admission admit(const grpc::ServerContextBase& context, std::string_view method) {
  const auto peer = context.auth_context();
  if (peer == nullptr || !peer->IsPeerAuthenticated()) return {};
  const PeerNames names = names_of(*peer);
  Admission admission;
  admission.caller.known = true;
  admission.caller.gateway = names.has(PeerRole::kGateway);
  if (names.has(PeerRole::kNode)) admission.caller.node = names.node_name();
  const auto* const rule = std::ranges::find(kMethods, method, &MethodRoles::method);
  const bool allowed =
      rule != std::end(kMethods) && ((rule->gateway && admission.caller.gateway) ||
                                     (rule->node && !admission.caller.node.empty()));
  if (!allowed) {
    admission.status = {grpc::StatusCode::PERMISSION_DENIED,
                        "the certificate does not name a caller of this method"};
  }
  return admission;
}

}  // namespace rondel::rpc
