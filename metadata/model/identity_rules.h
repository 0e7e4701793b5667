// How accounts and access keys may be called, and how those that nobody chose are made.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "metadata/model/account.h"

namespace rondel::metadata {

// UTF-8 without NUL: what a name must be.
bool can_be_text(std::string_view bytes);
// Whether new_access_key() would take it: what is not, is no key.
bool can_be_access_key(std::string_view text);
// Whether an account can have it as its id, canonical id, name or mail address.
bool can_be_account_name(std::string_view text);

// An account of these names that has an id and, where they are empty, a canonical id and a display
// name. kInvalidArgument: a name of other than 1 to 128 bytes, more than 256 of another, a control
// character, no text.
Result<Account> new_account(std::string name, std::string display_name, std::string email,
                            std::string canonical_id);

// A key of that account; an empty key or secret is made. kInvalidArgument: an access key of other
// than 3 to 128 printable characters, or with space, '/', ',' or '='; a secret of other than 8 to
// 256 characters.
Result<AccessKey> new_access_key(std::string account_id, std::string access_key,
                                 std::string secret);

}  // namespace rondel::metadata
