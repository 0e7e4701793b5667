// KeyRing: our own key management. Keys are rows shared by all gateways (metadata::KeyStore), their
// material sealed by the master key; a gateway keeps them open in memory and asks for changes every
// second.
//
// A key that another gateway or the command line disabled, enabled or rotated is seen here within
// kPollEvery of the database being reachable. While it is not reachable, keys work on as they are
// known for kUncertainLife, then kUnavailable. A key that was made under another master key is
// refused (kCorruption) and does not disturb the others.
//
// A database that was set back takes keys with it that are open here. They would be gone with this
// process, and whatever they wrapped: such a database is known by the key that changed last, which
// each poll asks for once more, and its keys are read anew.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "common/async/task_group.h"
#include "common/base/mutex.h"
#include "kms/key_management.h"
#include "metadata/store/key_store.h"

namespace rondel::kms {

struct KeyRingOptions {
  crypto::Secret master_key;  // 32 bytes.
  // Keys that make themselves when first used.
  std::vector<std::string> self_made;
  const Clock* clock = &real_clock();
};

class KeyRing final : public KeyManagement {
 public:
  static constexpr Duration kPollEvery = std::chrono::seconds(1);
  static constexpr Duration kUncertainLife = std::chrono::seconds(30);

  KeyRing(metadata::KeyStore& store, KeyRingOptions options);

  // Asks for changes until the group stops.
  async::Task<void> run(async::TaskGroup& group);

  async::Task<Result<DataKey>> generate_data_key(std::string key, std::string context,
                                                 Deadline deadline) override;
  async::Task<Result<crypto::Secret>> unwrap(std::string key, std::string wrapped,
                                             std::string context, Deadline deadline) override;
  async::Task<Result<std::string>> rewrap(std::string key, std::string wrapped, std::string context,
                                          Deadline deadline) override;
  async::Task<Result<void>> check_usable(std::string key, std::string wrapped, std::string context,
                                         Deadline deadline) override;
  async::Task<Result<void>> create(std::string key, Deadline deadline) override;
  async::Task<Result<std::vector<KeyDescription>>> list(Deadline deadline) override;
  async::Task<Result<KeyDescription>> describe(std::string key, Deadline deadline) override;
  async::Task<Result<void>> rotate(std::string key, Deadline deadline) override;
  async::Task<Result<void>> set_enabled(std::string key, bool enabled, Deadline deadline) override;

 private:
  struct Key {
    bool enabled = true;
    SystemTime created_at;
    uint64_t change = 0;  // As in the database, like those of `sealed`.
    std::vector<metadata::KmsKeyVersion> sealed;
    uint32_t newest_version = 0;
    std::vector<crypto::Secret> versions;  // Number 1 first.
    std::optional<Error> unreadable;       // Its versions do not open: why.
  };

  using KeyPointer = std::shared_ptr<const Key>;

  // What the database was when it was asked last.
  struct Seen {
    uint64_t change = 0;
    std::string newest;     // The key that changed last; empty: there was none.
    uint64_t set_back = 0;  // How often it was another one than before.
  };

  async::Task<Result<void>> refresh(Deadline deadline);
  // Known well enough without asking, or asked now.
  async::Task<Result<void>> ensure_known(Deadline deadline);
  async::Task<Result<KeyPointer>> find(std::string name, Deadline deadline);
  async::Task<Result<KeyPointer>> find_enabled(std::string name, Deadline deadline);
  KeyPointer cached(const std::string& name) const;
  bool goes_on(const metadata::KmsKeyChanges& changes, const Seen& since) const;
  Result<KeyPointer> known_or_opened(const metadata::KmsKey& row) const;
  Result<KeyPointer> opened(const metadata::KmsKey& row) const;
  static std::shared_ptr<Key> described(const metadata::KmsKey& row);
  static KeyPointer unreadable(const metadata::KmsKey& row, Error why);
  Result<std::string> sealed_material(const std::string& name, uint32_t version) const;

  metadata::KeyStore& store_;
  const KeyRingOptions options_;
  const std::string master_key_id_;
  mutable Mutex mutex_;
  std::map<std::string, KeyPointer> keys_ GUARDED_BY(mutex_);
  Seen seen_ GUARDED_BY(mutex_);
  std::optional<SteadyTime> known_at_ GUARDED_BY(mutex_);
};

}  // namespace rondel::kms
