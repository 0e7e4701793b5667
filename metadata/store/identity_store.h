// IdentityStore: accounts, their access keys, and what authentication asks of both. The one place
// that is asked who somebody is; gateways ask through IdentityCache (metadata/cache).
//
// Secrets are sealed at rest and opened here: kCorruption = a secret was sealed by another master
// key, or is damaged. Every change is told to who follows changes (directory_change.h). The rest as
// commit_context.h says of every seam, and those errors named below.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "metadata/model/account.h"

namespace rondel::metadata {

struct CreateAccount {
  std::string name;  // 1 to 128 characters; like all of these without control characters.
  std::string display_name = {};  // Empty = name.
  std::string email = {};
  std::string canonical_id = {};  // Empty = made.
  // Empty = made. 3 to 128 printable characters without space, '/', ',' and '='.
  std::string access_key = {};
  std::string secret_key = {};  // Empty = made. 8 to 256 characters.
};

// What is to change; the rest stays.
struct AccountChange {
  std::optional<bool> enabled = std::nullopt;
  // Bits as identity/access/access_settings.h has them.
  std::optional<uint8_t> public_access_block = std::nullopt;
};

// Whether the last enabled key of an account may be taken from it.
enum class LastKey : uint8_t { kStays, kMayGo };

// What SQL answers to a change of a key.
enum class KeyChange : uint8_t { kDone, kNotThere, kLastKey };

inline constexpr const char* kLastKeyMessage =
    "this is the last enabled key of its account, which nobody could use without";

class IdentityStore {
 public:
  virtual ~IdentityStore() = default;

  // With its root key. kInvalidArgument; kAlreadyExists: name, e-mail, canonical id or access key
  // is taken.
  virtual async::Task<Result<Credential>> create_account(CreateAccount request,
                                                         Deadline deadline) = 0;
  // nullopt: no such account. Disabled ones are returned.
  virtual async::Task<Result<std::optional<Account>>> find_account(AccountName name,
                                                                   Deadline deadline) = 0;
  // By name.
  virtual async::Task<Result<std::vector<Account>>> list_accounts(Deadline deadline) = 0;
  // False: no such account.
  virtual async::Task<Result<bool>> change_account(std::string account_id, AccountChange change,
                                                   Deadline deadline) = 0;

  // Empty key or secret = made. kInvalidArgument; kAlreadyExists: the key is taken; kNotFound: no
  // such account.
  virtual async::Task<Result<AccessKey>> create_key(std::string account_id, std::string access_key,
                                                    std::string secret, Deadline deadline) = 0;
  // With secrets, the oldest first.
  virtual async::Task<Result<std::vector<AccessKey>>> list_keys(std::string account_id,
                                                                Deadline deadline) = 0;
  // False: no such key. kPrecondition: it is the last enabled key of its account, and `last` says
  // that this one stays.
  virtual async::Task<Result<bool>> set_key_enabled(std::string access_key, bool enabled,
                                                    LastKey last, Deadline deadline) = 0;
  virtual async::Task<Result<bool>> delete_key(std::string access_key, LastKey last,
                                               Deadline deadline) = 0;
  // nullopt: no such key. Disabled keys, and those of disabled accounts, are returned: the caller
  // refuses them.
  virtual async::Task<Result<std::optional<Credential>>> find_credential(std::string access_key,
                                                                         Deadline deadline) = 0;
};

}  // namespace rondel::metadata
