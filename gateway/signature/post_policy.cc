#include "gateway/signature/post_policy.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <tuple>

namespace rondel::signature {
namespace {

namespace json = boost::json;

std::unexpected<std::string> invalid(std::string_view what) {
  return std::unexpected("Invalid Policy: " + std::string(what));
}

std::unexpected<std::string> denied(std::string_view what) {
  return std::unexpected("Invalid according to Policy: " + std::string(what));
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

std::optional<int> digits(std::string_view text, size_t from, size_t count) {
  int value = 0;
  if (from + count > text.size()) return std::nullopt;
  const char* begin = text.data() + from;
  if (!std::all_of(begin, begin + count, [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  std::from_chars(begin, begin + count, value);
  return value;
}

// "2007-12-01T12:00:00.000Z", the fraction may be missing.
std::optional<SystemTime> parse_expiration(std::string_view text) {
  const auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2),
             hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' ||
      !text.ends_with('Z')) {
    return std::nullopt;
  }
  std::string_view fraction = text.substr(19, text.size() - 20);
  if (!fraction.empty()) {
    if (fraction.size() < 2 || fraction.size() > 10 || fraction[0] != '.' ||
        !digits(fraction, 1, fraction.size() - 1)) {
      return std::nullopt;
    }
  }
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

std::optional<uint64_t> size_of(const json::value& value) {
  if (value.is_int64()) {
    return value.get_int64() < 0 ? std::nullopt
                                 : std::optional(static_cast<uint64_t>(value.get_int64()));
  }
  if (value.is_uint64()) return value.get_uint64();
  if (!value.is_string()) return std::nullopt;
  const std::string_view text = view(value.get_string());
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

std::string condition_text(std::string_view operation, std::string_view field,
                           std::string_view value) {
  return "[\"" + std::string(operation) + "\", \"" + std::string(field) + "\", \"" +
         std::string(value) + "\"]";
}

std::expected<void, std::string> add_range(PostPolicy& policy, const json::array& array) {
  const auto min = array.size() == 3 ? size_of(array[1]) : std::nullopt;
  const auto max = array.size() == 3 ? size_of(array[2]) : std::nullopt;
  if (!min || !max || *min > *max) {
    return invalid("Invalid content-length-range condition: " + json::serialize(array));
  }
  policy.size_min = std::max(policy.size_min, *min);
  policy.size_max = std::min(policy.size_max, *max);
  return {};
}

std::expected<void, std::string> add_array(PostPolicy& policy, const json::array& array) {
  if (array.empty() || !array[0].is_string()) {
    return invalid("Invalid condition: " + json::serialize(array));
  }
  const std::string operation = lower(view(array[0].get_string()));
  if (operation == "content-length-range") return add_range(policy, array);
  const bool equals = operation == "eq";
  if ((!equals && operation != "starts-with") || array.size() != 3 || !array[1].is_string() ||
      !array[2].is_string()) {
    return invalid("Invalid condition: " + json::serialize(array));
  }
  const std::string_view field = view(array[1].get_string());
  const std::string_view value = view(array[2].get_string());
  if (!field.starts_with('$')) {
    policy.conditions.push_back({PostCondition::Kind::kNever, "", std::string(field),
                                 condition_text(operation, field, value)});
    return {};
  }
  if (field.size() == 1) return invalid("Invalid condition: " + json::serialize(array));
  policy.conditions.push_back(
      {equals ? PostCondition::Kind::kEquals : PostCondition::Kind::kStartsWith,
       lower(field.substr(1)), std::string(value), condition_text(operation, field, value)});
  return {};
}

std::expected<void, std::string> add_object(PostPolicy& policy, const json::object& object) {
  if (object.size() != 1) {
    return invalid(
        "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.");
  }
  for (const auto& [key, value] : object) {
    if (!value.is_string()) return invalid("Invalid Simple-Condition: value must be a string.");
    const std::string_view text = view(value.get_string());
    policy.conditions.push_back({PostCondition::Kind::kEquals, lower(key), std::string(text),
                                 condition_text("eq", "$" + std::string(key), text)});
  }
  return {};
}

// Content-Type may list several types; each of them must begin so.
bool starts_so(const PostCondition& condition, std::string_view value) {
  if (condition.field != "content-type" || !value.contains(',')) {
    return value.starts_with(condition.value);
  }
  while (true) {
    const size_t comma = value.find(',');
    std::string_view item = value.substr(0, comma);
    while (item.starts_with(' ')) item.remove_prefix(1);
    if (!item.starts_with(condition.value)) return false;
    if (comma == std::string_view::npos) return true;
    value.remove_prefix(comma + 1);
  }
}

bool holds(const PostCondition& condition, const std::string* value) {
  if (condition.kind == PostCondition::Kind::kNever) return false;
  const std::string_view text = value == nullptr ? std::string_view() : std::string_view(*value);
  if (condition.kind == PostCondition::Kind::kEquals) {
    return value != nullptr && text == condition.value;
  }
  // "Matching any content": a prefix of nothing also allows a field that is not there.
  return value == nullptr ? condition.value.empty() : starts_so(condition, text);
}

// A checksum can only make the upload fail: it needs no condition.
bool is_free(std::string_view field) {
  static constexpr std::array<std::string_view, 5> kFree{"file", "policy", "signature",
                                                         "awsaccesskeyid", "x-amz-signature"};
  return field.starts_with("x-ignore-") || field.starts_with("x-amz-checksum-") ||
         std::ranges::find(kFree, field) != kFree.end();
}

}  // namespace

std::expected<PostPolicy, std::string> parse_post_policy(std::string_view text) {
  boost::system::error_code error;
  const json::value root = json::parse(text, error);
  if (error || !root.is_object()) return invalid("Invalid JSON.");
  const json::object& object = root.get_object();
  const json::value* expiration = object.if_contains("expiration");
  if (expiration == nullptr) return invalid("Policy missing expiration.");
  const auto time =
      expiration->is_string() ? parse_expiration(view(expiration->get_string())) : std::nullopt;
  if (!time) return invalid("Invalid 'expiration' value: " + json::serialize(*expiration));
  const json::value* conditions = object.if_contains("conditions");
  if (conditions == nullptr) return invalid("Policy missing conditions.");
  if (!conditions->is_array()) return invalid("Invalid 'conditions' value: must be a List.");
  for (const auto& member : object) {
    if (member.key() != "expiration" && member.key() != "conditions") {
      return invalid("Unexpected: '" + std::string(member.key()) + "'");
    }
  }
  PostPolicy policy;
  policy.expiration = *time;
  std::set<std::tuple<PostCondition::Kind, std::string, std::string>> known;
  for (const json::value& condition : conditions->get_array()) {
    std::expected<void, std::string> added =
        invalid("Invalid condition: " + json::serialize(condition));
    if (condition.is_array()) added = add_array(policy, condition.get_array());
    if (condition.is_object()) added = add_object(policy, condition.get_object());
    if (!added) return std::unexpected(added.error());
  }
  // A condition that stands there a hundred times is asked once.
  std::erase_if(policy.conditions, [&](const PostCondition& one) {
    return !known.emplace(one.kind, one.field, one.value).second;
  });
  return policy;
}

std::expected<void, std::string> check_post_policy(const PostPolicy& policy,
                                                   const FormFields& fields,
                                                   std::string_view bucket, SystemTime now) {
  if (policy.expiration <= now) return denied("Policy expired.");
  // The bucket is the one of the address, whatever a field of that name says.
  const std::string own(bucket);
  std::map<std::string_view, const std::string*> values{{"bucket", &own}};
  for (const auto& [name, value] : fields) values.try_emplace(name, &value);
  const auto find = [&](std::string_view name) -> const std::string* {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : found->second;
  };
  for (const PostCondition& condition : policy.conditions) {
    if (!holds(condition, find(condition.field))) {
      return denied("Policy Condition failed: " + condition.text);
    }
  }
  std::set<std::string_view> named;
  for (const PostCondition& condition : policy.conditions) named.insert(condition.field);
  std::string extra;
  const auto count = [&](const std::string& name) {
    if (is_free(name) || named.contains(name)) return;
    extra += (extra.empty() ? "" : ", ") + name;
  };
  count("bucket");
  for (const auto& [name, value] : fields) {
    if (name != "bucket") count(name);
  }
  if (!extra.empty()) return denied("Extra input fields: " + extra);
  return {};
}

}  // namespace rondel::signature
