// What the PostgreSQL server says of itself: for metrics and alerts, not on any request's path.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/clock.h"

namespace rondel::metadata {

struct ServerHealth {
  uint64_t connections = 0;
  uint64_t connections_max = 0;  // Without those for superusers.
  uint64_t xid_age = 0;          // Of the oldest database.
  uint64_t database_bytes = 0;
  bool standbys_wanted = false;  // synchronous_standby_names names some.
  // That stream and that commits wait for. nullopt: our role may not see it (pg_read_all_stats).
  std::optional<uint64_t> synchronous_standbys = {};
  bool archiving = false;        // archive_mode is on.
  bool archive_failing = false;  // The last attempt failed.
  std::optional<SystemTime> last_archived = {};
  // Of what waits in the queues; 0: nothing does.
  double oldest_released_seconds = 0;
  double oldest_deleted_bucket_seconds = 0;
};

// PostgreSQL takes no commands when fewer than so many transaction ids are left.
inline constexpr uint64_t kXidAgeMax = (uint64_t{1} << 31) - 3'000'000;

}  // namespace rondel::metadata
