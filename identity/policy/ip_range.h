// IP addresses and CIDR ranges, version 4 and 6.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace rondel::policy {

// Version 4 as ::ffff:a.b.c.d, so that both compare alike.
using IpAddress = std::array<uint8_t, 16>;
std::optional<IpAddress> parse_ip(std::string_view text);

struct IpRange {
  IpAddress base{};
  int prefix = 128;    // Bits of the 128.

  // Broader than /8 of version 4 or /32 of version 6, private ranges apart: AWS takes such a range for everybody.
  bool is_broad() const;
};
// "203.0.113.0/24", "2001:db8::/32", or one address.
std::optional<IpRange> parse_ip_range(std::string_view text);

// Ranges of which one may contain an address: joined and sorted, so that hundreds cost a search.
class IpRangeSet {
 public:
  void add(const IpRange& range);
  // Before the first search.
  void seal();
  bool contains(const IpAddress& address) const;

 private:
  struct Interval {
    IpAddress first{};
    IpAddress last{};
  };
  std::vector<Interval> intervals_;
};

}  // namespace rondel::policy
