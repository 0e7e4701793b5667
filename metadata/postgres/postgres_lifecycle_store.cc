// LifecycleStore over PostgreSQL, on a connection of its own: it never stands in a request's way.
#include "metadata/store/lifecycle_store.h"

#include <algorithm>

#include "metadata/postgres/pg_call.h"
#include "metadata/postgres/pg_codec.h"
#include "metadata/postgres/version_clock.h"

namespace rondel::metadata {
namespace {

using Element = PgArray::Element;

// Columns of every page: key, version, size, tags, current, delete_marker, lone, replaced_ms, newer.
constexpr const char* kCurrentColumns = "o.key, o.version, o.size, (o.attributes).tags, true, o.delete_marker, coalesce(o.lone_marker, false), 0::bigint, 0::bigint";

int64_t to_milliseconds(SystemTime time) { return *milliseconds(time); }
int64_t to_microseconds(SystemTime time) { return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count(); }

// Below it lie the ids of versions made until then.
std::string id_after(SystemTime until) {
  std::string id(model::VersionId::kBytes, '\0');
  store_be(reinterpret_cast<std::byte*>(id.data()), (static_cast<uint64_t>(std::max<int64_t>(to_milliseconds(until), -1)) + 1) << 16);
  return id;
}

// Position of a scan by time: a time in whatever unit the scan has, then the id of the last row seen.
std::string time_position(int64_t time, std::string_view id) {
  std::string position(8, '\0');
  store_be(reinterpret_cast<std::byte*>(position.data()), static_cast<uint64_t>(time));
  return position.append(id);
}

struct TimePosition {
  int64_t time = 0;
  std::string id;
};
TimePosition parse_time_position(std::string_view position) {
  if (position.size() < 8) return {};
  return {static_cast<int64_t>(load_be<uint64_t>(reinterpret_cast<const std::byte*>(position.data()))), std::string(position.substr(8))};
}

LifecycleVersion read_version(const PgResult& rows, size_t i) {
  LifecycleVersion version;
  version.key = rows.text(i, 0);
  version.version = model::VersionId::from_bytes(as_bytes(rows.bytes(i, 1))).value_or(model::VersionId{});
  version.created = time_of(version.version);
  version.size = static_cast<uint64_t>(rows.bigint(i, 2));
  version.tags = unpack_tags(rows.bytes(i, 3));
  version.current = rows.boolean(i, 4);
  version.delete_marker = rows.boolean(i, 5);
  version.lone = rows.boolean(i, 6);
  version.replaced = SystemTime(std::chrono::milliseconds(rows.bigint(i, 7)));
  version.newer_noncurrent = static_cast<uint32_t>(rows.bigint(i, 8));
  return version;
}

Result<std::vector<LifecycleVersion>> read_versions(Result<PgResult> rows) {
  if (!rows) return std::unexpected(std::move(rows).error());
  std::vector<LifecycleVersion> versions;
  for (size_t i = 0; i < rows->rows(); ++i) versions.push_back(read_version(*rows, i));
  return versions;
}

LifecyclePage read_page(const PgResult& rows, const LifecycleQuery& query) {
  LifecyclePage page;
  for (size_t i = 0; i < rows.rows(); ++i) page.versions.push_back(read_version(rows, i));
  page.more = rows.rows() == query.max;
  page.position = query.position;
  return page;
}

void add_keys(PgParameters& parameters, const std::vector<std::string>& keys) {
  PgArray array(Element::kBytes, keys.size());
  for (const std::string& key : keys) array.add_bytes(key);
  std::move(array).move_into(parameters);
}

class PostgresLifecycleStore final : public LifecycleStore {
 public:
  explicit PostgresLifecycleStore(std::string dsn) : workers_({std::move(dsn), 1, 1, 64}, run_jobs) {}

  async::Task<Result<std::vector<LifecycleBucket>>> buckets(int64_t after_id, uint32_t max, Deadline deadline) override {
    auto work = [=](PgConnection& connection, Deadline until) -> Result<std::vector<LifecycleBucket>> {
      PgParameters parameters;
      parameters.add(after_id);
      parameters.add_small(static_cast<int16_t>(SettingKind::kLifecycle));
      parameters.add(int64_t{max});
      TRY(const PgResult rows,
          connection.run("select b.id, b.settings_version, b.versioning, b.owner_account, s.document from bucket_settings s"
                         " join buckets b on b.id = s.bucket_id where s.kind = $2::smallint and s.bucket_id > $1 order by s.bucket_id limit $3",
                         parameters, until));
      std::vector<LifecycleBucket> found;
      for (size_t i = 0; i < rows.rows(); ++i) {
        found.push_back({rows.bigint(i, 0), rows.bigint(i, 1), static_cast<Versioning>(rows.smallint(i, 2)), rows.text(i, 3), rows.text(i, 4)});
      }
      return found;
    };
    return run_single<std::vector<LifecycleBucket>>(workers_, deadline, std::move(work));
  }

