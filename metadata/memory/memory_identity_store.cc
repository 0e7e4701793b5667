#include "metadata/memory/memory_identity_store.h"

#include <algorithm>

#include "metadata/model/identity_rules.h"

namespace rondel::metadata {
namespace {

using Kind = DirectoryChange::Kind;

bool is_named(const Account& account, const AccountName& name) {
  const std::string& value = name.value;
  if (value.empty()) return false;
  switch (name.kind) {
    case AccountName::Kind::kId: return account.id == value;
    case AccountName::Kind::kCanonicalId: return account.canonical_id == value;
    case AccountName::Kind::kEmail: return account.email == value;
    case AccountName::Kind::kAny:
      return account.name == value || account.id == value || account.canonical_id == value;
  }
  return false;
}

std::unexpected<Error> taken(std::string_view what, const std::string& value) {
  return fail(ErrorCode::kAlreadyExists, "this " + std::string(what) + " is taken: " + value);
}

}  // namespace

async::Task<Result<Credential>> MemoryIdentityStore::create_account(CreateAccount request,
                                                                    Deadline) {
  return state_.run<Result<Credential>>(
      [this, request = std::move(request)] { return create(request); });
}

async::Task<Result<std::optional<Account>>> MemoryIdentityStore::find_account(AccountName name,
                                                                              Deadline) {
  return state_.run<Result<std::optional<Account>>>(
      [this, name = std::move(name)]() -> std::optional<Account> {
        for (const auto& [id, account] : state_.accounts) {
          if (is_named(account, name)) return account;
        }
        return std::nullopt;
      });
}

async::Task<Result<std::vector<Account>>> MemoryIdentityStore::list_accounts(Deadline) {
  return state_.run<Result<std::vector<Account>>>([this] {
    std::vector<Account> accounts;
    for (const auto& [id, account] : state_.accounts) accounts.push_back(account);
    std::ranges::sort(accounts, {}, &Account::name);
    return accounts;
  });
}

async::Task<Result<bool>> MemoryIdentityStore::change_account(std::string account_id,
                                                              AccountChange change, Deadline) {
  return state_.run<Result<bool>>([this, account_id = std::move(account_id), change] {
    const auto found = state_.accounts.find(account_id);
    if (found == state_.accounts.end()) return false;
    Account& account = found->second;
    if (account.enabled && !change.enabled.value_or(true)) rise(state_.credential_epoch);
    account.enabled = change.enabled.value_or(account.enabled);
    if (change.public_access_block.value_or(account.public_access_block) !=
        account.public_access_block) {
      change_block(account, *change.public_access_block);
    }
    state_.tell(Kind::kAccount, {});
    return true;
  });
}

async::Task<Result<AccessKey>> MemoryIdentityStore::create_key(std::string account_id,
                                                               std::string access_key,
                                                               std::string secret, Deadline) {
  auto made = new_access_key(std::move(account_id), std::move(access_key), std::move(secret));
  return state_.run<Result<AccessKey>>([this, made = std::move(made)]() -> Result<AccessKey> {
    if (!made) return made;
    if (!state_.accounts.contains(made->account_id)) {
      return fail(ErrorCode::kNotFound, "there is no such account");
    }
    TRY_VOID(add_key(*made));
    return made;
  });
}

async::Task<Result<std::vector<AccessKey>>> MemoryIdentityStore::list_keys(std::string account_id,
                                                                           Deadline) {
  return state_.run<Result<std::vector<AccessKey>>>([this, account_id = std::move(account_id)] {
    std::vector<AccessKey> keys;
    for (const auto& [id, key] : state_.access_keys) {
      if (key.account_id == account_id) keys.push_back(key);
    }
    std::ranges::stable_sort(keys, {}, &AccessKey::created_at);
    return keys;
  });
}

async::Task<Result<bool>> MemoryIdentityStore::set_key_enabled(std::string access_key, bool enabled,
                                                               LastKey last, Deadline) {
  auto work = [this, access_key = std::move(access_key), enabled, last]() -> Result<bool> {
    const auto found = state_.access_keys.find(access_key);
    if (found == state_.access_keys.end()) return false;
    if (!enabled) TRY_VOID(check_last(found->second, last));
    if (found->second.enabled && !enabled) rise(state_.credential_epoch);
    found->second.enabled = enabled;
    state_.tell(Kind::kAccessKey, access_key);
    return true;
  };
  return state_.run<Result<bool>>(std::move(work));
}

async::Task<Result<bool>> MemoryIdentityStore::delete_key(std::string access_key, LastKey last,
                                                          Deadline) {
  auto work = [this, access_key = std::move(access_key), last]() -> Result<bool> {
    const auto found = state_.access_keys.find(access_key);
    if (found == state_.access_keys.end()) return false;
    TRY_VOID(check_last(found->second, last));
    rise(state_.credential_epoch);
    state_.access_keys.erase(found);
    state_.tell(Kind::kAccessKey, access_key);
    return true;
  };
  return state_.run<Result<bool>>(std::move(work));
}

async::Task<Result<std::optional<Credential>>> MemoryIdentityStore::find_credential(
    std::string access_key, Deadline) {
  return state_.run<Result<std::optional<Credential>>>(
      [this, access_key = std::move(access_key)]() -> std::optional<Credential> {
        const auto found = state_.access_keys.find(access_key);
        if (found == state_.access_keys.end()) return std::nullopt;
        return Credential{found->second, state_.accounts.at(found->second.account_id),
                          state_.credential_epoch, state_.kms_rights(found->second.account_id)};
      });
}

Result<void> MemoryIdentityStore::check_last(const AccessKey& key, LastKey last) const {
  if (!key.enabled || last == LastKey::kMayGo) return {};
  for (const auto& [id, other] : state_.access_keys) {
    if (other.account_id == key.account_id && other.enabled && id != key.access_key) return {};
  }
  return fail(ErrorCode::kPrecondition, kLastKeyMessage);
}

// It is a setting of each of the account's buckets.
void MemoryIdentityStore::change_block(Account& account, uint8_t block) {
  account.public_access_block = block;
  rise(state_.credential_epoch);
  for (auto& [id, stored] : state_.buckets) {
    if (stored.bucket.owner_account == account.id) rise(stored.bucket.settings_version);
  }
}

Result<Credential> MemoryIdentityStore::create(const CreateAccount& request) {
  Credential made;
  TRY(made.account,
      new_account(request.name, request.display_name, request.email, request.canonical_id));
  TRY(made.key, new_access_key(made.account.id, request.access_key, request.secret_key));
  made.key.is_root = true;
  made.account.created_at = state_.clock.now();

  const Account& account = made.account;
  for (const auto& [id, other] : state_.accounts) {
    if (other.canonical_id == account.canonical_id) {
      return taken("canonical id", account.canonical_id);
    }
    if (other.name == account.name) return taken("name", account.name);
    if (!account.email.empty() && other.email == account.email) {
      return taken("e-mail address", account.email);
    }
  }
  TRY_VOID(add_key(made.key));
  state_.accounts[account.id] = account;
  state_.tell(Kind::kAccount, {});
  return made;
}

Result<void> MemoryIdentityStore::add_key(AccessKey key) {
  if (state_.access_keys.contains(key.access_key)) return taken("access key", key.access_key);
  key.created_at = state_.clock.now();
  const std::string id = key.access_key;
  state_.access_keys[id] = std::move(key);
  state_.tell(Kind::kAccessKey, id);
  return {};
}

}  // namespace rondel::metadata
