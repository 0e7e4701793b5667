#include "metadata/store/gc_control.h"

#include "common/model/metadata_generation.h"
#include "metadata/connection/pg_call.h"
#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_fence.h"
#include "metadata/connection/pg_stores.h"
#include "metadata/connection/sql_names.h"

namespace rondel::metadata {
namespace {

GarbageAges ages_of(const PgResult& row, int first) {
  const auto age = [&](int column) { return std::chrono::seconds(row.bigint(0, first + column)); };
  return {age(0), age(1), age(2)};
}

class PostgresGcControl final : public GcControl {
 public:
  explicit PostgresGcControl(PgWorkers& workers) : workers_(workers) {}

  async::Task<Result<GarbageState>> garbage_state(Deadline deadline) override {
    return run_single<GarbageState>(
        workers_, deadline, [](PgConnection& connection, Deadline until) -> Result<GarbageState> {
          TRY(const PgResult row, connection.run(named_sql(R"(
        select halted, coalesce((extract(epoch from halted_at) * 1000000)::bigint, 0), allowance,
          (extract(epoch from now()) * 1000000)::bigint, grace_s, trash_s, orphan_age_s,
          s.address, coalesce(s.recognition, :Recognition.kHeld::smallint)
        from garbage_collection
        left join lateral (
          select address, recognition from nodes
          where recognition not in (:Recognition.kHeld, :Recognition.kConfirmed)
            and recognized_under = accepted order by id limit 1) s on true)"),
                                                 {}, until));
          GarbageState state;
          state.halted = row.text(0, 0);
          state.halted_at = from_microseconds(row.bigint(0, 1));
          state.allowance = static_cast<uint64_t>(row.bigint(0, 2));
          state.now = from_microseconds(row.bigint(0, 3));
          state.ages = ages_of(row, 4);
          if (!row.is_null(0, 7)) {
            const auto why = static_cast<model::Recognition>(row.smallint(0, 8));
            state.stranger = "node " + row.text(0, 7) + ": " + std::string(model::describe(why));
          }
          return state;
        });
  }

  async::Task<Result<void>> halt_garbage(std::string reason, uint64_t coordinator_token,
                                         Deadline deadline) override {
    return run_single<void>(
        workers_, deadline, [=](PgConnection& connection, Deadline until) -> Result<void> {
          PgParameters parameters;
          parameters.add(static_cast<int64_t>(coordinator_token));
          parameters.add_text(reason);
          TRY(const PgResult done,
              connection.run(std::string("update garbage_collection set halted = $2, halted_at = "
                                         "now() where halted = '' and ") +
                                 kFence,
                             parameters, until));
          (void)done;
          return {};
        });
  }

  // A database that was set back has an older number than nodes have seen: theirs counts as well.
  async::Task<Result<void>> resume_garbage(uint64_t allowance, Deadline deadline) override {
    return run_single<void>(workers_, deadline,
                            [=](PgConnection& connection, Deadline until) -> Result<void> {
                              PgParameters parameters;
                              parameters.add(static_cast<int64_t>(allowance));
                              TRY(const PgResult done, connection.run(named_sql(R"(
        with forgotten as (delete from orphan_releases),
        heard as (update nodes set recognition = :Recognition.kHeld
          where recognition not in (:Recognition.kHeld, :Recognition.kConfirmed))
        update garbage_collection set halted = '', halted_at = null, allowance = $1,
          restore_number = restore_number + 1,
          accepted = greatest(accepted, (select coalesce(max(seen_accepted), 0) from nodes)) + 1)"),
                                                                      parameters, until));
                              (void)done;
                              return {};
                            });
  }

  async::Task<Result<void>> confirm_clocks(Deadline deadline) override {
    return run_single<void>(
        workers_, deadline, [](PgConnection& connection, Deadline until) -> Result<void> {
          TRY(const PgResult done, connection.run("update garbage_collection set clocks_accepted = "
                                                  "clocks_accepted + 1",
                                                  {}, until));
          (void)done;
          return {};
        });
  }

  async::Task<Result<GarbageAges>> raise_garbage_ages(GarbageAges ages,
                                                      Deadline deadline) override {
    return run_single<GarbageAges>(
        workers_, deadline,
        [ages](PgConnection& connection, Deadline until) -> Result<GarbageAges> {
          PgParameters parameters;
          for (const auto& age : {ages.grace, ages.trash, ages.orphan_age}) {
            parameters.add(static_cast<int64_t>(age.count()));
          }
          TRY(const PgResult row,
              connection.run("update garbage_collection set grace_s = greatest(grace_s, $1), "
                             "trash_s = greatest(trash_s, $2),"
                             " orphan_age_s = greatest(orphan_age_s, $3) returning grace_s, "
                             "trash_s, orphan_age_s",
                             parameters, until));
          return ages_of(row, 0);
        });
  }

  async::Task<Result<void>> set_garbage_ages(std::optional<std::chrono::seconds> grace,
                                             std::optional<std::chrono::seconds> trash,
                                             std::optional<std::chrono::seconds> orphan_age,
                                             Deadline deadline) override {
    return run_single<void>(
        workers_, deadline, [=](PgConnection& connection, Deadline until) -> Result<void> {
          PgParameters parameters;
          for (const auto& age : {grace, trash, orphan_age}) {
            age ? parameters.add(static_cast<int64_t>(age->count())) : parameters.add_null();
          }
          TRY(const PgResult done,
              connection.run(
                  "update garbage_collection set grace_s = coalesce($1::bigint, grace_s),"
                  " trash_s = coalesce($2::bigint, trash_s), orphan_age_s = coalesce($3::bigint, "
                  "orphan_age_s)",
                  parameters, until));
          (void)done;
          return {};
        });
  }

  async::Task<Result<uint64_t>> forget_completed_uploads(SystemTime before,
                                                         Deadline deadline) override {
    return run_single<uint64_t>(
        workers_, deadline, [before](PgConnection& connection, Deadline until) -> Result<uint64_t> {
          PgParameters parameters;
          parameters.add(before.time_since_epoch().count());
          TRY(const PgResult done,
              connection.run("delete from completed_uploads where upload in (select upload from "
                             "completed_uploads where completed_at < to_timestamp($1::bigint / "
                             "1000000.0) order by completed_at limit 1000)",
                             parameters, until));
          return done.affected();
        });
  }

  async::Task<Result<bool>> release_deleted_buckets(Deadline deadline) override {
    return run_single<bool>(workers_, deadline,
                            [](PgConnection& connection, Deadline until) -> Result<bool> {
                              TRY(const PgResult done,
                                  connection.run("select release_deleted_bucket(1000)", {}, until));
                              return done.boolean(0, 0);
                            });
  }

 private:
  PgWorkers& workers_;
};

}  // namespace

std::unique_ptr<GcControl> make_gc_control(PgWorkers& workers) {
  return std::make_unique<PostgresGcControl>(workers);
}

}  // namespace rondel::metadata
