#include "gateway/signature/claimed_identity.h"

#include <algorithm>

#include "common/sigv4/sigv4.h"
#include "gateway/signature/credential_scope.h"

namespace rondel::signature {
namespace {

using Values = std::vector<std::pair<std::string, std::string>>;

std::string access_key_of(std::string_view credential) {
  const auto parsed = parse_credential(credential);
  return std::string(parsed ? parsed->access_key : credential);
}

ClaimedIdentity of_header(std::string_view authorization) {
  if (authorization.starts_with(sigv4::kAlgorithm)) {
    constexpr std::string_view kCredential = "Credential=";
    const size_t at = authorization.find(kCredential);
    if (at == std::string_view::npos) return {"v4-header", {}};
    const std::string_view rest = authorization.substr(at + kCredential.size());
    return {"v4-header", access_key_of(rest.substr(0, rest.find_first_of(", ")))};
  }
  constexpr std::string_view kV2 = "AWS ";
  if (!authorization.starts_with(kV2)) return {"unknown", {}};
  const std::string_view rest = authorization.substr(kV2.size());
  return {"v2-header", std::string(rest.substr(0, rest.rfind(':')))};
}

const std::string* find(const Values& values, std::string_view name) {
  const auto found = std::ranges::find(values, name, &Values::value_type::first);
  return found == values.end() ? nullptr : &found->second;
}

// By values of these names, wherever they stand.
ClaimedIdentity of_values(const Values& values, std::string_view v4, std::string_view v4_name,
                          std::string_view v2, std::string_view v2_name) {
  if (const std::string* credential = find(values, v4)) {
    return {v4_name, access_key_of(*credential)};
  }
  if (const std::string* key = find(values, v2)) return {v2_name, *key};
  return {};
}

}  // namespace

ClaimedIdentity claimed_identity(const http::Fields& fields, const Values& query) {
  if (const auto authorization = fields.find("Authorization")) return of_header(*authorization);
  return of_values(query, "X-Amz-Credential", "v4-query", "AWSAccessKeyId", "v2-query");
}

ClaimedIdentity claimed_by_form(const Values& fields) {
  return of_values(fields, "x-amz-credential", "v4-form", "awsaccesskeyid", "v2-form");
}

}  // namespace rondel::signature
