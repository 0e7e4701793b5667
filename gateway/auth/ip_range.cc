#include "gateway/auth/ip_range.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <string>

#include "common/base/bytes.h"

namespace rondel::auth {
namespace {

constexpr int kMappedBits = 96;
constexpr std::array<uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_v4(const IpAddress& address) { return std::equal(kMapped.begin(), kMapped.end(), address.begin()); }

}  // namespace

std::optional<IpAddress> parse_ip(std::string_view text) {
  IpAddress address{};
  const std::string copy(text.substr(0, text.find('%')));
  if (copy.find(':') != std::string::npos) {
    if (inet_pton(AF_INET6, copy.c_str(), address.data()) != 1) return std::nullopt;
    return address;
  }
  std::ranges::copy(kMapped, address.begin());
  if (inet_pton(AF_INET, copy.c_str(), address.data() + kMapped.size()) != 1) return std::nullopt;
  return address;
}

bool IpRange::contains(const IpAddress& address) const {
  const auto half = [](const IpAddress& of, size_t at) { return load_be<uint64_t>(std::as_bytes(std::span(of)).data() + at); };
  // The leading `bits` of 64; a shift by 64 is undefined.
  const auto mask = [](int bits) { return bits <= 0 ? 0 : bits >= 64 ? ~uint64_t{0} : ~uint64_t{0} << (64 - bits); };
  return ((half(base, 0) ^ half(address, 0)) & mask(prefix)) == 0 && ((half(base, 8) ^ half(address, 8)) & mask(prefix - 64)) == 0;
}

bool IpRange::is_broad() const {
  // No private range is broader than that.
  return is_v4(base) ? prefix < kMappedBits + 8 : prefix < 32;
}

std::optional<IpRange> parse_ip_range(std::string_view text) {
  const size_t slash = text.find('/');
  const auto base = parse_ip(text.substr(0, slash));
  if (!base) return std::nullopt;
  IpRange range{*base, 128};
  if (slash == std::string_view::npos) return range;
  const std::string_view bits = text.substr(slash + 1);
  int prefix = -1;
  const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), prefix);
  const bool v4 = text.find(':') == std::string_view::npos;
  if (error != std::errc() || end != bits.data() + bits.size() || prefix < 0 || prefix > (v4 ? 32 : 128)) return std::nullopt;
  range.prefix = v4 ? prefix + kMappedBits : prefix;
  return range;
}

}  // namespace rondel::auth
