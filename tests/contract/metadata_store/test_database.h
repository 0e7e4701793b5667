// The databases that a contract of metadata/store is run on, one of each kind a test program.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "metadata/memory/memory_directory_feed.h"
#include "metadata/memory/memory_metadata.h"
#include "metadata/postgres/directory_feed.h"
#include "tests/contract/metadata_store/test_stores.h"

namespace rondel::metadata {

enum class Implementation { kMemory, kPostgres };

struct GatewayClocks {
  const Clock* clock = &real_clock();
  const Clock* lock_clock = &real_clock();
};

class TestDatabase {
 public:
  virtual ~TestDatabase() = default;
  // As one gateway sees it, the same at each call.
  virtual const Stores& stores() = 0;
  // Another gateway's, with its clocks; it is there as long as it is held.
  virtual std::shared_ptr<const Stores> another(GatewayClocks clocks = {}) = 0;
  // Changes of buckets and identities are told as long as it is held.
  virtual std::shared_ptr<void> follow(DirectoryListener listener) = 0;
};

class MemoryTestDatabase final : public TestDatabase {
 public:
  const Stores& stores() override { return gateway_.stores(); }

  std::shared_ptr<const Stores> another(GatewayClocks clocks) override {
    const auto made = std::make_shared<MemoryMetadata>(
        state_, MemoryOptions{.clock = clocks.clock, .lock_clock = clocks.lock_clock});
    return {made, &made->stores()};
  }

  std::shared_ptr<void> follow(DirectoryListener listener) override {
    return std::make_shared<MemoryDirectoryFeed>(state_, std::move(listener));
  }

 private:
  MemoryState state_;
  MemoryMetadata gateway_{state_};
};

class PostgresTestDatabase final : public TestDatabase {
 public:
  const Stores& stores() override { return test_stores(); }

  std::shared_ptr<const Stores> another(GatewayClocks clocks) override {
    const std::shared_ptr<PostgresMetadata> made =
        PostgresMetadata::make({.dsn = postgres_dsn(),
                                .master_key = test_master_key(),
                                .connections = PostgresMetadata::kConnectionsMin,
                                .clock = clocks.clock,
                                .lock_clock = clocks.lock_clock});
    return {made, &made->stores()};
  }

  std::shared_ptr<void> follow(DirectoryListener listener) override {
    return std::shared_ptr<DirectoryFeed>(
        make_postgres_directory_feed(postgres_dsn(), real_clock(), std::move(listener)));
  }
};

inline TestDatabase& test_database(Implementation implementation) {
  if (implementation == Implementation::kMemory) {
    static MemoryTestDatabase memory;
    return memory;
  }
  static PostgresTestDatabase postgres;
  return postgres;
}

// What a suite over every implementation is instantiated with.
inline auto all_implementations() {
  return ::testing::Values(Implementation::kMemory, Implementation::kPostgres);
}

inline std::string name_of_implementation(const ::testing::TestParamInfo<Implementation>& info) {
  return info.param == Implementation::kMemory ? "memory" : "postgres";
}

}  // namespace rondel::metadata
