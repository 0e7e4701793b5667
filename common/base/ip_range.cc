#include "common/base/ip_range.h"

#include <arpa/inet.h>

#include <algorithm>
#include <string>

#include "common/base/numbers.h"

namespace rondel {
namespace {

constexpr int kMappedBits = 96;
constexpr std::array<uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

bool is_ipv4(const IpAddress& address) {
  return std::equal(kMapped.begin(), kMapped.end(), address.begin());
}

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

std::string to_string(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN];
  const bool v4 = is_ipv4(address);
  const uint8_t* bytes = address.data() + (v4 ? kMapped.size() : 0);
  return inet_ntop(v4 ? AF_INET : AF_INET6, bytes, text, sizeof text);
}

std::optional<IpRange> parse_ip_range(std::string_view text) {
  const size_t slash = text.find('/');
  const auto base = parse_ip(text.substr(0, slash));
  if (!base) return std::nullopt;
  IpRange range{*base, 128};
  if (slash == std::string_view::npos) return range;
  const std::string_view bits = text.substr(slash + 1);
  const auto prefix = parse_decimal(bits);
  const bool v4 = text.find(':') == std::string_view::npos;
  if (!prefix || *prefix > (v4 ? 32 : 128)) return std::nullopt;
  range.prefix = static_cast<int>(*prefix) + (v4 ? kMappedBits : 0);
  return range;
}

void IpRangeSet::add(const IpRange& range) {
  Interval interval{range.base, range.base};
  for (int byte = 0; byte < 16; ++byte) {
    const int fixed = std::clamp(range.prefix - 8 * byte, 0, 8);  // Bits of this byte.
    const auto free = static_cast<uint8_t>(0xff >> fixed);
    interval.first[static_cast<size_t>(byte)] &= static_cast<uint8_t>(~free);
    interval.last[static_cast<size_t>(byte)] |= free;
  }
  intervals_.push_back(interval);
}

void IpRangeSet::seal() {
  std::ranges::sort(intervals_, {}, &Interval::first);
  std::vector<Interval> joined;
  for (const Interval& interval : intervals_) {
    if (joined.empty() || interval.first > joined.back().last) {
      joined.push_back(interval);
    } else {
      joined.back().last = std::max(joined.back().last, interval.last);
    }
  }
  intervals_ = std::move(joined);
}

bool IpRangeSet::contains(const IpAddress& address) const {
  const auto above = std::ranges::upper_bound(intervals_, address, {}, &Interval::first);
  return above != intervals_.begin() && address <= std::prev(above)->last;
}

}  // namespace rondel
