// KeyStore in memory.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>

#include "metadata/store/key_store.h"

namespace rondel::fakes {

class MemoryKeyStore final : public metadata::KeyStore {
 public:
  async::Task<Result<metadata::KmsKeyChanges>> load(uint64_t change, Deadline) override {
    std::lock_guard lock(mutex_);
    ++loads;
    if (unavailable) co_return fail(ErrorCode::kUnavailable, "no database");
    metadata::KmsKeyChanges changes{change_, {}};
    for (const auto& [name, row] : keys_) {
      if (row.change > change) changes.keys.push_back(row.key);
    }
    co_return changes;
  }

  async::Task<Result<void>> create(std::string name, std::string sealed_material, std::string, Deadline) override {
    std::lock_guard lock(mutex_);
    if (keys_.contains(name)) co_return fail(ErrorCode::kAlreadyExists, "there is such a key");
    keys_[name] = {{name, true, {}, {{1, std::move(sealed_material)}}}, ++change_};
    co_return Result<void>{};
  }

  async::Task<Result<void>> add_version(std::string name, metadata::KmsKeyVersion version, std::string, Deadline) override {
    std::lock_guard lock(mutex_);
    const auto row = keys_.find(name);
    if (row == keys_.end()) co_return fail(ErrorCode::kNotFound, "no such key");
    if (version.number != row->second.key.versions.size() + 1) co_return fail(ErrorCode::kPrecondition, "not the next version");
    row->second.key.versions.push_back(std::move(version));
    row->second.change = ++change_;
    co_return Result<void>{};
  }

  async::Task<Result<void>> set_enabled(std::string name, bool enabled, Deadline) override {
    std::lock_guard lock(mutex_);
    const auto row = keys_.find(name);
    if (row == keys_.end()) co_return fail(ErrorCode::kNotFound, "no such key");
    row->second.key.enabled = enabled;
    row->second.change = ++change_;
    co_return Result<void>{};
  }

  // What lies in the "database".
  std::string everything() const {
    std::lock_guard lock(mutex_);
    std::string out;
    for (const auto& [name, row] : keys_) {
      for (const auto& version : row.key.versions) out += version.sealed_material;
    }
    return out;
  }

  int loads = 0;
  bool unavailable = false;

 private:
  struct Row {
    metadata::KmsKey key;
    uint64_t change = 0;
  };

  mutable std::mutex mutex_;
  std::map<std::string, Row> keys_;
  uint64_t change_ = 0;
};

}  // namespace rondel::fakes
