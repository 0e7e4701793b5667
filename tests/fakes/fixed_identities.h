// FixedIdentities: the keys and accounts that a test put in; every change is refused. Not safe for
// changes while it is used.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "metadata/store/identity_store.h"

namespace rondel::fakes {

class FixedIdentities final : public metadata::IdentityStore {
 public:
  template <class T>
  using Answer = async::Task<Result<T>>;

  void add(metadata::Credential credential) {
    const std::string key = credential.key.access_key;
    credentials_[key] = std::move(credential);
  }

  // Every look-up fails with it.
  void break_with(std::optional<Error> error) {
    broken_ = std::move(error);
    failed_ = 0;
  }

  int lookups() const { return lookups_; }  // Of credentials.

  int failed() const { return failed_; }  // Look-ups, since it was last broken.

  std::map<std::string, metadata::Account> accounts;  // By id.

  Answer<std::optional<metadata::Credential>> find_credential(std::string access_key,
                                                              Deadline) override {
    ++lookups_;
    CO_TRY_VOID(check());
    const auto found = credentials_.find(access_key);
    co_return found == credentials_.end() ? std::nullopt : std::optional(found->second);
  }

  Answer<std::optional<metadata::Account>> find_account(metadata::AccountName name,
                                                        Deadline) override {
    CO_TRY_VOID(check());
    for (const auto& [id, account] : accounts) {
      if (goes_by(account, name)) co_return account;
    }
    co_return std::optional<metadata::Account>();
  }

  Answer<std::vector<metadata::Account>> list_accounts(Deadline) override {
    std::vector<metadata::Account> all;
    for (const auto& [id, account] : accounts) all.push_back(account);
    co_return all;
  }

  Answer<std::vector<metadata::AccessKey>> list_keys(std::string account_id, Deadline) override {
    std::vector<metadata::AccessKey> keys;
    for (const auto& [name, credential] : credentials_) {
      if (credential.account.id == account_id) keys.push_back(credential.key);
    }
    co_return keys;
  }

  Answer<metadata::Credential> create_account(metadata::CreateAccount, Deadline) override {
    return refuse<metadata::Credential>();
  }

  Answer<bool> change_account(std::string, metadata::AccountChange, Deadline) override {
    return refuse<bool>();
  }

  Answer<metadata::AccessKey> create_key(std::string, std::string, std::string, Deadline) override {
    return refuse<metadata::AccessKey>();
  }

  Answer<bool> set_key_enabled(std::string, bool, metadata::LastKey, Deadline) override {
    return refuse<bool>();
  }

  Answer<bool> delete_key(std::string, metadata::LastKey, Deadline) override {
    return refuse<bool>();
  }

 private:
  static bool goes_by(const metadata::Account& account, const metadata::AccountName& name) {
    using Kind = metadata::AccountName::Kind;
    switch (name.kind) {
      case Kind::kId: return account.id == name.value;
      case Kind::kCanonicalId: return account.canonical_id == name.value;
      case Kind::kEmail: return account.email == name.value;
      case Kind::kAny:
        return account.name == name.value || account.id == name.value ||
               account.canonical_id == name.value;
    }
    return false;
  }

  Result<void> check() {
    if (!broken_) return {};
    ++failed_;
    return std::unexpected(*broken_);
  }

  template <class T>
  Answer<T> refuse() {
    co_return fail(ErrorCode::kUnavailable, "no changes");
  }

  std::map<std::string, metadata::Credential> credentials_;
  std::optional<Error> broken_;
  int lookups_ = 0;
  int failed_ = 0;
};

}  // namespace rondel::fakes
