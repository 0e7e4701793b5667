#include "metadata/operator/server_health.h"

#include "metadata/connection/pg_call.h"
#include "metadata/connection/pg_codec.h"
#include "metadata/operator/server_health_query.h"

namespace rondel::metadata {
namespace {

// Every part of it reads a few rows of the server's own views, or the first of an index.
constexpr const char* kQuestion = R"(
  select (select coalesce(sum(numbackends), 0)::bigint from pg_stat_database),
    current_setting('max_connections')::bigint
      - current_setting('superuser_reserved_connections')::bigint,
    (select max(age(datfrozenxid))::bigint from pg_database),
    pg_database_size(current_database()),
    current_setting('synchronous_standby_names') <> '',
    pg_has_role(current_user, 'pg_read_all_stats', 'usage'),
    (select count(*) from pg_stat_replication
     where state = 'streaming' and sync_state in ('sync', 'quorum')),
    current_setting('archive_mode') <> 'off',
    coalesce(a.last_failed_time > coalesce(a.last_archived_time, '-infinity'), false),
    (extract(epoch from a.last_archived_time) * 1000000)::bigint,
    coalesce((select extract(epoch from now() - released_at)::double precision
              from released_streams order by id limit 1) * 1000000, 0)::bigint,
    coalesce((select extract(epoch from now() - min(deleted_at))::double precision
              from (select deleted_at from deleted_buckets order by bucket_id limit 1000) few)
             * 1000000, 0)::bigint
  from pg_stat_archiver a)";

ServerHealth read(const PgResult& row) {
  const auto number = [&row](int column) { return static_cast<uint64_t>(row.bigint(0, column)); };
  ServerHealth health;
  health.connections = number(0);
  health.connections_max = number(1);
  health.xid_age = number(2);
  health.database_bytes = number(3);
  health.standbys_wanted = row.boolean(0, 4);
  if (row.boolean(0, 5)) health.synchronous_standbys = number(6);
  health.archiving = row.boolean(0, 7);
  health.archive_failing = row.boolean(0, 8);
  if (!row.is_null(0, 9)) health.last_archived = from_microseconds(row.bigint(0, 9));
  health.oldest_released_seconds = static_cast<double>(row.bigint(0, 10)) / 1e6;
  health.oldest_deleted_bucket_seconds = static_cast<double>(row.bigint(0, 11)) / 1e6;
  return health;
}

}  // namespace

async::Task<Result<ServerHealth>> ask_server_health(PgWorkers& workers, Deadline deadline) {
  return run_single<ServerHealth>(
      workers, deadline, [](PgConnection& connection, Deadline until) -> Result<ServerHealth> {
        TRY(const PgResult row, connection.run(kQuestion, {}, until));
        return read(row);
      });
}

}  // namespace rondel::metadata
