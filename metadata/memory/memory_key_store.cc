#include "metadata/memory/memory_key_store.h"

namespace rondel::metadata {
namespace {

std::unexpected<Error> no_key(const std::string& name) {
  return fail(ErrorCode::kNotFound, "there is no key '" + name + "'");
}

Result<void> check_names(const MemoryState& state, const std::string& name,
                         const std::string& account_id) {
  if (!is_kms_key_name(name)) {
    return fail(ErrorCode::kInvalidArgument, "a key's name has 1 to 256 of a-z A-Z 0-9 _ - . / :");
  }
  if (state.accounts.contains(account_id)) return {};
  return fail(ErrorCode::kNotFound, "there is no such account");
}

}  // namespace

async::Task<Result<KmsKeyChanges>> MemoryKeyStore::load(uint64_t change, Deadline) {
  return state_.run<Result<KmsKeyChanges>>([this, change] {
    KmsKeyChanges changes{state_.last_kms_change, {}};
    for (const auto& [name, stored] : state_.kms_keys) {
      if (stored.change <= change) continue;
      changes.keys.push_back(stored.key);
      changes.keys.back().change = stored.change;
    }
    return changes;
  });
}

async::Task<Result<void>> MemoryKeyStore::create(std::string name, std::string sealed_material,
                                                 std::string, Deadline) {
  auto work = [this, name = std::move(name),
               material = std::move(sealed_material)]() -> Result<void> {
    if (state_.kms_keys.contains(name)) {
      return fail(ErrorCode::kAlreadyExists, "there is a key '" + name + "' already");
    }
    state_.kms_keys[name] = {{name, true, state_.clock.now(), {{1, material}}},
                             (state_.last_kms_change += random_step())};
    return {};
  };
  return state_.run<Result<void>>(std::move(work));
}

async::Task<Result<void>> MemoryKeyStore::add_version(std::string name, KmsKeyVersion version,
                                                      std::string, Deadline) {
  auto work = [this, name = std::move(name), version = std::move(version)]() -> Result<void> {
    const auto found = state_.kms_keys.find(name);
    if (found == state_.kms_keys.end()) return no_key(name);
    std::vector<KmsKeyVersion>& versions = found->second.key.versions;
    if (version.number != versions.size() + 1) {
      return fail(ErrorCode::kPrecondition, "the key '" + name + "' was rotated meanwhile");
    }
    versions.push_back(version);
    found->second.change = (state_.last_kms_change += random_step());
    return {};
  };
  return state_.run<Result<void>>(std::move(work));
}

async::Task<Result<void>> MemoryKeyStore::set_enabled(std::string name, bool enabled, Deadline) {
  return state_.run<Result<void>>([this, name = std::move(name), enabled]() -> Result<void> {
    const auto found = state_.kms_keys.find(name);
    if (found == state_.kms_keys.end()) return no_key(name);
    found->second.key.enabled = enabled;
    found->second.change = (state_.last_kms_change += random_step());
    return {};
  });
}

async::Task<Result<void>> MemoryKeyStore::set_owner(std::string name, std::string account_id,
                                                    Deadline) {
  return state_.run<Result<void>>([this, name = std::move(name), account_id]() -> Result<void> {
    TRY_VOID(check_names(state_, name, account_id));
    KmsKeyAccess& access = state_.kms_access[name];
    rise(state_.credential_epoch);  // The first account's until now, when it was nobody's.
    access = {name, account_id, {}};
    state_.tell(DirectoryChange::Kind::kAccount, {});
    return {};
  });
}

async::Task<Result<void>> MemoryKeyStore::set_grant(std::string name, std::string account_id,
                                                    uint8_t operations, Deadline) {
  auto work = [this, name = std::move(name), account_id, operations]() -> Result<void> {
    TRY_VOID(check_names(state_, name, account_id));
    KmsKeyAccess& access = state_.kms_access[name];
    if (access.owner_account.empty()) {
      access = {name, state_.first_account(), {}};
      rise(state_.credential_epoch);
    }
    if (access.grants.contains(account_id)) rise(state_.credential_epoch);
    if (operations == 0) {
      access.grants.erase(account_id);
    } else {
      access.grants[account_id] = operations;
    }
    state_.tell(DirectoryChange::Kind::kAccount, {});
    return {};
  };
  return state_.run<Result<void>>(std::move(work));
}

async::Task<Result<std::vector<KmsKeyAccess>>> MemoryKeyStore::list_access(Deadline) {
  return state_.run<Result<std::vector<KmsKeyAccess>>>([this] {
    std::vector<KmsKeyAccess> all;
    for (const auto& [name, access] : state_.kms_access) all.push_back(access);
    return all;
  });
}

}  // namespace rondel::metadata
