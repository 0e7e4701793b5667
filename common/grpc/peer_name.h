// What gateways and nodes are called in certificates (credentials.h says where).
#pragma once

#include <string>
#include <string_view>

namespace rondel::rpc {

enum class PeerRole { kGateway, kNode };

// Whom a channel is to reach. An empty name: any gateway; never any node.
struct ExpectedPeer {
  PeerRole role = PeerRole::kGateway;
  std::string name = {};
};

// "spiffe://rondel/node/NAME"
std::string peer_uri(PeerRole role, std::string_view name);

// What names of nodes and gateways are made of: 1 to 128 letters, digits, '.', '_' and '-', a
// letter or digit first.
bool is_peer_name(std::string_view name);

std::string_view role_text(PeerRole role);       // "gateway", "node"
std::string describe(const ExpectedPeer& peer);  // For messages.

}  // namespace rondel::rpc
