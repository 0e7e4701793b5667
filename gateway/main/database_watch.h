// DatabaseWatch: asks the database now and then whether it answers, whether our master key is its
// cluster's and, on the gateway that coordinates, what the server says of itself. Metrics and the
// ready check say what it heard. Safe for concurrent use.
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "common/async/task_group.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/metrics/metrics.h"
#include "jobs/lease_holder.h"
#include "metadata/postgres/postgres_metadata.h"

namespace rondel::gateway {

struct DatabaseWatchOptions {
  Duration check_period = std::chrono::seconds(2);    // Between ready checks of its own.
  Duration health_period = std::chrono::seconds(15);  // Between questions about the server.
  std::string key_check;                              // What the check value of our master key is.
  uint64_t capacity_bytes = 0;                        // metadata.database_size_max; 0: not said.
};

class DatabaseWatch {
 public:
  // What is given outlives it and the registry's last expose().
  DatabaseWatch(const metadata::PostgresMetadata& metadata, const jobs::LeaseHolder& lease,
                DatabaseWatchOptions options, metrics::Registry& registry);

  // Until the group stops.
  async::Task<void> run(async::TaskGroup& group);
  // The ready check: asks now, at most for 2 s. Its answer is what rondel_metadata_connected says
  // from then on.
  async::Task<Result<void>> check();

 private:
  async::Task<void> ask_health();
  std::optional<metadata::ServerHealth> health() const;

  const metadata::PostgresMetadata& metadata_;
  const jobs::LeaseHolder& lease_;
  const DatabaseWatchOptions options_;
  std::atomic<bool> connected_{true};  // first_contact() had an answer.
  std::atomic<bool> key_matches_{true};
  mutable Mutex mutex_;
  std::optional<metadata::ServerHealth> health_ GUARDED_BY(mutex_);
  SystemTime asked_at_ GUARDED_BY(mutex_){};
  bool answered_ GUARDED_BY(mutex_) = false;
};

}  // namespace rondel::gateway
