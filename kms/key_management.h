// KeyManagement: named keys that never leave it, and data keys wrapped under them.
//
// Implementations: our own key ring (key_ring.h) and HashiCorp Vault's transit engine (vault.h).
// Safe for concurrent use from several loops. Errors of every call: kNotFound = no such key;
// kPrecondition = the key is disabled; kInvalidArgument = no name a key can have; kCorruption =
// what was given to unwrap was not wrapped by this key under this context; kPermissionDenied = we
// are not allowed (Vault); kUnavailable, kResourceExhausted, kDeadlineExceeded = not now;
// kUnimplemented.
#pragma once

#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/crypto/secret.h"

namespace rondel::kms {

struct DataKey {
  crypto::Secret plaintext;  // 32 bytes.
  std::string wrapped;       // At most 4 KiB; says under which version of the key it is.
};

struct KeyDescription {
  std::string name;
  bool enabled = true;
  bool readable = true;  // False: its material does not open here.
  uint32_t newest_version = 0;
  uint32_t oldest_version = 1;  // That still unwraps.
  SystemTime created_at;
};

class KeyManagement {
 public:
  virtual ~KeyManagement() = default;

  // A fresh data key, wrapped under the newest version. `context` must be given again to unwrap,
  // where the implementation can bind it.
  virtual async::Task<Result<DataKey>> generate_data_key(std::string key, std::string context,
                                                         Deadline deadline) = 0;
  virtual async::Task<Result<crypto::Secret>> unwrap(std::string key, std::string wrapped,
                                                     std::string context, Deadline deadline) = 0;
  // The same data key under the newest version.
  virtual async::Task<Result<std::string>> rewrap(std::string key, std::string wrapped,
                                                  std::string context, Deadline deadline) = 0;
  // Whether unwrapping this would be refused now, as far as that can be said without asking anybody
  // else: for data keys that are kept unwrapped for a while. kCorruption: the key is another one by
  // now, which does not unwrap it.
  virtual async::Task<Result<void>> check_usable(std::string key, std::string wrapped,
                                                 std::string context, Deadline deadline) = 0;

  // Administration. create: kAlreadyExists. rotate: a new version for what is wrapped from now on;
  // older versions unwrap still.
  virtual async::Task<Result<void>> create(std::string key, Deadline deadline) = 0;
  virtual async::Task<Result<std::vector<KeyDescription>>> list(Deadline deadline) = 0;  // By name.
  virtual async::Task<Result<KeyDescription>> describe(std::string key, Deadline deadline) = 0;
  virtual async::Task<Result<void>> rotate(std::string key, Deadline deadline) = 0;
  virtual async::Task<Result<void>> set_enabled(std::string key, bool enabled,
                                                Deadline deadline) = 0;
};

}  // namespace rondel::kms
