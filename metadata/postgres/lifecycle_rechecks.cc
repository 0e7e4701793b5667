#include "metadata/store/lifecycle_rechecks.h"

#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_stores.h"
#include "metadata/postgres/lifecycle_rows.h"

namespace rondel::metadata {
namespace {

Result<std::vector<LifecycleVersion>> read_versions(Result<PgResult> rows) {
  if (!rows) return std::unexpected(std::move(rows).error());
  std::vector<LifecycleVersion> versions;
  for (size_t i = 0; i < rows->rows(); ++i) versions.push_back(read_lifecycle_version(*rows, i));
  return versions;
}

class PostgresLifecycleRechecks final : public LifecycleRechecks {
 public:
  explicit PostgresLifecycleRechecks(PgWorkers& workers) : workers_(workers) {}

  async::Task<Result<std::vector<std::string>>> rechecks(int64_t bucket_id, SystemTime now,
                                                         uint32_t max, Deadline deadline) override {
    auto work = [=](PgConnection& connection, Deadline until) -> Result<std::vector<std::string>> {
      PgParameters parameters;
      parameters.add(bucket_id);
      parameters.add(to_milliseconds(now));
      parameters.add(int64_t{max});
      TRY(const PgResult rows, connection.run("select key from lifecycle_rechecks where bucket_id "
                                              "= $1 and due_ms <= $2 order by due_ms limit $3",
                                              parameters, until));
      std::vector<std::string> keys;
      for (size_t i = 0; i < rows.rows(); ++i) keys.push_back(rows.text(i, 0));
      return keys;
    };
    return run_single<std::vector<std::string>>(workers_, deadline, std::move(work));
  }

  async::Task<Result<void>> forget_rechecks(int64_t bucket_id, std::vector<std::string> keys,
                                            SystemTime now, Deadline deadline) override {
    PgParameters parameters;
    parameters.add(bucket_id);
    add_keys(parameters, keys);
    parameters.add(to_milliseconds(now));
    return run_change(workers_,
                      "delete from lifecycle_rechecks where bucket_id = $1 and key = any "
                      "($2::bytea[]) and due_ms <= $3",
                      std::move(parameters), deadline);
  }

  async::Task<Result<void>> recheck_later(int64_t bucket_id, std::vector<std::string> keys,
                                          SystemTime due, Deadline deadline) override {
    PgParameters parameters;
    parameters.add(bucket_id);
    add_keys(parameters, keys);
    parameters.add(to_milliseconds(due));
    return run_change(workers_,
                      "insert into lifecycle_rechecks (bucket_id, key, due_ms) select b.id, k, $3 "
                      "from buckets b, (select "
                      "distinct unnest($2::bytea[]) as k) keys"
                      " where b.id = $1 on conflict (bucket_id, key) do update set due_ms = case "
                      "when excluded.due_ms > 0 then least(excluded.due_ms,"
                      " nullif(lifecycle_rechecks.due_ms, -1)) else excluded.due_ms end",
                      std::move(parameters), deadline);
  }

  async::Task<Result<std::vector<LifecycleVersion>>> versions_of(int64_t bucket_id,
                                                                 std::vector<std::string> keys,
                                                                 uint32_t max,
                                                                 Deadline deadline) override {
    static const std::string sql =
        // Key by key, of each the newest first, until there are enough: no row is read beyond.
        std::string(
            "select h.* from (select k from unnest($2::bytea[]) k order by k) keys "
            "cross join lateral ((select ") +
        kCurrentColumns +
        " from objects o where o.bucket_id = $1 and o.key = k)"
        " union all (select v.key, v.version, v.size, (v.attributes).tags, false,"
        " v.delete_marker, false, v.replaced_ms, row_number() over (order by v.version desc) - 1 "
        "from versions v"
        " where v.bucket_id = $1 and v.key = k order by v.version desc)) h limit $3";
    auto work = [bucket_id, keys = std::move(keys), max](
                    PgConnection& connection,
                    Deadline until) -> Result<std::vector<LifecycleVersion>> {
      PgParameters parameters;
      parameters.add(bucket_id);
      add_keys(parameters, keys);
      parameters.add(int64_t{max});
      return read_versions(connection.run(sql, parameters, until));
    };
    return run_single<std::vector<LifecycleVersion>>(workers_, deadline, std::move(work));
  }

  async::Task<Result<std::vector<LifecycleVersion>>> older_versions(int64_t bucket_id,
                                                                    std::string key,
                                                                    model::VersionId before,
                                                                    uint32_t newer, uint32_t max,
                                                                    Deadline deadline) override {
    constexpr const char* kSql =
        "select v.key, v.version, v.size, (v.attributes).tags, false, v.delete_marker, false, "
        "v.replaced_ms, $4 "
        "+ row_number() over (order by v.version desc) - 1"
        " from versions v where v.bucket_id = $1 and v.key = $2 and v.version < $3 order by "
        "v.version desc limit $5";
    auto work = [=, key = std::move(key)](PgConnection& connection,
                                          Deadline until) -> Result<std::vector<LifecycleVersion>> {
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
  PgWorkers& workers_;
};

}  // namespace

std::unique_ptr<LifecycleRechecks> make_lifecycle_rechecks(PgWorkers& workers) {
  return std::make_unique<PostgresLifecycleRechecks>(workers);
}

}  // namespace rondel::metadata
