#include "gateway/s3/presigned_headers.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/encoding.h"
#include "common/http/head_writer.h"
#include "gateway/s3/repeated.h"

namespace rondel::s3 {
namespace {

constexpr std::string_view kPrefix = "x-amz-";
// Of the signature, and of how the body is sent or who sends it.
constexpr std::array<std::string_view, 11> kNoHeaders{
    "x-amz-algorithm",      "x-amz-credential",     "x-amz-date",
    "x-amz-expires",        "x-amz-signedheaders",  "x-amz-signature",
    "x-amz-security-token", "x-amz-content-sha256", "x-amz-decoded-content-length",
    "x-amz-trailer",        "x-amz-user-agent"};
constexpr std::array<std::string_view, 2> kChecksums{"x-amz-checksum-",
                                                     "x-amz-sdk-checksum-algorithm"};
constexpr std::array<std::string_view, 2> kEncryption{"x-amz-server-side-encryption",
                                                      "x-amz-copy-source-server-side-encryption"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

bool begins_with_one_of(std::string_view name, std::span<const std::string_view> prefixes) {
  return std::ranges::any_of(prefixes,
                             [&](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace

S3Result<std::optional<http::Fields>> with_presigned_headers(const http::Fields& fields,
                                                             const Query& query) {
  if (!query.has("X-Amz-Signature")) return std::nullopt;
  std::optional<http::Fields> merged;
  for (const auto& [parameter, value] : query.parameters) {
    const std::string name = lower(parameter);
    if (!name.starts_with(kPrefix) || std::ranges::find(kNoHeaders, name) != kNoHeaders.end()) {
      continue;
    }
    if (begins_with_one_of(name, kChecksums)) continue;
    if (begins_with_one_of(name, kEncryption)) {
      return fail(ErrorCode::kNotImplemented, {}, {{"Header", name}});
    }
    if (!http::is_field_name(name) || has_control_character(value)) {
      return fail(ErrorCode::kInvalidArgument,
                  "A query parameter that stands for a header contains a character that no header "
                  "can carry.",
                  {{"ArgumentName", name}});
    }
    if (!merged) merged = fields;
    merged->add(name, value);
  }
  if (!merged) return std::nullopt;
  // Of a header and a parameter that say different things neither counts: lists are not joined over
  // both.
  std::vector<std::string> names;
  for (const auto& [name, value] : *merged) {
    if (is_list_field(name) || is_single_field(name)) names.push_back(lower(name));
  }
  std::ranges::sort(names);
  if (const auto again = std::ranges::adjacent_find(names); again != names.end()) {
    return fail(ErrorCode::kInvalidArgument, "The header may be specified once only.",
                {{"ArgumentName", *again}});
  }
  return merged;
}

}  // namespace rondel::s3
