#include "jobs/lifecycle/rule.h"

#include <algorithm>
#include <charconv>

#include "common/base/encoding.h"
#include "common/base/numbers.h"

namespace rondel::lifecycle {
namespace {

constexpr std::string_view kHeader = "lifecycle 1\n";
constexpr size_t kFixedFields = 12;
constexpr int64_t kFirstSecond =
    std::chrono::floor<std::chrono::seconds>(kFirstTime).time_since_epoch().count();
constexpr int64_t kLastSecond =
    std::chrono::floor<std::chrono::seconds>(kLastTime).time_since_epoch().count();

template <class Number>
std::string number_text(const std::optional<Number>& value) {
  return value ? std::to_string(*value) : "";
}

// Percent encoding leaves no tab, line end or equal sign in a field.
std::string field(std::string_view text) { return percent_encode(text, true); }

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <class Number>
bool read(std::string_view text, std::optional<Number>& out) {
  if (text.empty()) return true;
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  out = value;
  return error == std::errc() && end == text.data() + text.size();
}

bool read_filter(const std::vector<std::string_view>& fields, Filter& filter) {
  std::optional<uint8_t> form;
  if (!read(fields[2], form) || !form || *form > static_cast<uint8_t>(Filter::Form::kAnd)) {
    return false;
  }
  filter.form = static_cast<Filter::Form>(*form);
  if (fields[3].starts_with('=')) {
    filter.prefix = percent_decode(fields[3].substr(1));
    if (!filter.prefix) return false;
  }
  for (size_t i = kFixedFields; i < fields.size(); ++i) {
    const size_t equal = fields[i].find('=');
    if (equal == std::string_view::npos) return false;
    auto key = percent_decode(fields[i].substr(0, equal));
    auto value = percent_decode(fields[i].substr(equal + 1));
    if (!key || !value) return false;
    filter.tags.emplace_back(*std::move(key), *std::move(value));
  }
  return read(fields[4], filter.size_greater_than) && read(fields[5], filter.size_less_than);
}

std::optional<Rule> decode_rule(std::string_view line) {
  const auto fields = split(line, '\t');
  if (fields.size() < kFixedFields) return std::nullopt;
  Rule rule;
  auto id = percent_decode(fields[0]);
  std::optional<int64_t> date;
  if (!id || !read_filter(fields, rule.filter) || !read(fields[6], rule.days) ||
      !read(fields[7], date) || !read(fields[9], rule.noncurrent_days) ||
      !read(fields[10], rule.newer_noncurrent) || !read(fields[11], rule.abort_days)) {
    return std::nullopt;
  }
  rule.id = *std::move(id);
  rule.enabled = fields[1] == "1";
  if (date) {
    if (*date < kFirstSecond || *date > kLastSecond) return std::nullopt;
    rule.date = SystemTime(std::chrono::seconds(*date));
  }
  rule.lone_markers = fields[8] == "1";
  rule.keeps_lone_markers = fields[8] == "2";
  return rule;
}

}  // namespace

bool Filter::matches(std::string_view key, uint64_t size, const Tags& object_tags) const {
  const auto has = [&](const auto& tag) {
    return std::ranges::find(object_tags, tag) != object_tags.end();
  };
  return matches_key(key) && (!size_greater_than || size > *size_greater_than) &&
         (!size_less_than || size < *size_less_than) && std::ranges::all_of(tags, has);
}

std::string encode(const Rule& rule) {
  const auto date =
      rule.date
          ? std::optional(
                std::chrono::floor<std::chrono::seconds>(*rule.date).time_since_epoch().count())
          : std::nullopt;
  std::string out = field(rule.id);
  for (const std::string& text :
       {std::string(rule.enabled ? "1" : "0"), std::to_string(static_cast<int>(rule.filter.form)),
        rule.filter.prefix ? "=" + field(*rule.filter.prefix) : std::string(),
        number_text(rule.filter.size_greater_than), number_text(rule.filter.size_less_than),
        number_text(rule.days), number_text(date),
        std::string(rule.lone_markers         ? "1"
                    : rule.keeps_lone_markers ? "2"
                                              : "0"),
        number_text(rule.noncurrent_days), number_text(rule.newer_noncurrent),
        number_text(rule.abort_days)}) {
    out += "\t" + text;
  }
  for (const auto& [key, value] : rule.filter.tags) out += "\t" + field(key) + "=" + field(value);
  return out;
}

std::string encode(const Configuration& configuration) {
  std::string out(kHeader);
  for (const Rule& rule : configuration.rules) out += encode(rule) + "\n";
  return out;
}

std::optional<Configuration> decode(std::string_view text) {
  if (!text.starts_with(kHeader)) return std::nullopt;
  text.remove_prefix(kHeader.size());
  Configuration configuration;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    auto rule = decode_rule(text.substr(0, end));
    if (!rule) return std::nullopt;
    configuration.rules.push_back(*std::move(rule));
    text.remove_prefix(end + 1);
  }
  return configuration;
}

}  // namespace rondel::lifecycle
