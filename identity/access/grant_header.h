// x-amz-grant-read: id="...", emailAddress="...", uri="..." and the grants it asks for. Whom ids
// and addresses mean is looked up by the caller.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "identity/access/acl.h"

namespace rondel::access {

// A grantee as a client names it.
struct NamedGrantee {
  enum class By : uint8_t { kId, kEmail, kUri } by = By::kId;
  std::string value;
  policy::Permission permission = policy::Permission::kRead;
};

// The permission of a header's name; nullopt: no such header.
std::optional<policy::Permission> grant_header_permission(std::string_view header);
// The error is the value that cannot be read.
std::expected<std::vector<NamedGrantee>, std::string> parse_grant_header(
    std::string_view value, policy::Permission permission);

}  // namespace rondel::access
