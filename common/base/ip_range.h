// IP addresses and CIDR ranges, version 4 and 6. Pure functions and values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rondel {

// Version 4 as ::ffff:a.b.c.d, so that both compare alike.
using IpAddress = std::array<uint8_t, 16>;
// One address in its text form; what stands behind a '%' is not looked at.
std::optional<IpAddress> parse_ip(std::string_view text);
// "203.0.113.7", "2001:db8::1": one text for each address, however it came.
std::string to_string(const IpAddress& address);
bool is_ipv4(const IpAddress& address);

struct IpRange {
  IpAddress base{};
  int prefix = 128;  // Bits of the 128.
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

  bool empty() const { return intervals_.empty(); }

  size_t memory_bytes() const { return intervals_.capacity() * sizeof(Interval); }

 private:
  struct Interval {
    IpAddress first{};
    IpAddress last{};
  };

  std::vector<Interval> intervals_;
};

}  // namespace rondel
