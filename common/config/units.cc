#include <algorithm>
#include <array>

#include "common/base/numbers.h"
#include "common/config/config.h"

namespace rondel::config {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr std::array kSizes = {Unit{"TiB", 1ull << 40},
                               Unit{"GiB", 1ull << 30},
                               Unit{"MiB", 1ull << 20},
                               Unit{"KiB", 1ull << 10},
                               Unit{"B", 1},
                               Unit{"", 1}};
constexpr std::array kTimes = {Unit{"ms", 1}, Unit{"s", 1'000}, Unit{"m", 60'000},
                               Unit{"h", 3'600'000}, Unit{"d", 86'400'000}};

template <size_t N>
bool parse_with_unit(std::string_view text, const std::array<Unit, N>& units, uint64_t& out) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto read = parse_decimal(text.substr(0, digits));
  if (!read) return false;
  const uint64_t number = *read;
  const std::string_view rest = text.substr(digits);
  for (const Unit& unit : units) {
    if (rest != unit.name) continue;
    out = saturating_multiply(number, unit.factor);
    return true;
  }
  return false;
}

}  // namespace

Result<uint64_t> parse_size(std::string_view text) {
  uint64_t value = 0;
  if (!parse_with_unit(text, kSizes, value)) {
    return fail(ErrorCode::kInvalidArgument, "expected a size such as 4096, 64KiB, 8MiB or 2GiB");
  }
  if (value > kSizeMax) return fail(ErrorCode::kInvalidArgument, "expected at most 65536TiB");
  return value;
}

Result<Duration> parse_duration(std::string_view text) {
  uint64_t value = 0;
  if (!parse_with_unit(text, kTimes, value)) {
    return fail(ErrorCode::kInvalidArgument,
                "expected a duration such as 250ms, 10s, 5m, 2h or 7d");
  }
  if (value > static_cast<uint64_t>(kDurationMax.count())) {
    return fail(ErrorCode::kInvalidArgument, "expected at most 10000d");
  }
  return std::chrono::milliseconds(value);
}

std::string format_size(uint64_t bytes) {
  for (const Unit& unit : kSizes) {
    if (unit.factor > 1 && bytes >= unit.factor && bytes % unit.factor == 0) {
      return std::to_string(bytes / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(bytes);
}

}  // namespace rondel::config
