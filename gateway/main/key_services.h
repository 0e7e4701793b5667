// The keys of a gateway: its key ring, the key management of SSE-KMS, and what operations ask.
#pragma once

#include <memory>
#include <string>

#include "common/config/config.h"
#include "kms/key_ring.h"
#include "kms/measured_keys.h"
#include "kms/object_keys.h"

namespace rondel::gateway {

// In the order they are made; ended after the loops that use them.
struct KeyServices {
  std::unique_ptr<kms::KeyRing> ring;
  std::unique_ptr<kms::KeyManagement> vault;  // Null: the ring is also SSE-KMS's.
  std::unique_ptr<kms::KeyManagement> measured_ring, measured_vault;
  std::unique_ptr<kms::ObjectKeys> object_keys;
};

// kInvalidArgument: kms.* settings that do not go together.
Result<void> check_key_settings(const config::Settings& settings);
// `store` outlives what is made.
// Whether the Vault of the settings is the one that the cluster's keys are in: what it wrapped at
// first use, kept in the database, must unwrap. kPrecondition, in one line: it does not. A Vault
// that cannot be asked now is a warning: it may come later. Blocking.
Result<void> check_vault(const config::Settings& settings);

Result<KeyServices> make_key_services(const config::Settings& settings, metadata::KeyStore& store,
                                      const std::string& master_key, const Clock& clock,
                                      metrics::Registry& registry);

}  // namespace rondel::gateway
