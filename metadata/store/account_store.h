// AccountStore: administration of accounts and keys, for the command line and the admin API. Blocking, on libpqxx; opens
// its own connection per object. One thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "metadata/model/account.h"

namespace rondel::metadata {

struct CreateAccount {
  std::string name;
  std::string display_name;       // Empty = name.
  std::string email;
  std::string canonical_id;       // Empty = made.
  std::string access_key;         // Empty = made.
  std::string secret_key;         // Empty = made.
};

class AccountStore {
 public:
  // `master_key`: 32 bytes that seal secrets; `dsn`: libpq connection string.
  static Result<std::unique_ptr<AccountStore>> open(const std::string& dsn, const std::string& master_key);
  virtual ~AccountStore() = default;
  // kAlreadyExists: name, e-mail, canonical id or access key is taken.
  virtual Result<Credential> create_account(const CreateAccount& request) = 0;
  virtual Result<std::vector<Account>> list_accounts() = 0;
  virtual Result<Account> find_account(const std::string& name_or_id) = 0;           // kNotFound
  virtual Result<std::vector<AccessKey>> list_keys(const std::string& account_id) = 0;  // With secrets.
  // Bits as gateway/auth/access_settings.h has them.
  virtual Result<void> set_public_access_block(const std::string& account_id, uint8_t bits) = 0;
  virtual Result<void> set_account_enabled(const std::string& account_id, bool enabled) = 0;
  virtual Result<AccessKey> create_key(const std::string& account_id, std::string access_key, std::string secret) = 0;
  virtual Result<void> set_key_enabled(const std::string& access_key, bool enabled) = 0;
  virtual Result<void> delete_key(const std::string& access_key) = 0;
};

}  // namespace rondel::metadata
