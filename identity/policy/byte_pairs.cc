#include "identity/policy/byte_pairs.h"

namespace rondel::policy {

uint16_t BytePairs::bit_of(char first, char second) {
  const unsigned hash = (static_cast<unsigned char>(first) * 0x9e3779b1u) ^
                        (static_cast<unsigned char>(second) * 0x85ebca77u);
  return static_cast<uint16_t>(hash >> 22);
}

BytePairs::Demand BytePairs::demand_of(const std::vector<std::string_view>& runs) {
  Demand demand{};
  size_t taken = 0;
  // The last ones: patterns of one list often begin alike.
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    for (size_t end = run->size(); end >= 2 && taken < demand.size(); --end) {
      demand[taken++] = bit_of((*run)[end - 2], (*run)[end - 1]);
    }
  }
  return demand;
}

BytePairs::BytePairs(std::string_view text) {
  held_.set(kAlways);
  for (size_t i = 1; i < text.size(); ++i) held_.set(bit_of(text[i - 1], text[i]));
}

}  // namespace rondel::policy
