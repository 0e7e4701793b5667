#include "gateway/s3/repeated.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

namespace rondel::s3 {
namespace {

constexpr std::string_view kAmz = "x-amz-";

constexpr std::array<std::string_view, 2> kListPrefixes{"x-amz-grant-", "x-amz-meta-"};
constexpr std::array<std::string_view, 7> kLists{"x-amz-object-attributes",
                                                 "x-amz-optional-object-attributes",
                                                 "cache-control",
                                                 "content-encoding",
                                                 "content-language",
                                                 "access-control-request-headers",
                                                 "accept"};
// What HTTP has with one value and something here goes by. (Host, lengths and codings: the parser.)
constexpr std::array<std::string_view, 16> kSingles{"authorization",
                                                    "content-disposition",
                                                    "content-md5",
                                                    "content-type",
                                                    "date",
                                                    "expires",
                                                    "if-match",
                                                    "if-modified-since",
                                                    "if-none-match",
                                                    "if-range",
                                                    "if-unmodified-since",
                                                    "origin",
                                                    "range",
                                                    "referer",
                                                    "user-agent",
                                                    "access-control-request-method"};

bool begins_with(std::string_view name, std::string_view prefix) {
  return http::iequals(name.substr(0, prefix.size()), prefix);
}

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::any_of(names, [&](auto known) { return http::iequals(known, name); });
}

// Whether two names may be the same, by their lengths and ends: no head of ours has a repeated one,
// and few have two that look alike.
bool may_repeat(const http::Fields& fields) {
  std::array<uint64_t, 4> seen{};
  for (const auto& [name, value] : fields) {
    if (name.empty()) return true;
    const auto letter = [](char c) { return static_cast<uint8_t>(c) | 0x20u; };
    const uint32_t mixed = static_cast<uint32_t>(name.size()) * 131 + letter(name.back()) * 31 +
                           letter(name[name.size() / 2]) * 7 + letter(name.front());
    uint64_t& word = seen[(mixed >> 6) % seen.size()];
    const uint64_t bit = uint64_t{1} << (mixed % 64);
    if ((word & bit) != 0) return true;
    word |= bit;
  }
  return false;
}

// The names in `fields` that come more than once, each once.
std::vector<std::string> repeated_names(const http::Fields& fields) {
  if (!may_repeat(fields)) return {};
  std::vector<std::string> names;
  names.reserve(fields.size());
  for (const auto& [name, value] : fields) {
    std::string& lower = names.emplace_back(name);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  std::ranges::sort(names);
  std::vector<std::string> repeated;
  for (size_t i = 1; i < names.size(); ++i) {
    if (names[i] == names[i - 1] && (repeated.empty() || repeated.back() != names[i])) {
      repeated.push_back(names[i]);
    }
  }
  return repeated;
}

std::unexpected<Error> comes_again(std::string_view kind, std::string_view name) {
  return fail(ErrorCode::kInvalidArgument,
              "The " + std::string(kind) + " may be specified once only.",
              {{"ArgumentName", std::string(name)}});
}

}  // namespace

bool is_list_field(std::string_view name) {
  const auto begins = [&](std::string_view prefix) { return begins_with(name, prefix); };
  return std::ranges::any_of(kListPrefixes, begins) || is_one_of(kLists, name);
}

bool is_single_field(std::string_view name) {
  return !is_list_field(name) && (begins_with(name, kAmz) || is_one_of(kSingles, name));
}

S3Result<void> check_repeated(const http::Fields& fields) {
  for (const std::string& name : repeated_names(fields)) {
    if (is_single_field(name)) return comes_again("header", name);
  }
  return {};
}

S3Result<void> check_repeated(const Query& query) {
  if (query.parameters.size() < 2) return {};
  std::vector<std::string_view> names;
  for (const auto& [name, value] : query.parameters) names.push_back(name);
  std::ranges::sort(names);
  const auto again = std::ranges::adjacent_find(names);
  return again == names.end() ? S3Result<void>{} : comes_again("query parameter", *again);
}

std::optional<http::Fields> joined_lists(const http::Fields& fields) {
  std::vector<std::string> again = repeated_names(fields);
  std::erase_if(again, [](const std::string& name) { return !is_list_field(name); });
  if (again.empty()) return std::nullopt;
  http::Fields joined;
  for (const auto& [name, value] : fields) {
    const auto known = std::ranges::find_if(
        again, [&, &name = name](const std::string& one) { return http::iequals(one, name); });
    if (known == again.end()) {
      joined.add(name, value);
    } else if (!joined.has(name)) {
      std::string all;
      for (const std::string_view line : fields.find_all(name)) {
        (all += all.empty() ? "" : ",") += line;
      }
      joined.add(name, std::move(all));
    }
  }
  return joined;
}

}  // namespace rondel::s3
