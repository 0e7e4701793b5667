#include "identity/policy/policy_time.h"

#include <charconv>

#include "common/base/numbers.h"

namespace rondel::policy {
namespace {

using namespace std::chrono;

constexpr uint64_t kEpochMax = floor<seconds>(kLastTime).time_since_epoch().count();

// Reads digits at the front; false when there are other than `count`.
bool take_digits(std::string_view& text, size_t count, int& value) {
  if (text.size() < count) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + count, value);
  if (error != std::errc() || end != text.data() + count || text[0] == '-') return false;
  text.remove_prefix(count);
  return true;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<microseconds> take_fraction(std::string_view& text) {
  if (!take(text, '.')) return microseconds(0);
  int64_t value = 0, scale = 100'000;
  const size_t before = text.size();
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1), scale /= 10) value += (text.front() - '0') * scale;
  if (text.size() == before) return std::nullopt;
  return microseconds(value);
}

// "", "Z", "+hh:mm", "-hhmm": what is to be taken off.
std::optional<minutes> take_offset(std::string_view text) {
  if (text.empty() || text == "Z") return minutes(0);
  const int sign = text.front() == '-' ? -1 : 1;
  int hour = 0, minute = 0;
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  if (!take_digits(text, 2, hour)) return std::nullopt;
  if (!text.empty()) {
    take(text, ':');
    if (!take_digits(text, 2, minute) || !text.empty()) return std::nullopt;
  }
  return minutes(sign * (hour * 60 + minute));
}

}  // namespace

std::optional<SystemTime> parse_policy_time(std::string_view text) {
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos) {
    const auto epoch = parse_decimal(text);
    if (!epoch || *epoch > kEpochMax) return std::nullopt;
    return SystemTime(seconds(*epoch));
  }
  return parse_iso_time(text);
}

std::optional<SystemTime> parse_iso_time(std::string_view text) {
  int year_value = 0, month_value = 0, day_value = 0, hour = 0, minute = 0, second = 0;
  if (!take_digits(text, 4, year_value) || !take(text, '-') || !take_digits(text, 2, month_value)) return std::nullopt;
  if (take(text, '-')) {
    if (!take_digits(text, 2, day_value)) return std::nullopt;
  } else {
    day_value = 1;
  }
  const year_month_day date{year(year_value), month(static_cast<unsigned>(month_value)), day(static_cast<unsigned>(day_value))};
  if (!date.ok()) return std::nullopt;
  microseconds fraction(0);
  minutes offset(0);
  if (take(text, 'T')) {
    if (!take_digits(text, 2, hour) || !take(text, ':') || !take_digits(text, 2, minute)) return std::nullopt;
    if (take(text, ':')) {
      if (!take_digits(text, 2, second)) return std::nullopt;
      const auto read = take_fraction(text);
      if (!read) return std::nullopt;
      fraction = *read;
    }
    const auto zone = take_offset(text);
    if (!zone || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    offset = *zone;
  } else if (!text.empty()) {
    return std::nullopt;
  }
  const SystemTime time(sys_days(date).time_since_epoch() + hours(hour) + minutes(minute) + seconds(second) + fraction - offset);
  if (time < kFirstTime || time > kLastTime) return std::nullopt;
  return time;
}

}  // namespace rondel::policy
