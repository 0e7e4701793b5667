#include "common/base/numbers.h"

#include <charconv>

namespace rondel {
namespace {

// As long as the calendar: what is moved by it is outside, wherever it began.
constexpr auto kCalendar = std::chrono::ceil<std::chrono::milliseconds>(kLastTime - kFirstTime);

}  // namespace

std::optional<uint64_t> parse_decimal(std::string_view text) {
  const bool digits = text.find_first_not_of("0123456789") == std::string_view::npos;
  if (text.empty() || !digits) return std::nullopt;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? value : UINT64_MAX;
}

std::optional<int64_t> parse_signed_decimal(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto digits = parse_decimal(text);
  if (!digits) return std::nullopt;
  if (*digits > uint64_t{INT64_MAX}) return negative ? INT64_MIN : INT64_MAX;
  return negative ? -static_cast<int64_t>(*digits) : static_cast<int64_t>(*digits);
}

std::optional<uint16_t> parse_port(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_decimal(text.substr(colon + 1));
  if (!port || *port > UINT16_MAX) return std::nullopt;
  return static_cast<uint16_t>(*port);
}

SystemTime saturating_time(int64_t seconds) {
  constexpr auto kFirst = std::chrono::floor<std::chrono::seconds>(kFirstTime);
  constexpr auto kLast = std::chrono::floor<std::chrono::seconds>(kLastTime);
  return std::clamp(std::chrono::sys_seconds(std::chrono::seconds(seconds)), kFirst, kLast);
}

SystemTime saturating_later(SystemTime time, std::chrono::milliseconds span) {
  const SystemTime from = std::clamp(time, kFirstTime, kLastTime);
  return std::clamp(from + std::clamp(span, -kCalendar, kCalendar), kFirstTime, kLastTime);
}

SystemTime saturating_earlier(SystemTime time, std::chrono::milliseconds span) {
  const SystemTime from = std::clamp(time, kFirstTime, kLastTime);
  return std::clamp(from - std::clamp(span, -kCalendar, kCalendar), kFirstTime, kLastTime);
}

}  // namespace rondel
