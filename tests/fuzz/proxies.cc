// What proxies say about their clients: the header of the PROXY protocol, and the forwarded fields.
#include "common/http/forwarded.h"
#include "common/http/proxy_header.h"
#include "tests/fuzz/input.h"

using namespace rondel;

namespace {

void take_header(std::string_view bytes) {
  const ByteView view = as_bytes(bytes);
  const bool may_be = http::may_be_proxy_header(view);
  for (size_t count = 0; count < std::min(bytes.size(), size_t{16}); ++count) {
    fuzz::require(!may_be || http::may_be_proxy_header(view.first(count)));
  }
  if (bytes.size() >= http::kProxyHeaderFixedBytes) {
    const auto rest = http::proxy_header_rest(view.first(http::kProxyHeaderFixedBytes));
    fuzz::require(!rest || *rest <= http::kProxyHeaderRestMax);
  }
  const auto header = http::parse_proxy_header(view);
  if (!header) return;
  fuzz::require(may_be && bytes.size() <= http::kProxyHeaderFixedBytes + http::kProxyHeaderRestMax);
  // What goes into logs and conditions is printable and short.
  for (const std::string& text : {header->tls_version, header->tls_cipher}) {
    fuzz::require(text.size() <= 64);
    for (const char c : text) fuzz::require(c > 0x20 && c < 0x7f);
  }
  fuzz::require(header->tls.value_or(false) || header->tls_version.empty());
  if (header->client) fuzz::require(parse_ip(to_string(*header->client)) == header->client);
  // A byte more or less is another header.
  fuzz::require(!http::parse_proxy_header(view.first(view.size() - 1)));
  fuzz::require(!http::parse_proxy_header(as_bytes(std::string(bytes) + 'x')));
}

// Each line of the text is a field. What a client writes to the left of its own address changes
// nothing.
void take_fields(std::string_view text) {
  IpRangeSet trusted;
  trusted.add(*parse_ip_range("10.0.0.0/8"));
  trusted.add(*parse_ip_range("fd00::/8"));
  trusted.seal();
  http::Fields fields, longer;
  longer.add("X-Forwarded-For", "garbage, 198.51.100.1");
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const char* const name = line.starts_with('p') ? "X-Forwarded-Proto" : "X-Forwarded-For";
    const std::string value(line.starts_with('p') ? line.substr(1) : line);
    fields.add(name, value);
    longer.add(name, value);
  }
  const auto forwarded = http::parse_forwarded(fields, trusted);
  if (!forwarded || !forwarded->client) return;
  const std::string client = to_string(*forwarded->client);
  fuzz::require(parse_ip(client) == forwarded->client &&
                is_ipv4(*forwarded->client) == !client.contains(':'));
  if (trusted.contains(*forwarded->client)) return;
  const auto same = http::parse_forwarded(longer, trusted);
  fuzz::require(same && same->client == forwarded->client && same->tls == forwarded->tls);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  if (input.choice() % 2 == 0) {
    take_header(input.rest());
  } else {
    take_fields(input.rest());
  }
  return 0;
}
