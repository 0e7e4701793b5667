#include "identity/access/grant_header.h"

#include <array>

#include "common/http/message.h"

namespace rondel::access {
namespace {

constexpr std::array<std::pair<std::string_view, policy::Permission>, 5> kHeaders{{
    {"x-amz-grant-read", policy::Permission::kRead},
    {"x-amz-grant-write", policy::Permission::kWrite},
    {"x-amz-grant-read-acp", policy::Permission::kReadAcp},
    {"x-amz-grant-write-acp", policy::Permission::kWriteAcp},
    {"x-amz-grant-full-control", policy::Permission::kFullControl},
}};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view unquoted(std::string_view text) {
  const bool quoted = text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
                      text.back() == text.front();
  return quoted ? text.substr(1, text.size() - 2) : text;
}

// The end of the first element: a comma outside quotes.
size_t element_end(std::string_view text) {
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quote != 0) {
      if (text[i] == quote) quote = 0;
    } else if (text[i] == '"' || text[i] == '\'') {
      quote = text[i];
    } else if (text[i] == ',') {
      return i;
    }
  }
  return text.size();
}

}  // namespace

std::optional<policy::Permission> grant_header_permission(std::string_view header) {
  for (const auto& [name, permission] : kHeaders) {
    if (http::iequals(name, header)) return permission;
  }
  return std::nullopt;
}

std::expected<std::vector<NamedGrantee>, std::string> parse_grant_header(
    std::string_view value, policy::Permission permission) {
  std::vector<NamedGrantee> grantees;
  const std::string whole(value);
  while (!value.empty()) {
    const size_t end = element_end(value);
    const std::string_view element = trimmed(value.substr(0, end));
    value.remove_prefix(std::min(value.size(), end + 1));
    if (element.empty()) continue;
    const size_t equals = element.find('=');
    if (equals == std::string_view::npos) return std::unexpected(whole);
    const std::string_view name = trimmed(element.substr(0, equals));
    NamedGrantee grantee{NamedGrantee::By::kId,
                         std::string(unquoted(trimmed(element.substr(equals + 1)))), permission};
    if (http::iequals(name, "emailAddress")) {
      grantee.by = NamedGrantee::By::kEmail;
    } else if (http::iequals(name, "uri")) {
      grantee.by = NamedGrantee::By::kUri;
    } else if (!http::iequals(name, "id")) {
      return std::unexpected(whole);
    }
    if (grantee.value.empty()) return std::unexpected(whole);
    grantees.push_back(std::move(grantee));
  }
  if (grantees.empty()) return std::unexpected(whole);
  return grantees;
}

}  // namespace rondel::access
