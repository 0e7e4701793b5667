#include "metadata/memory/memory_key_store.h"

namespace rondel::metadata {
namespace {

std::unexpected<Error> no_key(const std::string& name) {
  return fail(ErrorCode::kNotFound, "there is no key '" + name + "'");
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
    if (state_.kms_keys.contains(name))
      return fail(ErrorCode::kAlreadyExists, "there is a key '" + name + "' already");
    state_.kms_keys[name] = {{name, true, state_.clock.now(), {{1, material}}},
                             ++state_.last_kms_change};
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
    if (version.number != versions.size() + 1)
      return fail(ErrorCode::kPrecondition, "the key '" + name + "' was rotated meanwhile");
    versions.push_back(version);
    found->second.change = ++state_.last_kms_change;
    return {};
  };
  return state_.run<Result<void>>(std::move(work));
}

async::Task<Result<void>> MemoryKeyStore::set_enabled(std::string name, bool enabled, Deadline) {
  return state_.run<Result<void>>([this, name = std::move(name), enabled]() -> Result<void> {
    const auto found = state_.kms_keys.find(name);
    if (found == state_.kms_keys.end()) return no_key(name);
    found->second.key.enabled = enabled;
    found->second.change = ++state_.last_kms_change;
    return {};
  });
}

}  // namespace rondel::metadata
