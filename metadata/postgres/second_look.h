// The second look at released streams, as SQL. Internal to metadata/postgres.
#pragma once

#include "metadata/connection/pg_connection.h"
#include "metadata/store/release_queue.h"

namespace rondel::metadata {

// ReleaseQueue::check_released on this connection. It goes through every table of references once,
// however many streams it asks for: minutes on large ones.
Result<CheckedReleases> check_released(PgConnection& connection, SystemTime before, size_t max,
                                       uint64_t coordinator_token, Deadline until);

}  // namespace rondel::metadata