  async::Task<Result<std::string>> cursor(int64_t bucket_id, LifecycleScan scan, std::string rule, Deadline deadline) override {
    auto work = [=, rule = std::move(rule)](PgConnection& connection, Deadline until) -> Result<std::string> {
      PgParameters parameters;
      parameters.add(bucket_id);
      parameters.add_small(static_cast<int16_t>(scan));
      parameters.add_bytes(rule);
      TRY(const PgResult row,
          connection.run("select position from lifecycle_cursors where bucket_id = $1 and scan = $2::smallint and rule = sha256($3::bytea)",
                         parameters, until));
      return row.rows() == 0 ? std::string() : row.text(0, 0);
    };
    return run_single<std::string>(workers_, deadline, std::move(work));
  }

  async::Task<Result<void>> move_cursor(int64_t bucket_id, LifecycleScan scan, std::string rule, std::string position, Deadline deadline) override {
    PgParameters parameters;
    parameters.add(bucket_id);
    parameters.add_small(static_cast<int16_t>(scan));
    parameters.add_bytes(rule);
    parameters.add_bytes(position);
    return change("insert into lifecycle_cursors (bucket_id, scan, rule, position) select b.id, $2::smallint, sha256($3::bytea), $4 from buckets b where b.id = $1"
                  " on conflict (bucket_id, scan, rule) do update set position = excluded.position",
                  std::move(parameters), deadline);
  }

  async::Task<Result<void>> keep_cursors(int64_t bucket_id, std::vector<std::string> rules, Deadline deadline) override {
    PgParameters parameters;
    parameters.add(bucket_id);
    add_keys(parameters, rules);
    return change("delete from lifecycle_cursors where bucket_id = $1 and rule not in (select sha256(r) from unnest($2::bytea[]) r)",
                  std::move(parameters), deadline);
  }

  async::Task<Result<LifecyclePage>> current_by_age(LifecycleQuery query) override { return by_version("not o.delete_marker", std::move(query)); }
  async::Task<Result<LifecyclePage>> lone_markers(LifecycleQuery query) override { return by_version("o.lone_marker", std::move(query)); }

  async::Task<Result<LifecyclePage>> current_by_key(LifecycleQuery query, std::string prefix) override {
    static const std::string sql = std::string("select ") + kCurrentColumns +
                                   " from objects o where o.bucket_id = $1 and not o.delete_marker and o.key >= greatest($2::bytea, $3::bytea)"
                                   " and o.key <> $2 and ($4::bytea is null or o.key < $4) order by o.key limit $5";
    auto work = [query = std::move(query), prefix = std::move(prefix)](PgConnection& connection, Deadline until) -> Result<LifecyclePage> {
      PgParameters parameters;
      parameters.add(query.bucket_id);
      parameters.add_bytes(query.position);
      parameters.add_bytes(prefix);
      parameters.add_optional_bytes(above_prefix(prefix));
      parameters.add(int64_t{query.max});
      TRY(const PgResult rows, connection.run(sql, parameters, until));
      LifecyclePage page = read_page(rows, query);
      if (rows.rows() > 0) page.position = rows.text(rows.rows() - 1, 0);
      std::erase_if(page.versions, [&](const LifecycleVersion& version) { return version.created > query.until; });
      return page;
    };
    const Deadline deadline = query.deadline;
    return run_single<LifecyclePage>(workers_, deadline, std::move(work));
  }

  async::Task<Result<LifecyclePage>> replaced(LifecycleQuery query) override {
    constexpr const char* kSql =
        "select v.key, v.version, v.size, (v.attributes).tags, false, v.delete_marker, false, v.replaced_ms,"
        " (select count(*) from (select 1 from versions w where w.bucket_id = v.bucket_id and w.key = v.key and w.version > v.version limit $6) n)"
        " from versions v where v.bucket_id = $1 and (v.replaced_ms, v.version) > ($2, $3::bytea) and v.replaced_ms <= $4"
        " order by v.replaced_ms, v.version limit $5";
    return by_replacement(kSql, std::move(query), false);
  }

  async::Task<Result<LifecyclePage>> pushed_back(LifecycleQuery query) override {
    constexpr const char* kSql =
        "select p.key, p.version, p.size, (p.attributes).tags, false, coalesce(p.delete_marker, false), false, v.replaced_ms, $6, p.replaced_ms, v.version"
        " from versions v left join lateral (select * from versions w where w.bucket_id = v.bucket_id and w.key = v.key"
        "   and w.version <= v.version order by w.version desc offset $6 limit 1) p on true"
        " where v.bucket_id = $1 and (v.replaced_ms, v.version) > ($2, $3::bytea) and v.replaced_ms <= $4"
        " order by v.replaced_ms, v.version limit $5";
    return by_replacement(kSql, std::move(query), true);
  }

