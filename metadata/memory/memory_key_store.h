// KeyStore in memory.
#pragma once

#include "metadata/memory/memory_state.h"
#include "metadata/store/key_store.h"

namespace rondel::metadata {

class MemoryKeyStore final : public KeyStore {
 public:
  explicit MemoryKeyStore(MemoryState& state) : state_(state) {}

  async::Task<Result<KmsKeyChanges>> load(uint64_t change, Deadline deadline) override;
  async::Task<Result<void>> create(std::string name, std::string sealed_material,
                                   std::string master_key_id, Deadline deadline) override;
  async::Task<Result<void>> add_version(std::string name, KmsKeyVersion version,
                                        std::string master_key_id, Deadline deadline) override;
  async::Task<Result<void>> set_enabled(std::string name, bool enabled, Deadline deadline) override;
  async::Task<Result<void>> set_owner(std::string name, std::string account_id,
                                      Deadline deadline) override;
  async::Task<Result<void>> set_grant(std::string name, std::string account_id, uint8_t operations,
                                      Deadline deadline) override;
  async::Task<Result<std::vector<KmsKeyAccess>>> list_access(Deadline deadline) override;

 private:
  MemoryState& state_;
};

}  // namespace rondel::metadata
