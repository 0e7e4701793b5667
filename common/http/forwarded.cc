#include "common/http/forwarded.h"

#include <ranges>
#include <string_view>

#include "common/base/numbers.h"

namespace rondel::http {
namespace {

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// "203.0.113.7", "2001:db8::1", "[2001:db8::1]", and either of them with a port, as some proxies
// write.
std::optional<IpAddress> parse_node(std::string_view text) {
  if (text.contains('%')) return std::nullopt;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view port = text.substr(end + 1);
    if (!port.empty() && (!port.starts_with(':') || !parse_port(port))) return std::nullopt;
    const std::string_view inside = text.substr(1, end - 1);
    return inside.contains(':') ? parse_ip(inside) : std::nullopt;
  }
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
    return parse_port(text) ? parse_ip(text.substr(0, colon)) : std::nullopt;
  }
  return parse_ip(text);
}

std::expected<std::optional<IpAddress>, std::string> find_client(const Fields& fields,
                                                                 const IpRangeSet& trusted) {
  std::optional<IpAddress> client;
  const auto lists = fields.find_all("X-Forwarded-For");
  for (const std::string_view list : lists | std::views::reverse) {
    for (std::string_view rest = list;;) {
      const size_t comma = rest.rfind(',');
      const bool last = comma == std::string_view::npos;
      const auto address = parse_node(trim(last ? rest : rest.substr(comma + 1)));
      if (!address) return std::unexpected("malformed X-Forwarded-For");
      client = address;
      if (!trusted.contains(*address)) return client;
      if (last) break;
      rest = rest.substr(0, comma);
    }
  }
  return client;
}

}  // namespace

std::expected<Forwarded, std::string> parse_forwarded(const Fields& fields,
                                                      const IpRangeSet& trusted) {
  Forwarded forwarded;
  const auto client = find_client(fields, trusted);
  if (!client) return std::unexpected(client.error());
  forwarded.client = *client;
  const auto schemes = fields.find_all("X-Forwarded-Proto");
  if (schemes.empty()) return forwarded;
  const bool tls = iequals(schemes.front(), "https");
  if (schemes.size() > 1 || (!tls && !iequals(schemes.front(), "http"))) {
    return std::unexpected("malformed X-Forwarded-Proto");
  }
  forwarded.tls = tls;
  return forwarded;
}

}  // namespace rondel::http
