#include "common/program/listen_address.h"

#include "common/base/ip_range.h"
#include "common/base/numbers.h"

namespace rondel::program {

std::string ListenAddress::text() const {
  return (host.contains(':') ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<ListenAddress> listen_address(const config::Settings& settings, std::string_view key) {
  const std::string& text = settings.text(key);
  const size_t colon = text.rfind(':');
  const auto port = parse_port(text);
  std::string host = colon == std::string::npos ? "" : text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  // Without brackets nobody knows where an IPv6 address ends.
  const bool usable =
      bracketed ? host.contains(':') && parse_ip(host) : !host.empty() && !host.contains(':');
  if (!port || !usable) {
    return fail(
        ErrorCode::kInvalidArgument,
        std::string(key) + ": expected host:port or [IPv6 address]:port, not '" + text + "'");
  }
  return ListenAddress{std::move(host), *port};
}

bool is_wildcard(std::string_view host) {
  if (host == "0" || host == "*" || host.empty()) return true;
  const auto ip = parse_ip(host);
  return ip && (*ip == *parse_ip("0.0.0.0") || *ip == *parse_ip("::"));
}

}  // namespace rondel::program
