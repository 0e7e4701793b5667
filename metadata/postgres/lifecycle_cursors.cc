#include "metadata/store/lifecycle_cursors.h"

#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_stores.h"
#include "metadata/postgres/lifecycle_rows.h"

namespace rondel::metadata {
namespace {

class PostgresLifecycleCursors final : public LifecycleCursors {
 public:
  explicit PostgresLifecycleCursors(PgWorkers& workers) : workers_(workers) {}

  async::Task<Result<std::string>> cursor(int64_t bucket_id, LifecycleScan scan, std::string rule,
                                          Deadline deadline) override {
    auto work = [=, rule = std::move(rule)](PgConnection& connection,
                                            Deadline until) -> Result<std::string> {
      PgParameters parameters;
      parameters.add(bucket_id);
      parameters.add_small(static_cast<int16_t>(scan));
      parameters.add_bytes(rule);
      TRY(const PgResult row,
          connection.run("select position from lifecycle_cursors where bucket_id = $1 and scan = "
                         "$2::smallint and rule = sha256($3::bytea)",
                         parameters, until));
      return row.rows() == 0 ? std::string() : row.text(0, 0);
    };
    return run_single<std::string>(workers_, deadline, std::move(work));
  }

  async::Task<Result<void>> move_cursor(int64_t bucket_id, LifecycleScan scan, std::string rule,
                                        std::string position, Deadline deadline) override {
    PgParameters parameters;
    parameters.add(bucket_id);
    parameters.add_small(static_cast<int16_t>(scan));
    parameters.add_bytes(rule);
    parameters.add_bytes(position);
    return run_change(
        workers_,
        "insert into lifecycle_cursors (bucket_id, scan, rule, position) select b.id, "
        "$2::smallint, sha256($3::bytea), $4 from "
        "buckets b where b.id = $1"
        " on conflict (bucket_id, scan, rule) do update set position = excluded.position",
        std::move(parameters), deadline);
  }

  async::Task<Result<void>> keep_cursors(int64_t bucket_id, std::vector<std::string> rules,
                                         Deadline deadline) override {
    PgParameters parameters;
    parameters.add(bucket_id);
    add_keys(parameters, rules);
    return run_change(workers_,
                      "delete from lifecycle_cursors where bucket_id = $1 and rule not in (select "
                      "sha256(r) from unnest($2::bytea[]) r)",
                      std::move(parameters), deadline);
  }

 private:
  PgWorkers& workers_;
};

}  // namespace

std::unique_ptr<LifecycleCursors> make_lifecycle_cursors(PgWorkers& workers) {
  return std::make_unique<PostgresLifecycleCursors>(workers);
}

}  // namespace rondel::metadata
