#include "metadata/store/ring_store.h"

#include "metadata/connection/pg_call.h"
#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_fence.h"
#include "metadata/connection/pg_stores.h"

namespace rondel::metadata {
namespace {

class PostgresRingStore final : public RingStore {
 public:
  PostgresRingStore(PgWorkers& looks, PgWorkers& writes) : looks_(looks), writes_(writes) {}

  async::Task<Result<model::ClusterId>> cluster_id(Deadline deadline) override {
    return run_single<model::ClusterId>(
        looks_, deadline, [](PgConnection& connection, Deadline until) -> Result<model::ClusterId> {
          TRY(const PgResult row, connection.run("select id from cluster", {}, until));
          const auto id = row.rows() == 1 ? model::ClusterId::from_bytes(as_bytes(row.bytes(0, 0)))
                                          : std::nullopt;
          if (!id) {
            return fail(ErrorCode::kInternal,
                        "the database has no cluster id: run `rondel migrate`");
          }
          return *id;
        });
  }

  using RingStore::ring_state;

  async::Task<Result<RingState>> ring_state(std::vector<std::string> known,
                                            Deadline deadline) override {
    return run_single<RingState>(
        looks_, deadline,
        [known = std::move(known)](PgConnection& connection, Deadline until) -> Result<RingState> {
          PgArray hashes(PgArray::Element::kBytes, known.size());
          for (const std::string& hash : known) hashes.add_bytes(hash);
          PgParameters parameters;
          std::move(hashes).move_into(parameters);
          TRY(const PgResult rows,
              connection.run(
                  "select s.min_epoch, e.epoch, case when e.table_hash = any($1::bytea[]) "
                  "then '' else e.ring_table end, (extract(epoch from "
                  "clock_timestamp()) * 1000000)::bigint, e.table_hash from ring_state s left join "
                  "ring_epochs e on e.live"
                  " order by e.epoch desc",
                  parameters, until));
          RingState state;
          for (size_t i = 0; i < rows.rows(); ++i) {
            state.min_epoch = static_cast<uint64_t>(rows.bigint(i, 0));
            state.now = from_microseconds(rows.bigint(i, 3));
            if (!rows.is_null(i, 1)) {
              state.live.push_back(
                  {static_cast<uint64_t>(rows.bigint(i, 1)), rows.text(i, 2), rows.text(i, 4)});
            }
          }
          return state;
        });
  }

  async::Task<Result<void>> publish_ring(RingEpoch epoch, uint64_t retire_before,
                                         uint64_t min_epoch, uint64_t coordinator_token,
                                         Deadline deadline) override {
    auto work = [=, epoch = std::move(epoch)](PgConnection& connection,
                                              Deadline until) -> Result<void> {
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(coordinator_token));
      parameters.add(static_cast<int64_t>(epoch.epoch));
      parameters.add_bytes(epoch.table);
      parameters.add(static_cast<int64_t>(retire_before));
      parameters.add(static_cast<int64_t>(min_epoch));
      TRY(const PgResult row,
          connection.run(std::string("with added as (insert into ring_epochs (epoch, ring_table) "
                                     "select $2, $3 where ") +
                             kFence +
                             " and $2 = coalesce((select max(epoch) from ring_epochs), 0) + 1 on "
                             "conflict do nothing returning epoch),"
                             " retired as (update ring_epochs set live = false where live and "
                             "epoch < $4 and exists (select 1 from added)),"
                             " raised as (update ring_state set min_epoch = greatest(min_epoch, "
                             "$5) where exists (select 1 from added))"
                             " select count(*) from added",
                         parameters, until));
      if (row.bigint(0, 0) != 1) {
        return fail(ErrorCode::kPrecondition,
                    "the epoch is not the next one, or another gateway coordinates");
      }
      return {};
    };
    return run_single<void>(writes_, deadline, std::move(work));
  }

 private:
  PgWorkers& looks_;  // Nobody waits there for a write.
  PgWorkers& writes_;
};

}  // namespace

std::unique_ptr<RingStore> make_ring_store(PgWorkers& looks, PgWorkers& writes) {
  return std::make_unique<PostgresRingStore>(looks, writes);
}

}  // namespace rondel::metadata
