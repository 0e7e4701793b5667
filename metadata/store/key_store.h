// KeyStore: the key ring's rows. Holds sealed material alone and opens none.
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
  uint64_t change = 0;            // To be given with the next question.
  std::vector<KmsKey> keys;       // Whole, those changed since.
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
};

}  // namespace rondel::metadata
