// Who a proxy says it speaks for: X-Forwarded-For and X-Forwarded-Proto of one request. Pure.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "common/base/ip_range.h"
#include "common/http/message.h"

namespace rondel::http {

struct Forwarded {
  std::optional<IpAddress> client;  // nullopt: nothing is said.
  std::optional<bool> tls;          // Of the client's connection; nullopt: nothing is said.
};

// REQUIRES: the peer is one of `trusted`; from others these fields mean nothing.
//
// Each proxy adds at the right whom it heard, so the right-most address outside of `trusted` is the
// client: what stands left of it is the client's own word. All of them trusted: the left-most.
// Refused: an address that cannot be read before the client is found; a scheme that is neither
// "http" nor "https", or more than one.
std::expected<Forwarded, std::string> parse_forwarded(const Fields& fields,
                                                      const IpRangeSet& trusted);

}  // namespace rondel::http
