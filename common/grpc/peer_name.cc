#include "common/grpc/peer_name.h"

#include <algorithm>

namespace rondel::rpc {
namespace {

constexpr size_t kNameMax = 128;

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

std::string peer_uri(PeerRole role, std::string_view name) {
  return "spiffe://rondel/" + std::string(role_text(role)) + "/" + std::string(name);
}

bool is_peer_name(std::string_view name) {
  if (name.empty() || name.size() > kNameMax || !is_letter_or_digit(name.front())) return false;
  return std::ranges::all_of(
      name, [](char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; });
}

std::string_view role_text(PeerRole role) {
  return role == PeerRole::kGateway ? "gateway" : "node";
}

std::string describe(const ExpectedPeer& peer) {
  const std::string role = "DNS:rondel-" + std::string(role_text(peer.role));
  return peer.name.empty() ? role : role + " and URI:" + peer_uri(peer.role, peer.name);
}

}  // namespace rondel::rpc
