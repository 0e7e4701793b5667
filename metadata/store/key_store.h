// KeyStore: the key ring's rows, and whose named keys are, be they the ring's or another key
// management's. Holds sealed material alone and opens none.
//
// Rights are read with a credential (Credential::kms); what takes one away raises the epoch of
// credentials.
//
// Errors as commit_context.h says of every seam, and those named below; nothing has changed then.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "metadata/model/kms_key.h"

namespace rondel::metadata {

struct KmsKeyChanges {
  uint64_t change = 0;       // To be given with the next question.
  std::vector<KmsKey> keys;  // Whole, those changed since.
};

class KeyStore {
 public:
  virtual ~KeyStore() = default;

  // Keys that changed after `change`; 0 = all.
  virtual async::Task<Result<KmsKeyChanges>> load(uint64_t change, Deadline deadline) = 0;
  // With one version. kAlreadyExists.
  virtual async::Task<Result<void>> create(std::string name, std::string sealed_material,
                                           std::string master_key_id, Deadline deadline) = 0;
  // kNotFound; kPrecondition: `number` is not the next one.
  virtual async::Task<Result<void>> add_version(std::string name, KmsKeyVersion version,
                                                std::string master_key_id, Deadline deadline) = 0;
  // kNotFound.
  virtual async::Task<Result<void>> set_enabled(std::string name, bool enabled,
                                                Deadline deadline) = 0;

  // The key is that account's from now on, and nobody has a grant on it. kNotFound: no such
  // account. kInvalidArgument: no name that a key can have.
  virtual async::Task<Result<void>> set_owner(std::string name, std::string account_id,
                                              Deadline deadline) = 0;
  // Bits of KmsOperation that the account may do with the key of another; 0 = none any more. A key
  // without owner becomes the first account's. Errors as set_owner.
  virtual async::Task<Result<void>> set_grant(std::string name, std::string account_id,
                                              uint8_t operations, Deadline deadline) = 0;
  // Of the keys that have an owner, by name.
  virtual async::Task<Result<std::vector<KmsKeyAccess>>> list_access(Deadline deadline) = 0;
};

}  // namespace rondel::metadata
