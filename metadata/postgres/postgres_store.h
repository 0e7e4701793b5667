// MetadataStore over PostgreSQL 15: the functions of migrations/ decide every commit, one statement a request, waiting requests
// of a kind in one statement. Why libpq and batches: docs/adr/0003-metadata-hot-path.md.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "metadata/store/metadata_store.h"

namespace rondel::metadata {

struct PostgresStoreOptions {
  std::string dsn;
  std::string master_key;         // 32 bytes: opens access keys' secrets.
  size_t connections = 4;
  size_t batch_max = 64;
  size_t queue_max = 4096;        // Per lane.
  uint16_t site = 1;
  const Clock* clock = &real_clock();        // What versions and uploads are stamped by, if it is later than the database's.
  const Clock* lock_clock = &real_clock();   // What object locks end by, if it is earlier than the database's.
  // Called on a database thread with the size of every batch; "put", "delete", "find", "single".
  std::function<void(std::string_view lane, size_t size)> on_batch;
};

struct PostgresStoreStatus {
  size_t connections = 0;
  size_t busy = 0;
  size_t queued = 0;
  uint64_t connections_lost = 0;
  bool connected = false;
};

class PostgresMetadataStore : public MetadataStore {
 public:
  // Connects lazily: an unreachable server makes calls fail, not this.
  static std::unique_ptr<PostgresMetadataStore> make(PostgresStoreOptions options);
  virtual PostgresStoreStatus status() const = 0;
};

}  // namespace rondel::metadata
