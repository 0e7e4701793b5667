// Which pairs of neighbouring bytes a text holds, inexactly: a pattern with a pair that is not
// there cannot match. Tells most of hundreds of patterns that begin with a star apart from a text
// without trying them.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string_view>
#include <vector>

namespace rondel::policy {

class BytePairs {
 public:
  // Some of the pairs that a pattern demands.
  using Demand = std::array<uint16_t, 4>;
  // `runs`: literal texts that every match holds.
  static Demand demand_of(const std::vector<std::string_view>& runs);

  explicit BytePairs(std::string_view text);

  // False: certainly not.
  bool may_hold(const Demand& demand) const {
    return held_[demand[0]] && held_[demand[1]] && held_[demand[2]] && held_[demand[3]];
  }

 private:
  static constexpr uint16_t kBits = 1024;
  static constexpr uint16_t kAlways = 0;  // Demanded where there is nothing else to demand.

  static uint16_t bit_of(char first, char second);

  std::bitset<kBits> held_;
};

}  // namespace rondel::policy