  async::Task<Result<std::vector<LifecycleUpload>>> uploads(LifecycleQuery query) override {
    auto work = [query = std::move(query)](PgConnection& connection, Deadline until) -> Result<std::vector<LifecycleUpload>> {
      const auto [begun, after] = parse_time_position(query.position);
      PgParameters parameters;
      parameters.add(query.bucket_id);
      parameters.add(to_microseconds(query.until));
      parameters.add(begun);
      parameters.add_bytes(after);
      parameters.add(int64_t{query.max});
      TRY(const PgResult rows,
          connection.run("select id, key, (extract(epoch from initiated_at) * 1000000)::bigint from uploads where bucket_id = $1"
                         " and initiated_at <= timestamptz 'epoch' + $2::bigint * interval '1 microsecond' and"
                         " (initiated_at, id) > (timestamptz 'epoch' + $3::bigint * interval '1 microsecond', $4::bytea)"
                         " order by initiated_at, id limit $5",
                         parameters, until));
      std::vector<LifecycleUpload> found;
      for (size_t i = 0; i < rows.rows(); ++i) {
        found.push_back({model::UploadId::from_bytes(as_bytes(rows.bytes(i, 0))).value_or(model::UploadId{}), rows.text(i, 1),
                         from_microseconds(rows.bigint(i, 2))});
      }
      return found;
    };
    const Deadline deadline = query.deadline;
    return run_single<std::vector<LifecycleUpload>>(workers_, deadline, std::move(work));
  }

  async::Task<Result<std::vector<std::string>>> rechecks(int64_t bucket_id, SystemTime now, uint32_t max, Deadline deadline) override {
    auto work = [=](PgConnection& connection, Deadline until) -> Result<std::vector<std::string>> {
      PgParameters parameters;
      parameters.add(bucket_id);
      parameters.add(to_milliseconds(now));
      parameters.add(int64_t{max});
      TRY(const PgResult rows,
          connection.run("select key from lifecycle_rechecks where bucket_id = $1 and due_ms <= $2 order by due_ms limit $3", parameters, until));
      std::vector<std::string> keys;
      for (size_t i = 0; i < rows.rows(); ++i) keys.push_back(rows.text(i, 0));
      return keys;
    };
    return run_single<std::vector<std::string>>(workers_, deadline, std::move(work));
  }

  async::Task<Result<void>> forget_rechecks(int64_t bucket_id, std::vector<std::string> keys, SystemTime now, Deadline deadline) override {
    PgParameters parameters;
    parameters.add(bucket_id);
    add_keys(parameters, keys);
    parameters.add(to_milliseconds(now));
    return change("delete from lifecycle_rechecks where bucket_id = $1 and key = any ($2::bytea[]) and due_ms <= $3", std::move(parameters), deadline);
  }

  async::Task<Result<void>> recheck_later(int64_t bucket_id, std::vector<std::string> keys, SystemTime due, Deadline deadline) override {
    PgParameters parameters;
    parameters.add(bucket_id);
    add_keys(parameters, keys);
    parameters.add(to_milliseconds(due));
    return change("insert into lifecycle_rechecks (bucket_id, key, due_ms) select b.id, k, $3 from buckets b, (select distinct unnest($2::bytea[]) as k) keys"
                  " where b.id = $1 on conflict (bucket_id, key) do update set due_ms = case when excluded.due_ms > 0 then least(excluded.due_ms,"
                  " nullif(lifecycle_rechecks.due_ms, -1)) else excluded.due_ms end",
                  std::move(parameters), deadline);
  }

  async::Task<Result<std::vector<LifecycleVersion>>> versions_of(int64_t bucket_id, std::vector<std::string> keys, uint32_t max,
                                                                 Deadline deadline) override {
    static const std::string sql = std::string("(select ") + kCurrentColumns +
                                   " from objects o where o.bucket_id = $1 and o.key = any ($2::bytea[]))"
                                   " union all (select h.* from unnest($2) k cross join lateral (select v.key, v.version, v.size, (v.attributes).tags, false,"
                                   " v.delete_marker, false, v.replaced_ms, row_number() over (order by v.version desc) - 1 from versions v"
                                   " where v.bucket_id = $1 and v.key = k order by v.version desc limit $3) h) order by 1, 2 desc limit $3";
    auto work = [bucket_id, keys = std::move(keys), max](PgConnection& connection, Deadline until) -> Result<std::vector<LifecycleVersion>> {
      PgParameters parameters;
      parameters.add(bucket_id);
      add_keys(parameters, keys);
      parameters.add(int64_t{max});
      return read_versions(connection.run(sql, parameters, until));
    };
    return run_single<std::vector<LifecycleVersion>>(workers_, deadline, std::move(work));
  }

