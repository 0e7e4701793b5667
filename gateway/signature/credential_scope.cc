#include "gateway/signature/credential_scope.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/base/encoding.h"
#include "common/sigv4/sigv4.h"

namespace rondel::signature {
namespace {

constexpr size_t kSignedHeadersMax = 200;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes what is behind the last slash off `text`.
std::optional<std::string_view> pop_back(std::string_view& text) {
  const size_t slash = text.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view last = text.substr(slash + 1);
  text = text.substr(0, slash);
  return last;
}

bool is_field_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.!#$%&'*+^`|~:").contains(c);
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), allowed);
}

}  // namespace

std::optional<CredentialText> parse_credential(std::string_view text) {
  CredentialText credential;
  for (std::string_view* part :
       {&credential.terminator, &credential.service, &credential.region, &credential.date}) {
    const std::optional<std::string_view> last = pop_back(text);
    if (!last || last->empty()) return std::nullopt;
    *part = *last;
  }
  if (text.empty()) return std::nullopt;
  credential.access_key = text;
  return credential;
}

std::optional<AuthorizationText> parse_authorization(std::string_view text) {
  AuthorizationText parsed;
  const std::array<std::pair<std::string_view, std::string_view*>, 3> names{
      {{"Credential=", &parsed.credential},
       {"SignedHeaders=", &parsed.signed_headers},
       {"Signature=", &parsed.signature}}};
  while (!text.empty()) {
    const std::string_view raw = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), raw.size() + 1));
    const std::string_view part = trim(raw);
    const auto match = std::find_if(names.begin(), names.end(),
                                    [&](const auto& n) { return part.starts_with(n.first); });
    if (match == names.end() || match->second->data() != nullptr) return std::nullopt;
    *match->second = part.substr(match->first.size());
  }
  for (const auto& [name, value] : names) {
    if (value->empty()) return std::nullopt;
  }
  return parsed;
}

std::optional<std::vector<std::string_view>> parse_signed_headers(std::string_view text) {
  std::vector<std::string_view> names;
  names.reserve(12);
  while (true) {
    const size_t end = text.find(';');
    const std::string_view name = text.substr(0, end);
    const bool again = std::find(names.begin(), names.end(), name) != names.end();
    if (!is_field_name(name) || again || names.size() == kSignedHeadersMax) return std::nullopt;
    names.push_back(name);
    if (end == std::string_view::npos) return names;
    text.remove_prefix(end + 1);
  }
}

std::string spaced_hex(std::string_view value) {
  std::string out;
  out.reserve(value.size() * 3);
  for (const char c : value) {
    if (!out.empty()) out += ' ';
    out += to_hex(as_bytes(std::string_view(&c, 1)));
  }
  return out;
}

std::string format_iso_time(SystemTime time) {
  const std::string compact = sigv4::format_timestamp(time);  // yyyymmddThhmmssZ
  const auto part = [&](size_t from, size_t size) { return compact.substr(from, size); };
  return part(0, 4) + "-" + part(4, 2) + "-" + part(6, 2) + "T" + part(9, 2) + ":" + part(11, 2) +
         ":" + part(13, 2) + "Z";
}

}  // namespace rondel::signature
