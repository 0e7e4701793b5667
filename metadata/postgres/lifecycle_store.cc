#include "metadata/store/lifecycle_store.h"

#include <algorithm>

#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_stores.h"
#include "metadata/connection/sql_names.h"
#include "metadata/postgres/lifecycle_rows.h"

namespace rondel::metadata {
namespace {

int64_t to_microseconds(SystemTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

// Below it lie the ids of versions made until then.
std::string id_after(SystemTime until) {
  std::string id(model::VersionId::kBytes, '\0');
  store_be(reinterpret_cast<std::byte*>(id.data()),
           (static_cast<uint64_t>(std::max<int64_t>(to_milliseconds(until), -1)) + 1) << 16);
  return id;
}

// Position of a scan by time: a time in whatever unit the scan has, then the id of the last row
// seen.
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
  return {
      static_cast<int64_t>(load_be<uint64_t>(reinterpret_cast<const std::byte*>(position.data()))),
      std::string(position.substr(8))};
}

LifecyclePage read_page(const PgResult& rows, const LifecycleQuery& query) {
  LifecyclePage page;
  for (size_t i = 0; i < rows.rows(); ++i) page.versions.push_back(read_lifecycle_version(rows, i));
  page.more = rows.rows() == query.max;
  page.position = query.position;
  return page;
}

class PostgresLifecycleStore final : public LifecycleStore {
 public:
  explicit PostgresLifecycleStore(PgWorkers& workers) : workers_(workers) {}

  async::Task<Result<std::vector<std::string>>> accounts(std::string after_account, uint32_t max,
                                                         Deadline deadline) override {
    auto work = [after = std::move(after_account), max](
                    PgConnection& connection, Deadline until) -> Result<std::vector<std::string>> {
      static const std::string sql = named_sql(
          "select distinct b.owner_account from bucket_settings s join buckets b on b.id = "
          "s.bucket_id where s.kind = :SettingKind.kLifecycle and b.owner_account > $1 order by 1 "
          "limit $2");
      PgParameters parameters;
      parameters.add_text(after);
      parameters.add(int64_t{max});
      TRY(const PgResult rows, connection.run(sql, parameters, until));
      std::vector<std::string> found;
      for (size_t i = 0; i < rows.rows(); ++i) found.push_back(rows.text(i, 0));
      return found;
    };
    return run_single<std::vector<std::string>>(workers_, deadline, std::move(work));
  }

  async::Task<Result<std::vector<LifecycleBucket>>> buckets(std::string account, int64_t after_id,
                                                            uint32_t max,
                                                            Deadline deadline) override {
    auto work = [=, account = std::move(account)](
                    PgConnection& connection,
                    Deadline until) -> Result<std::vector<LifecycleBucket>> {
      static const std::string sql = named_sql(
          "select b.id, b.settings_version, b.versioning, b.owner_account, s.document from "
          "bucket_settings s join buckets b on b.id = s.bucket_id where s.kind = "
          ":SettingKind.kLifecycle and b.owner_account = $1 and s.bucket_id > $2 "
          "order by s.bucket_id limit $3");
      PgParameters parameters;
      parameters.add_text(account);
      parameters.add(after_id);
      parameters.add(int64_t{max});
      TRY(const PgResult rows, connection.run(sql, parameters, until));
      std::vector<LifecycleBucket> found;
      for (size_t i = 0; i < rows.rows(); ++i) {
        found.push_back({rows.bigint(i, 0), rows.bigint(i, 1),
                         static_cast<Versioning>(rows.smallint(i, 2)), rows.text(i, 3),
                         rows.text(i, 4)});
      }
      return found;
    };
    return run_single<std::vector<LifecycleBucket>>(workers_, deadline, std::move(work));
  }

  async::Task<Result<LifecyclePage>> current_by_age(LifecycleQuery query) override {
    return by_version("not o.delete_marker", std::move(query));
  }

  async::Task<Result<LifecyclePage>> lone_markers(LifecycleQuery query) override {
    return by_version("o.lone_marker", std::move(query));
  }

  async::Task<Result<LifecyclePage>> current_by_key(LifecycleQuery query,
                                                    std::string prefix) override {
    static const std::string sql =
        std::string("select ") + kCurrentColumns +
        " from objects o where o.bucket_id = $1 and not o.delete_marker and o.key >= "
        "greatest($2::bytea, $3::bytea)"
        " and o.key <> $2 and o.key < $4::bytea order by o.key limit $5";
    auto work = [query = std::move(query), prefix = std::move(prefix)](
                    PgConnection& connection, Deadline until) -> Result<LifecyclePage> {
      PgParameters parameters;
      parameters.add(query.bucket_id);
      parameters.add_bytes(query.position);
      parameters.add_bytes(prefix);
      // A bound at all times: one that may be NULL would bound no index.
      parameters.add_bytes(
          above_prefix(prefix).value_or(std::string(Limit::kKeyBytesMax + 1, '\xff')));
      parameters.add(int64_t{query.max});
      TRY(const PgResult rows, connection.run(sql, parameters, until));
      LifecyclePage page = read_page(rows, query);
      if (rows.rows() > 0) page.position = rows.text(rows.rows() - 1, 0);
      std::erase_if(page.versions,
                    [&](const LifecycleVersion& version) { return version.created > query.until; });
      return page;
    };
    const Deadline deadline = query.deadline;
    return run_single<LifecyclePage>(workers_, deadline, std::move(work));
  }

