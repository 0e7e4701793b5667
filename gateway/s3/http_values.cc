#include "gateway/s3/http_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "common/base/dates.h"

namespace rondel::s3 {
namespace {

constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::tm broken_down(SystemTime time) {
  const std::time_t seconds =
      std::chrono::floor<std::chrono::seconds>(std::clamp(time, kFirstTime, kLastTime))
          .time_since_epoch()
          .count();
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  return tm;
}

}  // namespace

std::string format_http_date(SystemTime time) {
  const std::tm tm = broken_down(time);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     kDays[static_cast<size_t>(tm.tm_wday)], tm.tm_mday,
                     kMonths[static_cast<size_t>(tm.tm_mon)], tm.tm_year + 1900, tm.tm_hour,
                     tm.tm_min, tm.tm_sec);
}

std::string format_iso_date(SystemTime time) {
  const std::tm tm = broken_down(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.000Z", tm.tm_year + 1900, tm.tm_mon + 1,
                     tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

std::optional<SystemTime> parse_date(std::string_view text) { return parse_any_date(text); }

std::optional<ByteRange> parse_range(std::string_view text) {
  constexpr std::string_view kUnit = "bytes=";
  text = trim(text);
  if (!text.starts_with(kUnit)) return std::nullopt;
  text.remove_prefix(kUnit.size());
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos || text.find(',') != std::string_view::npos) {
    return std::nullopt;
  }
  // No blank inside of a range (RFC 9110 section 14.1.2): then it is none.
  const std::string_view first = text.substr(0, dash);
  const std::string_view last = text.substr(dash + 1);
  ByteRange range;
  if (!first.empty() && !(range.first = parse_decimal(first))) return std::nullopt;
  if (!last.empty() && !(range.last = parse_decimal(last))) return std::nullopt;
  if (!range.first && !range.last) return std::nullopt;
  if (range.first && range.last && *range.first > *range.last) return std::nullopt;
  return range;
}

std::vector<std::string> parse_etags(std::string_view text) {
  std::vector<std::string> etags;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    std::string_view one = trim(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one.size() >= 2 && one.front() == '"' && one.back() == '"') {
      one = one.substr(1, one.size() - 2);
    }
    if (!one.empty()) etags.emplace_back(one);
  }
  return etags;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace rondel::s3
