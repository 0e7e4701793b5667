#include "metadata/cache/identity_cache.h"

#include "metadata/model/identity_rules.h"

namespace rondel::metadata {

async::Task<Result<std::shared_ptr<const Credential>>> IdentityCache::find_credential(
    std::string access_key, Deadline deadline) {
  if (!can_be_access_key(access_key)) co_return std::shared_ptr<const Credential>();
  auto known = credentials_.find(access_key);
  if (known.found) co_return known.value;
  CO_TRY(std::optional<Credential> credential,
         co_await store_.find_credential(access_key, deadline));
  std::shared_ptr<const Credential> value;
  if (credential) value = std::make_shared<const Credential>(*std::move(credential));
  credentials_.store(access_key, value, known.generation);
  co_return value;
}

async::Task<Result<std::shared_ptr<const Credential>>> IdentityCache::find_newer_credential(
    std::string access_key, int64_t epoch, Deadline deadline) {
  const auto known = credentials_.find(access_key);
  if (known.found && known.value && known.value->epoch == epoch) credentials_.forget(access_key);
  co_return co_await find_credential(std::move(access_key), deadline);
}

async::Task<Result<std::shared_ptr<const Account>>> IdentityCache::find_account(AccountName name,
                                                                                Deadline deadline) {
  if (!can_be_account_name(name.value)) co_return std::shared_ptr<const Account>();
  const std::string key = static_cast<char>(name.kind) + name.value;
  auto known = accounts_.find(key);
  if (known.found) co_return known.value;
  CO_TRY(std::optional<Account> account, co_await store_.find_account(std::move(name), deadline));
  std::shared_ptr<const Account> value;
  if (account) value = std::make_shared<const Account>(*std::move(account));
  accounts_.store(key, value, known.generation);
  co_return value;
}

void IdentityCache::hear(const DirectoryChange& change) {
  switch (change.kind) {
    case DirectoryChange::Kind::kBucket: return;
    case DirectoryChange::Kind::kAccessKey: return credentials_.forget(change.name);
    case DirectoryChange::Kind::kAccount:
      credentials_.clear();
      accounts_.clear();
      return;
    case DirectoryChange::Kind::kHeard:
    case DirectoryChange::Kind::kNotHeard:
      credentials_.set_heard(change.kind == DirectoryChange::Kind::kHeard);
      accounts_.set_heard(change.kind == DirectoryChange::Kind::kHeard);
      return;
  }
}

}  // namespace rondel::metadata
