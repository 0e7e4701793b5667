// The header of the PROXY protocol, version 2, that a load balancer sends before the bytes of its
// client. Pure; no I/O. Version 1 is not taken.
//
// Everything in it is believed, so it is read from configured networks alone (server.h).
// Source: "The PROXY protocol, versions 1 and 2", sections 2.2 to 2.2.6, HAProxy.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/ip_range.h"

namespace rondel::http {

struct ProxyHeader {
  // Of the client; nullopt: the proxy speaks for itself (LOCAL), as in its health checks.
  std::optional<IpAddress> client;
  std::optional<bool> tls;  // Between the client and the proxy; nullopt: it does not say.
  std::string tls_version;  // "1.2", "1.3"; empty when the proxy does not say.
  std::string tls_cipher;
};

// Signature, version and command, family, length of the rest.
inline constexpr size_t kProxyHeaderFixedBytes = 16;
// Of the rest: addresses and what stands behind them.
inline constexpr size_t kProxyHeaderRestMax = 2048;

// Whether `bytes` begin as a header does, as far as they go. Empty: yes.
bool may_be_proxy_header(ByteView bytes);

// How many bytes follow the fixed ones. The error says what is wrong: another signature, version or
// command, or more bytes than kProxyHeaderRestMax.
// REQUIRES: fixed.size() == kProxyHeaderFixedBytes.
std::expected<size_t, std::string> proxy_header_rest(ByteView fixed);

// The whole header. Refused: any family but TCP over IPv4 and IPv6, lengths that do not add up, a
// checksum that differs.
std::expected<ProxyHeader, std::string> parse_proxy_header(ByteView bytes);

}  // namespace rondel::http
