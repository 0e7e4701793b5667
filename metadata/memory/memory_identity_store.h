// IdentityStore in memory. Nothing is at rest here, so secrets are not sealed.
#pragma once

#include "metadata/memory/memory_state.h"
#include "metadata/store/identity_store.h"

namespace rondel::metadata {

class MemoryIdentityStore final : public IdentityStore {
 public:
  explicit MemoryIdentityStore(MemoryState& state) : state_(state) {}

  async::Task<Result<Credential>> create_account(CreateAccount request, Deadline deadline) override;
  async::Task<Result<std::optional<Account>>> find_account(AccountName name,
                                                           Deadline deadline) override;
  async::Task<Result<std::vector<Account>>> list_accounts(Deadline deadline) override;
  async::Task<Result<bool>> change_account(std::string account_id, AccountChange change,
                                           Deadline deadline) override;
  async::Task<Result<AccessKey>> create_key(std::string account_id, std::string access_key,
                                            std::string secret, Deadline deadline) override;
  async::Task<Result<std::vector<AccessKey>>> list_keys(std::string account_id,
                                                        Deadline deadline) override;
  async::Task<Result<bool>> set_key_enabled(std::string access_key, bool enabled, LastKey last,
                                            Deadline deadline) override;
  async::Task<Result<bool>> delete_key(std::string access_key, LastKey last,
                                       Deadline deadline) override;
  async::Task<Result<std::optional<Credential>>> find_credential(std::string access_key,
                                                                 Deadline deadline) override;

 private:
  // Under the state's lock.
  void change_block(Account& account, uint8_t block);
  Result<Credential> create(const CreateAccount& request);
  Result<void> add_key(AccessKey key);
  Result<void> check_last(const AccessKey& key, LastKey last) const;

  MemoryState& state_;
};

}  // namespace rondel::metadata
