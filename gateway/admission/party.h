// Who holds something of a bound: an address until it is known who asks, an account after that.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace rondel::admission {

enum class Bound : uint8_t {
  kRequests,
  kDocumentBytes,
  kWriteBytes,
  kReadBytes,
  kSmallWriteBytes,
  kSmallReadBytes,
  kListings,
};
inline constexpr size_t kBounds = 7;

std::string_view name(Bound bound);

// One party of one gateway. What it holds is kept by the pools that it holds it of.
class Party {
 public:
  enum class Kind : uint8_t { kAddress, kAccount };

  Party(Kind kind, std::string id) : kind_(kind), id_(std::move(id)) {}

  Kind kind() const { return kind_; }

  const std::string& id() const { return id_; }

 private:
  friend class Pool;

  struct Standing {
    uint64_t held = 0;
    uint64_t waiting = 0;  // Coroutines.
  };

  const Kind kind_;
  const std::string id_;
  // Each guarded by the mutex of the one pool of that bound.
  std::array<Standing, kBounds> standings_;
};

// Null: the gateway itself, which has no share.
using PartyRef = std::shared_ptr<Party>;

// The parties that somebody refers to: as many as requests are in flight, at most. Safe for
// concurrent use; may go before its parties do.
class Parties {
 public:
  Parties();

  PartyRef account(std::string_view id) { return find(Party::Kind::kAccount, std::string(id)); }

  // An IPv4 address, or the /64 that an IPv6 address is of: its owner has all of that.
  PartyRef address(std::string_view text);

 private:
  struct Registry;

  PartyRef find(Party::Kind kind, std::string id);

  std::shared_ptr<Registry> registry_;
};

}  // namespace rondel::admission
