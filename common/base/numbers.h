// Numbers and times that strangers write. Nothing here wraps, throws or is undefined, whatever
// comes in: sums and products end at the bounds of their type, times at the bounds of the calendar.
// Pure functions, safe for concurrent use.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/clock.h"

namespace rondel {

// The years 1 to 9999: what every date format that we read or write can say, and what PostgreSQL
// holds.
inline constexpr SystemTime kFirstTime = std::chrono::sys_days(std::chrono::year(1) / 1 / 1);
inline constexpr SystemTime kLastTime = std::chrono::sys_days(std::chrono::year(9999) / 12 / 31) +
                                        std::chrono::days(1) - std::chrono::microseconds(1);

// Decimal digits alone, any number of them, leading zeros too: no sign, blank, point, exponent or
// prefix. What is greater than UINT64_MAX is UINT64_MAX, so that a bound on the result also refuses
// it. nullopt: anything else, the empty text too.
std::optional<uint64_t> parse_decimal(std::string_view text);

// The same with one minus or plus before the digits, ending at INT64_MIN and INT64_MAX.
std::optional<int64_t> parse_signed_decimal(std::string_view text);

// The port behind the last colon of "host:port"; nullopt: none, or not 0 to 65535.
std::optional<uint16_t> parse_port(std::string_view text);

// Of two that differ in sign the sum always fits, so the sign of either says which bound was
// passed.
template <std::integral T>
constexpr T saturating_add(T a, T b) {
  T sum{};
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return std::cmp_less(b, 0) ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
}

template <std::integral T>
constexpr T saturating_multiply(T a, T b) {
  T product{};
  if (!__builtin_mul_overflow(a, b, &product)) return product;
  const bool positive = std::cmp_less(a, 0) == std::cmp_less(b, 0);
  return positive ? std::numeric_limits<T>::max() : std::numeric_limits<T>::min();
}

// `count` units; as long as the type can say when that is longer. Neither may be negative.
template <class Rep, class Period>
constexpr auto saturating_times(std::chrono::duration<Rep, Period> unit, uint64_t count) {
  constexpr uint64_t kMax = std::numeric_limits<Rep>::max();
  const Rep times = static_cast<Rep>(std::min(count, kMax));
  return std::chrono::duration<Rep, Period>(saturating_multiply<Rep>(unit.count(), times));
}

// Seconds since 1970 as a time, within kFirstTime and kLastTime.
SystemTime saturating_time(int64_t seconds);

// `time` moved by `span`, and kFirstTime or kLastTime when it would be outside of them.
SystemTime saturating_later(SystemTime time, std::chrono::milliseconds span);
SystemTime saturating_earlier(SystemTime time, std::chrono::milliseconds span);

}  // namespace rondel