  async::Task<Result<LifecyclePage>> replaced(LifecycleQuery query) override {
    constexpr const char* kSql =
        "select v.key, v.version, v.size, (v.attributes).tags, false, v.delete_marker, false, "
        "v.replaced_ms,"
        " (select count(*) from (select 1 from versions w where w.bucket_id = v.bucket_id and "
        "w.key = v.key and w.version > v.version limit $6) n)"
        " from versions v where v.bucket_id = $1 and (v.replaced_ms, v.version) > ($2, $3::bytea) "
        "and v.replaced_ms <= $4"
        " order by v.replaced_ms, v.version limit $5";
    return by_replacement(kSql, std::move(query), false);
  }

  async::Task<Result<LifecyclePage>> pushed_back(LifecycleQuery query) override {
    constexpr const char* kSql =
        "select p.key, p.version, p.size, (p.attributes).tags, false, coalesce(p.delete_marker, "
        "false), false, "
        "v.replaced_ms, $6, p.replaced_ms, v.version"
        " from versions v left join lateral (select * from versions w where w.bucket_id = "
        "v.bucket_id and w.key = v.key"
        "   and w.version <= v.version order by w.version desc offset $6 limit 1) p on true"
        " where v.bucket_id = $1 and (v.replaced_ms, v.version) > ($2, $3::bytea) and "
        "v.replaced_ms <= $4"
        " order by v.replaced_ms, v.version limit $5";
    return by_replacement(kSql, std::move(query), true);
  }

  async::Task<Result<std::vector<LifecycleUpload>>> uploads(LifecycleQuery query) override {
    auto work = [query = std::move(query)](PgConnection& connection,
                                           Deadline until) -> Result<std::vector<LifecycleUpload>> {
      const auto [begun, after] = parse_time_position(query.position);
      PgParameters parameters;
      parameters.add(query.bucket_id);
      parameters.add(to_microseconds(query.until));
      parameters.add(begun);
      parameters.add_bytes(after);
      parameters.add(int64_t{query.max});
      TRY(const PgResult rows,
          connection.run(
              "select id, key, (extract(epoch from initiated_at) * 1000000)::bigint from uploads "
              "where bucket_id = $1"
              " and initiated_at <= timestamptz 'epoch' + $2::bigint * interval '1 microsecond' and"
              " (initiated_at, id) > (timestamptz 'epoch' + $3::bigint * interval '1 microsecond', "
              "$4::bytea)"
              " order by initiated_at, id limit $5",
              parameters, until));
      std::vector<LifecycleUpload> found;
      for (size_t i = 0; i < rows.rows(); ++i) {
        found.push_back(
            {model::UploadId::from_bytes(as_bytes(rows.bytes(i, 0))).value_or(model::UploadId{}),
             rows.text(i, 1), from_microseconds(rows.bigint(i, 2)),
             time_position(rows.bigint(i, 2), rows.bytes(i, 0))});
      }
      return found;
    };
    const Deadline deadline = query.deadline;
    return run_single<std::vector<LifecycleUpload>>(workers_, deadline, std::move(work));
  }

 private:
  // Current versions of one kind, made until then, by their ids.
  async::Task<Result<LifecyclePage>> by_version(const char* kind, LifecycleQuery query) {
    auto work = [kind, query = std::move(query)](PgConnection& connection,
                                                 Deadline until) -> Result<LifecyclePage> {
      PgParameters parameters;
      parameters.add(query.bucket_id);
      parameters.add_bytes(query.position);
      parameters.add_bytes(id_after(query.until));
      parameters.add(int64_t{query.max});
      TRY(const PgResult rows,
          connection.run(std::string("select ") + kCurrentColumns +
                             " from objects o where o.bucket_id = $1 and " + kind +
                             " and o.version > $2 and o.version < $3 order by o.version limit $4",
                         parameters, until));
      LifecyclePage page = read_page(rows, query);
      if (rows.rows() > 0) page.position = rows.text(rows.rows() - 1, 1);
      return page;
    };
    const Deadline deadline = query.deadline;
    return run_single<LifecyclePage>(workers_, deadline, std::move(work));
  }

  // Pages in order of replacement; `pushed`: of rows that name another version beside the one
  // replaced. A row without key has moved the position and nothing else.
  async::Task<Result<LifecyclePage>> by_replacement(const char* sql, LifecycleQuery query,
                                                    bool pushed) {
    auto work = [sql, pushed, query = std::move(query)](PgConnection& connection,
                                                        Deadline until) -> Result<LifecyclePage> {
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
      for (size_t i = 0; pushed && i < page.versions.size(); ++i) {
        page.versions[i].replaced = SystemTime(std::chrono::milliseconds(rows.bigint(i, 9)));
      }
      std::erase_if(page.versions,
                    [](const LifecycleVersion& version) { return version.key.empty(); });
      return page;
    };
    const Deadline deadline = query.deadline;
    return run_single<LifecyclePage>(workers_, deadline, std::move(work));
  }

  PgWorkers& workers_;
};

}  // namespace

std::unique_ptr<LifecycleStore> make_lifecycle_store(PgWorkers& workers) {
  return std::make_unique<PostgresLifecycleStore>(workers);
}

}  // namespace rondel::metadata
