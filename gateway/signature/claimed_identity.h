// Who a request says it is from, and how it would prove it: for logs alone. Nothing of it is
// verified.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/http/message.h"

namespace rondel::signature {

struct ClaimedIdentity {
  // "none", "v4-header", "v4-query", "v4-form", "v2-header", "v2-query", "v2-form"; "unknown": some
  // other scheme.
  std::string_view authentication = "none";
  std::string access_key_id;  // As it stands there, of any length; empty: none.
};

// `query`: decoded.
ClaimedIdentity claimed_identity(const http::Fields& fields,
                                 const std::vector<std::pair<std::string, std::string>>& query);

// Of a form; names in lower case.
ClaimedIdentity claimed_by_form(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace rondel::signature
