// Identities: accounts and keys for commands: an IdentityStore whose answers are waited for, 10 s
// at most, and in which what is not there is an error (kNotFound) with words for people.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "metadata/postgres/postgres_metadata.h"

namespace rondel::cli {

// One thread at a time.
class Identities {
 public:
  Identities(const std::string& dsn, const std::string& master_key)
      : metadata_(metadata::PostgresMetadata::make_for_command(dsn, master_key)) {}

  Result<metadata::Credential> create_account(const metadata::CreateAccount& request);
  // By name, id or canonical id.
  Result<metadata::Account> find_account(const std::string& name);
  Result<std::vector<metadata::Account>> list_accounts();
  Result<void> change_account(const std::string& account_id, const metadata::AccountChange& change);
  Result<metadata::AccessKey> create_key(const std::string& account_id,
                                         const std::string& access_key, const std::string& secret);
  Result<std::vector<metadata::AccessKey>> list_keys(const std::string& account_id);
  Result<void> set_key_enabled(const std::string& access_key, bool enabled, metadata::LastKey last);
  Result<void> delete_key(const std::string& access_key, metadata::LastKey last);

 private:
  metadata::IdentityStore& store() { return metadata_->stores().identities; }

  std::unique_ptr<metadata::PostgresMetadata> metadata_;
};

}  // namespace rondel::cli
