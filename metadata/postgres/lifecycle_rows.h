// Rows of the lifecycle job's statements. Internal to metadata/postgres.
#pragma once

#include <string>
#include <vector>

#include "metadata/connection/pg_call.h"
#include "metadata/store/lifecycle_version.h"

namespace rondel::metadata {

// Columns of every page: key, version, size, tags, current, delete_marker, lone, replaced_ms,
// newer.
inline constexpr const char* kCurrentColumns =
    "o.key, o.version, o.size, (o.attributes).tags, true, o.delete_marker, coalesce(o.lone_marker, "
    "false), "
    "0::bigint, 0::bigint";

// Such a row.
LifecycleVersion read_lifecycle_version(const PgResult& rows, size_t i);
int64_t to_milliseconds(SystemTime time);
void add_keys(PgParameters& parameters, const std::vector<std::string>& keys);
// Runs a statement whose result does not matter.
async::Task<Result<void>> run_change(PgWorkers& workers, std::string sql, PgParameters parameters,
                                     Deadline deadline);

}  // namespace rondel::metadata