  async::Task<Result<std::vector<LifecycleVersion>>> older_versions(int64_t bucket_id, std::string key, model::VersionId before, uint32_t newer,
                                                                    uint32_t max, Deadline deadline) override {
    constexpr const char* kSql =
        "select v.key, v.version, v.size, (v.attributes).tags, false, v.delete_marker, false, v.replaced_ms, $4 + row_number() over (order by v.version desc) - 1"
        " from versions v where v.bucket_id = $1 and v.key = $2 and v.version < $3 order by v.version desc limit $5";
    auto work = [=, key = std::move(key)](PgConnection& connection, Deadline until) -> Result<std::vector<LifecycleVersion>> {
      PgParameters parameters;
      parameters.add(bucket_id);
      parameters.add_bytes(key);
      parameters.add_bytes(as_text(before.view()));
      parameters.add(int64_t{newer});
      parameters.add(int64_t{max});
      return read_versions(connection.run(kSql, parameters, until));
    };
    return run_single<std::vector<LifecycleVersion>>(workers_, deadline, std::move(work));
  }

 private:
  static void run_jobs(Lane, PgConnection& connection, PgWorkers::Batch batch) {
    for (const auto& job : batch) static_cast<ConnectionJob&>(*job).run(connection);
  }

  async::Task<Result<void>> change(std::string sql, PgParameters parameters, Deadline deadline) {
    auto work = [sql = std::move(sql), parameters = std::move(parameters)](PgConnection& connection, Deadline until) -> Result<void> {
      TRY(const PgResult done, connection.run(sql, parameters, until));
      (void)done;
      return {};
    };
    return run_single<void>(workers_, deadline, std::move(work));
  }

  // Current versions of one kind, made until then, by their ids.
  async::Task<Result<LifecyclePage>> by_version(const char* kind, LifecycleQuery query) {
    auto work = [kind, query = std::move(query)](PgConnection& connection, Deadline until) -> Result<LifecyclePage> {
      PgParameters parameters;
      parameters.add(query.bucket_id);
      parameters.add_bytes(query.position);
      parameters.add_bytes(id_after(query.until));
      parameters.add(int64_t{query.max});
      TRY(const PgResult rows,
          connection.run(std::string("select ") + kCurrentColumns + " from objects o where o.bucket_id = $1 and " + kind +
                             " and o.version > $2 and o.version < $3 order by o.version limit $4", parameters, until));
      LifecyclePage page = read_page(rows, query);
      if (rows.rows() > 0) page.position = rows.text(rows.rows() - 1, 1);
      return page;
    };
    const Deadline deadline = query.deadline;
    return run_single<LifecyclePage>(workers_, deadline, std::move(work));
  }

  // Pages in order of replacement; `pushed`: of rows that name another version beside the one replaced. A row without key has
  // moved the position and nothing else.
  async::Task<Result<LifecyclePage>> by_replacement(const char* sql, LifecycleQuery query, bool pushed) {
    auto work = [sql, pushed, query = std::move(query)](PgConnection& connection, Deadline until) -> Result<LifecyclePage> {
      const auto [replaced_ms, after] = parse_time_position(query.position);
      PgParameters parameters;
      parameters.add(query.bucket_id);
      parameters.add(replaced_ms);
      parameters.add_bytes(after);
      parameters.add(to_milliseconds(query.until));
      parameters.add(int64_t{query.max});
      parameters.add(int64_t{query.newer});
      TRY(const PgResult rows, connection.run(sql, parameters, until));
      LifecyclePage page = read_page(rows, query);
      if (rows.rows() > 0) {
        const size_t last = rows.rows() - 1;
        page.position = time_position(rows.bigint(last, 7), rows.bytes(last, pushed ? 10 : 1));
      }
      for (size_t i = 0; pushed && i < page.versions.size(); ++i) page.versions[i].replaced = SystemTime(std::chrono::milliseconds(rows.bigint(i, 9)));
      std::erase_if(page.versions, [](const LifecycleVersion& version) { return version.key.empty(); });
      return page;
    };
    const Deadline deadline = query.deadline;
    return run_single<LifecyclePage>(workers_, deadline, std::move(work));
  }

  PgWorkers workers_;
};

}  // namespace

std::string upload_position(const LifecycleUpload& upload) { return time_position(to_microseconds(upload.initiated), as_text(upload.id.view())); }

std::unique_ptr<LifecycleStore> make_postgres_lifecycle_store(std::string dsn) {
  return std::make_unique<PostgresLifecycleStore>(std::move(dsn));
}

}  // namespace rondel::metadata
