#include "metadata/postgres/second_look.h"

#include <algorithm>
#include <string>

namespace rondel::metadata {
namespace {

// One statement, so one snapshot: a release that it sees waited for whoever locked the released row
// before, so it sees that one's references too. What it finds unreferenced stays so, as only a row
// that refers to a stream can be copied.
constexpr const char* kCheck =
    "with due as materialized (select id, stream from released_streams where (select token from "
    "coordinator) = $1 and checked_at is null"
    "   and released_at <= to_timestamp($2::bigint / 1000000.0) order by id limit $3),"
    " used as materialized (select d.stream from due d join objects o on o.stream = d.stream"
    "   union select d.stream from due d join versions v on v.stream = d.stream"
    "   union select d.stream from due d join object_extents e on e.stream = d.stream"
    "   union select d.stream from due d join upload_extents u on u.stream = d.stream),"
    " kept as (delete from released_streams where id = any (array(select d.id from due d join used "
    "u on u.stream = d.stream))"
    "   returning id, stream, size, released_at),"
    " noted as (insert into referenced_releases (id, stream, size, released_at) "
    "select id, stream, size, released_at from kept "
    "returning stream),"
    " checked as (update released_streams set checked_at = now() where id = any (array(select id "
    "from due where stream not in (select stream from used)))"
    "   returning id)"
    " select (select count(*) from checked), (select count(*) from noted),"
    " (select string_agg(encode(stream, 'hex'), ' ') from (select stream from noted limit 10) few)";

// What connections forbid the planner, for statements that seek single rows, is what going through
// tables needs; a nested loop, which it takes for a queue that looked empty when the plan was made,
// never is.
constexpr const char* kSettings =
    "begin; set local enable_seqscan = on; set local enable_hashjoin = on;"
    " set local enable_nestloop = off; set local work_mem = '64MB';";

std::string settings_until(Deadline until) {
  using std::chrono::milliseconds;
  const Duration left = until - std::chrono::steady_clock::now();
  const auto rest = std::max(std::chrono::duration_cast<milliseconds>(left), milliseconds(1));
  return std::string(kSettings) + " set local statement_timeout = " + std::to_string(rest.count());
}

CheckedReleases read_checked(const PgResult& row) {
  return {static_cast<uint64_t>(row.bigint(0, 0)), static_cast<uint64_t>(row.bigint(0, 1)),
          row.text(0, 2)};
}

}  // namespace

Result<CheckedReleases> check_released(PgConnection& connection, SystemTime before, size_t max,
                                       uint64_t coordinator_token, Deadline until) {
  PgParameters parameters;
  parameters.add(static_cast<int64_t>(coordinator_token));
  parameters.add(before.time_since_epoch().count());
  parameters.add(static_cast<int64_t>(max));
  TRY_VOID(connection.script(settings_until(until), until));
  auto row = connection.run(kCheck, parameters, until);
  const auto ended = connection.script(row ? "commit" : "rollback", until);
  if (!row) return std::unexpected(row.error());
  if (!ended) return std::unexpected(ended.error());
  return read_checked(*row);
}

}  // namespace rondel::metadata
