#include "common/base/dates.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/base/numbers.h"

namespace rondel {
namespace {

using namespace std::chrono;

constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                "Thursday", "Friday", "Saturday"};

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// Reads digits at the front; false when there are other than `count`.
bool take_digits(std::string_view& text, size_t count, int& value) {
  if (text.size() < count) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + count, value);
  if (error != std::errc() || end != text.data() + count || text[0] == '-') return false;
  text.remove_prefix(count);
  return true;
}

bool take(std::string_view& text, std::string_view wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(wanted.size());
  return true;
}

struct Moment {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  microseconds fraction{0};
  minutes offset{0};  // To be taken off.

  std::optional<SystemTime> time() const {
    const year_month_day date{std::chrono::year(year),
                              std::chrono::month(static_cast<unsigned>(month)),
                              std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    const SystemTime at(sys_days(date).time_since_epoch() + hours(hour) + minutes(minute) +
                        seconds(second) + fraction - offset);
    if (at < kFirstTime || at > kLastTime) return std::nullopt;
    return at;
  }
};

bool take_clock(std::string_view& text, Moment& moment) {
  return take_digits(text, 2, moment.hour) && take(text, ":") &&
         take_digits(text, 2, moment.minute) && take(text, ":") &&
         take_digits(text, 2, moment.second);
}

bool take_month(std::string_view& text, Moment& moment) {
  const auto known = std::ranges::find(kMonths, text.substr(0, 3));
  if (known == kMonths.end()) return false;
  moment.month = static_cast<int>(known - kMonths.begin()) + 1;
  text.remove_prefix(3);
  return true;
}

// The name of a day, in its first three letters or (`whole`) as it is.
bool take_day_name(std::string_view& text, bool whole) {
  for (const std::string_view day : kDays) {
    if (take(text, whole ? day : day.substr(0, 3))) return true;
  }
  return false;
}

bool take_fraction(std::string_view& text, microseconds& fraction) {
  if (!take(text, ".")) return true;
  int64_t value = 0, scale = 100'000;
  const size_t before = text.size();
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9';
       text.remove_prefix(1), scale /= 10) {
    value += (text.front() - '0') * scale;
  }
  fraction = microseconds(value);
  return text.size() != before;
}

// "", "Z", "+hh:mm", "-hhmm", "+hh": all that is left.
bool take_offset(std::string_view text, minutes& offset) {
  if (text.empty() || text == "Z") return true;
  const int sign = text.front() == '-' ? -1 : 1;
  int hour = 0, minute = 0;
  if (!take(text, "+") && !take(text, "-")) return false;
  if (!take_digits(text, 2, hour)) return false;
  if (!text.empty()) {
    (void)take(text, ":");
    if (!take_digits(text, 2, minute) || !text.empty()) return false;
  }
  offset = minutes(sign * (hour * 60 + minute));
  return true;
}

// Sun, 06 Nov 1994 08:49:37 GMT
std::optional<SystemTime> fixed_date(std::string_view text) {
  Moment moment;
  const bool read =
      take_day_name(text, false) && take(text, ", ") && take_digits(text, 2, moment.day) &&
      take(text, " ") && take_month(text, moment) && take(text, " ") &&
      take_digits(text, 4, moment.year) && take(text, " ") && take_clock(text, moment);
  if (!read || (text != " GMT" && text != " UTC" && text != " +0000")) return std::nullopt;
  return moment.time();
}

// Sunday, 06-Nov-94 08:49:37 GMT
std::optional<SystemTime> older_date(std::string_view text) {
  Moment moment;
  const bool read =
      take_day_name(text, true) && take(text, ", ") && take_digits(text, 2, moment.day) &&
      take(text, "-") && take_month(text, moment) && take(text, "-") &&
      take_digits(text, 2, moment.year) && take(text, " ") && take_clock(text, moment);
  if (!read || text != " GMT") return std::nullopt;
  moment.year += moment.year < 69 ? 2000 : 1900;
  return moment.time();
}

// Sun Nov  6 08:49:37 1994
std::optional<SystemTime> c_date(std::string_view text) {
  Moment moment;
  const bool month =
      take_day_name(text, false) && take(text, " ") && take_month(text, moment) && take(text, " ");
  const bool day = month && (take(text, " ") ? take_digits(text, 1, moment.day)
                                             : take_digits(text, 2, moment.day));
  const bool read = day && take(text, " ") && take_clock(text, moment) && take(text, " ") &&
                    take_digits(text, 4, moment.year);
  if (!read || !text.empty()) return std::nullopt;
  return moment.time();
}

}  // namespace

std::optional<SystemTime> parse_iso_date(std::string_view text) {
  text = trimmed(text);
  Moment moment;
  if (!take_digits(text, 4, moment.year) || !take(text, "-") ||
      !take_digits(text, 2, moment.month)) {
    return std::nullopt;
  }
  moment.day = 1;
  if (take(text, "-") && !take_digits(text, 2, moment.day)) return std::nullopt;
  if (!take(text, "T")) return text.empty() ? moment.time() : std::nullopt;
  if (!take_digits(text, 2, moment.hour) || !take(text, ":") ||
      !take_digits(text, 2, moment.minute)) {
    return std::nullopt;
  }
  if (take(text, ":") &&
      (!take_digits(text, 2, moment.second) || !take_fraction(text, moment.fraction))) {
    return std::nullopt;
  }
  if (!take_offset(text, moment.offset)) return std::nullopt;
  return moment.time();
}

std::optional<SystemTime> parse_http_date(std::string_view text) {
  text = trimmed(text);
  if (const auto time = fixed_date(text)) return time;
  if (const auto time = older_date(text)) return time;
  return c_date(text);
}

std::optional<SystemTime> parse_compact_date(std::string_view text) {
  text = trimmed(text);
  Moment moment;
  const bool read = take_digits(text, 4, moment.year) && take_digits(text, 2, moment.month) &&
                    take_digits(text, 2, moment.day) && take(text, "T") &&
                    take_digits(text, 2, moment.hour) && take_digits(text, 2, moment.minute) &&
                    take_digits(text, 2, moment.second);
  if (!read || (!text.empty() && text != "Z")) return std::nullopt;
  return moment.time();
}

std::optional<SystemTime> parse_any_date(std::string_view text) {
  if (const auto time = parse_iso_date(text)) return time;
  if (const auto time = parse_compact_date(text)) return time;
  return parse_http_date(text);
}

}  // namespace rondel
