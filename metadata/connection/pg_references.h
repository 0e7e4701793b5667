// What refers to streams, for statements that go through whole tables. Internal to
// metadata/postgres.
#pragma once

#include <string>

#include "metadata/connection/pg_connection.h"

namespace rondel::metadata {

// Of the streams in `asked`, those that a version or part refers to: each table is gone through
// once.
inline constexpr const char* kInUse = R"(
  select a.s from asked a join objects o on o.stream = a.s
  union all select a.s from asked a join versions v on v.stream = a.s
  union all select a.s from asked a join object_extents e on e.stream = a.s
  union all select a.s from asked a join upload_extents u on u.stream = a.s)";
// And those in the queue.
inline constexpr const char* kOrQueued =
    " union all select a.s from asked a join released_streams r on r.stream = a.s";

// What connections forbid the planner, for statements that seek single rows, is what going through
// a table needs.
Result<PgResult> run_through_tables(PgConnection& connection, const std::string& sql,
                                    const PgParameters& parameters, Deadline until);

}  // namespace rondel::metadata
