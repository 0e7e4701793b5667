#include "common/http/proxy_header.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace rondel::http {
namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr uint8_t kLocal = 0x20;  // Version 2 in the upper half.
constexpr uint8_t kProxy = 0x21;
constexpr uint8_t kTcp4 = 0x11;
constexpr uint8_t kTcp6 = 0x21;
constexpr size_t kAddresses4 = 12;  // Source, destination, two ports.
constexpr size_t kAddresses6 = 36;

// Types of what follows the addresses.
constexpr uint8_t kCrc32c = 0x03;
constexpr uint8_t kTls = 0x20;
constexpr uint8_t kTlsVersion = 0x21;
constexpr uint8_t kTlsCipher = 0x23;
constexpr uint8_t kClientTls = 0x01;  // A bit of the first byte of kTls.
constexpr size_t kTlsFixedBytes = 5;

uint8_t byte_at(ByteView bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

size_t short_at(ByteView bytes, size_t at) {
  return size_t{byte_at(bytes, at)} << 8 | byte_at(bytes, at + 1);
}

struct Entry {
  uint8_t type = 0;
  ByteView value;
};

// Takes one entry off the front: type, length of two bytes, value. nullopt: it is cut short.
std::optional<Entry> take_entry(ByteView& rest) {
  if (rest.size() < 3) return std::nullopt;
  const size_t length = short_at(rest, 1);
  if (rest.size() - 3 < length) return std::nullopt;
  const Entry entry{byte_at(rest, 0), rest.subspan(3, length)};
  rest = rest.subspan(3 + length);
  return entry;
}

// Castagnoli's, bit by bit: of at most some hundred bytes, once a connection.
uint32_t crc32c(ByteView bytes, ByteView zeroed) {
  uint32_t crc = ~0u;
  for (const std::byte& byte : bytes) {
    const bool as_zero = &byte >= zeroed.data() && &byte < zeroed.data() + zeroed.size();
    crc ^= as_zero ? 0u : static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0u);
  }
  return ~crc;
}

bool is_checksum(ByteView value, ByteView header) {
  if (value.size() != 4) return false;
  const uint32_t sent = static_cast<uint32_t>(short_at(value, 0) << 16 | short_at(value, 2));
  return sent == crc32c(header, value);
}

// It goes into a log and into conditions of policies.
std::optional<std::string> text_of(ByteView value) {
  constexpr size_t kBytesMax = 64;
  const std::string_view text = as_text(value);
  const auto printable = [](char c) { return c > 0x20 && c < 0x7f; };
  if (text.size() > kBytesMax || !std::ranges::all_of(text, printable)) return std::nullopt;
  return std::string(text);
}

bool take_tls(ByteView value, ProxyHeader& header) {
  if (value.size() < kTlsFixedBytes) return false;
  header.tls = (byte_at(value, 0) & kClientTls) != 0;
  ByteView rest = value.subspan(kTlsFixedBytes);
  while (!rest.empty()) {
    const auto entry = take_entry(rest);
    if (!entry) return false;
    if (entry->type != kTlsVersion && entry->type != kTlsCipher) continue;
    auto text = text_of(entry->value);
    if (!text) return false;
    if (entry->type == kTlsCipher) {
      header.tls_cipher = *std::move(text);
    } else if (text->starts_with("TLSv")) {
      header.tls_version = text->substr(4);
    }
  }
  if (!*header.tls) header.tls_version = header.tls_cipher = {};
  return true;
}

IpAddress address_of(ByteView source) {
  IpAddress address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const auto as_number = [](std::byte b) { return static_cast<uint8_t>(b); };
  std::ranges::transform(source, address.end() - static_cast<ptrdiff_t>(source.size()), as_number);
  return address;
}

}  // namespace

bool may_be_proxy_header(ByteView bytes) {
  const size_t count = std::min(bytes.size(), kSignature.size());
  return as_text(bytes.first(count)) == kSignature.substr(0, count);
}

std::expected<size_t, std::string> proxy_header_rest(ByteView fixed) {
  if (!may_be_proxy_header(fixed)) return std::unexpected("no header of PROXY protocol 2");
  const uint8_t command = byte_at(fixed, 12);
  if (command != kLocal && command != kProxy) {
    return std::unexpected("unknown version or command in the PROXY header");
  }
  const size_t rest = short_at(fixed, 14);
  if (rest > kProxyHeaderRestMax) return std::unexpected("the PROXY header is too long");
  return rest;
}

std::expected<ProxyHeader, std::string> parse_proxy_header(ByteView bytes) {
  if (bytes.size() < kProxyHeaderFixedBytes) {
    return std::unexpected("the PROXY header is too short");
  }
  const auto length = proxy_header_rest(bytes.first(kProxyHeaderFixedBytes));
  if (!length) return std::unexpected(length.error());
  ByteView rest = bytes.subspan(kProxyHeaderFixedBytes);
  if (rest.size() != *length) return std::unexpected("the PROXY header has another length");

  ProxyHeader header;
  // What a LOCAL header says of addresses is not to be looked at.
  if (byte_at(bytes, 12) == kLocal) return header;
  const uint8_t family = byte_at(bytes, 13);
  if (family != kTcp4 && family != kTcp6) {
    return std::unexpected("the PROXY header speaks of neither TCP over IPv4 nor over IPv6");
  }
  const size_t addresses = family == kTcp4 ? kAddresses4 : kAddresses6;
  if (rest.size() < addresses) return std::unexpected("the PROXY header is too short");
  header.client = address_of(rest.first(family == kTcp4 ? 4 : 16));
  rest = rest.subspan(addresses);

  while (!rest.empty()) {
    const auto entry = take_entry(rest);
    if (!entry) return std::unexpected("a field of the PROXY header is cut short");
    if (entry->type == kCrc32c && !is_checksum(entry->value, bytes)) {
      return std::unexpected("the checksum of the PROXY header differs");
    }
    if (entry->type == kTls && !take_tls(entry->value, header)) {
      return std::unexpected("malformed TLS field of the PROXY header");
    }
  }
  return header;
}

}  // namespace rondel::http
