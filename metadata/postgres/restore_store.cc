#include "metadata/store/restore_store.h"

#include <map>

#include "common/ring/ring.h"
#include "metadata/connection/pg_call.h"
#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_references.h"
#include "metadata/connection/pg_stores.h"

namespace rondel::metadata {
namespace {

using Element = PgArray::Element;

// A node that has not been heard of for an hour is gone, unless a ring counts on its disks.
constexpr const char* kRestoreState = R"(
  select g.restore_number, n.id, n.address, n.last_seen > now() - interval '30 seconds',
    decode(d->>'id', 'hex'), coalesce(t.number, 0) >= g.restore_number, coalesce(t.blobs, 0),
    n.last_seen > now() - interval '1 hour'
  from garbage_collection g
  left join (nodes n cross join lateral jsonb_array_elements(n.disks) d) on true
  left join trash_restores t on t.disk = decode(d->>'id', 'hex')
  order by n.id, d->>'id')";

// Disks that a live ring counts on are members, also those that no node tells of: nothing says that
// one of these was looked through but its row.
Result<void> add_members(PgConnection& connection, RestoreState& state, Deadline until) {
  TRY(const PgResult rows, connection.run(R"(
    select e.ring_table, g.restore_number from ring_epochs e, garbage_collection g
    where e.live and g.restore_number > 0)",
                                          {}, until));
  std::map<model::DiskId, model::NodeId> members;
  for (size_t i = 0; i < rows.rows(); ++i) {
    TRY(const ring::Ring ring, ring::Ring::parse(as_bytes(rows.bytes(i, 0))));
    for (const ring::Disk& disk : ring.disks()) members.emplace(disk.id, disk.node);
  }
  for (RestoreState::Disk& disk : state.disks) disk.member |= members.erase(disk.disk) > 0;
  if (members.empty()) return {};
  PgArray ids(Element::kBytes, members.size());
  for (const auto& [disk, node] : members) ids.add_bytes(raw(disk.view()));
  PgParameters parameters;
  std::move(ids).move_into(parameters);
  TRY(const PgResult done, connection.run(R"(
    select t.disk, t.blobs from trash_restores t, garbage_collection g
    where t.disk = any ($1::bytea[]) and t.number >= g.restore_number)",
                                          parameters, until));
  std::map<model::DiskId, uint64_t> blobs;
  for (size_t i = 0; i < done.rows(); ++i) {
    const auto disk = model::DiskId::from_bytes(as_bytes(done.bytes(i, 0)));
    if (disk) blobs.emplace(*disk, static_cast<uint64_t>(done.bigint(i, 1)));
  }
  for (const auto& [disk, node] : members) {
    const auto restored = blobs.find(disk);
    const bool is_done = restored != blobs.end();
    state.disks.push_back({disk, node, "", false, is_done, is_done ? restored->second : 0, true});
  }
  return {};
}

class PostgresRestoreStore final : public RestoreStore {
 public:
  PostgresRestoreStore(PgWorkers& workers, PgWorkers& reconcile)
      : workers_(workers), reconcile_(reconcile) {}

  async::Task<Result<uint64_t>> order_restore(Deadline deadline) override {
    return run_single<uint64_t>(
        workers_, deadline, [](PgConnection& connection, Deadline until) -> Result<uint64_t> {
          TRY(const PgResult row,
              connection.run("update garbage_collection set restore_number = restore_number + 1"
                             " returning restore_number",
                             {}, until));
          return static_cast<uint64_t>(row.bigint(0, 0));
        });
  }

  async::Task<Result<RestoreState>> restore_state(Deadline deadline) override {
    return run_single<RestoreState>(
        workers_, deadline, [](PgConnection& connection, Deadline until) -> Result<RestoreState> {
          TRY(const PgResult rows, connection.run(kRestoreState, {}, until));
          RestoreState state;
          for (size_t i = 0; i < rows.rows(); ++i) {
            state.number = static_cast<uint64_t>(rows.bigint(i, 0));
            if (rows.is_null(i, 1) || rows.is_null(i, 4)) continue;
            const auto node = model::NodeId::from_bytes(as_bytes(rows.bytes(i, 1)));
            const auto disk = model::DiskId::from_bytes(as_bytes(rows.bytes(i, 4)));
            if (!node || !disk) return fail(ErrorCode::kInternal, "the database answered a bad id");
            state.disks.push_back({*disk, *node, rows.text(i, 2), rows.boolean(i, 3),
                                   rows.boolean(i, 5), static_cast<uint64_t>(rows.bigint(i, 6)),
                                   rows.boolean(i, 7)});
          }
          TRY_VOID(add_members(connection, state, until));
          return state;
        });
  }

  async::Task<Result<std::vector<model::StreamId>>> referenced_streams(
      std::vector<model::StreamId> streams, Deadline deadline) override {
    auto work = [streams = std::move(streams)](
                    PgConnection& connection,
                    Deadline until) -> Result<std::vector<model::StreamId>> {
      PgArray ids(Element::kBytes, streams.size());
      for (const model::StreamId& stream : streams) ids.add_bytes(raw(stream.view()));
      PgParameters parameters;
      std::move(ids).move_into(parameters);
      const std::string sql = std::string(
                                  "with asked as materialized (select s from unnest($1::bytea[]) s)"
                                  " select distinct s from (") +
                              kInUse + ") used";
      TRY(const PgResult rows, run_through_tables(connection, sql, parameters, until));
      std::vector<model::StreamId> referenced;
      for (size_t i = 0; i < rows.rows(); ++i) {
        const auto id = model::StreamId::from_bytes(as_bytes(rows.bytes(i, 0)));
        if (!id) return fail(ErrorCode::kInternal, "the database answered a malformed stream id");
        referenced.push_back(*id);
      }
      return referenced;
    };
    return run_single<std::vector<model::StreamId>>(reconcile_, deadline, std::move(work));
  }

  async::Task<Result<void>> finish_restore(model::DiskId disk, uint64_t number, uint64_t blobs,
                                           uint64_t coordinator_token, Deadline deadline) override {
    return run_single<void>(workers_, deadline,
                            [=](PgConnection& connection, Deadline until) -> Result<void> {
                              PgParameters parameters;
                              parameters.add(static_cast<int64_t>(coordinator_token));
                              parameters.add_bytes(raw(disk.view()));
                              parameters.add(static_cast<int64_t>(number));
                              parameters.add(static_cast<int64_t>(blobs));
                              TRY(const PgResult done, connection.run(R"(
        insert into trash_restores as t (disk, number, blobs)
        select $2, $3::bigint, $4::bigint where (select token from coordinator) = $1
        on conflict (disk) do update set number = $3::bigint, blobs = $4::bigint, ended_at = now()
        where t.number < $3::bigint)",
                                                                      parameters, until));
                              (void)done;
                              return {};
                            });
  }

 private:
  PgWorkers& workers_;
  PgWorkers& reconcile_;
};

}  // namespace

std::unique_ptr<RestoreStore> make_restore_store(PgWorkers& workers, PgWorkers& reconcile) {
  return std::make_unique<PostgresRestoreStore>(workers, reconcile);
}

}  // namespace rondel::metadata
