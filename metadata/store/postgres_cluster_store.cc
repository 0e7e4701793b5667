#include "metadata/store/postgres_cluster_store.h"

#include <algorithm>

#include "common/base/encoding.h"
#include "metadata/store/node_disks.h"
#include "metadata/store/pg_call.h"
#include "metadata/store/pg_codec.h"
#include "metadata/store/second_look.h"

namespace rondel::metadata {
namespace {

using Element = PgArray::Element;

constexpr int64_t kCoordinatorLock = 0x726f6e64656c02;

// Commands of a coordinator change nothing unless its token is the highest; $1 is the token everywhere.
constexpr const char* kFence = "(select token from coordinator) = $1";

// Of the streams in `asked`, those that a version, a part or a queue row refers to: each table is gone through once.
constexpr const char* kReferenced =
    "select a.s from asked a join objects o on o.stream = a.s union all select a.s from asked a join versions v on v.stream = a.s"
    " union all select a.s from asked a join object_extents e on e.stream = a.s"
    " union all select a.s from asked a join upload_extents u on u.stream = a.s"
    " union all select a.s from asked a join released_streams r on r.stream = a.s";

constexpr int64_t kCounted = 10'000;   // Rows of a queue; more are estimated.

GarbageAges ages_of(const PgResult& row, int first) {
  const auto age = [&](int column) { return std::chrono::seconds(row.bigint(0, first + column)); };
  return {age(0), age(1), age(2)};
}

// What connections forbid the planner, for statements that seek single rows, is what going through a table needs.
Result<PgResult> run_through_tables(PgConnection& connection, const std::string& sql, const PgParameters& parameters, Deadline until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
  TRY_VOID(connection.script("begin; set local enable_seqscan = on; set local enable_hashjoin = on; set local statement_timeout = " +
                                 std::to_string(std::max<int64_t>(left, 1)), until));
  auto result = connection.run(sql, parameters, until);
  auto ended = connection.script(result ? "commit" : "rollback", until);
  if (result && !ended) return std::unexpected(ended.error());
  return result;
}

class PostgresClusterStore final : public ClusterStore {
 public:
  explicit PostgresClusterStore(std::string dsn)
      : shared_({dsn, 2, 1, 1024}, run_jobs), leader_({dsn, 1, 1, 16}, run_jobs), operators_({dsn, 1, 1, 16}, run_jobs),
        second_look_({dsn, 1, 1, 16}, run_jobs), reconcile_({std::move(dsn), 1, 1, 16}, run_jobs) {}

  async::Task<Result<model::ClusterId>> cluster_id(Deadline deadline) override {
    return run_single<model::ClusterId>(shared_, deadline, [](PgConnection& connection, Deadline until) -> Result<model::ClusterId> {
      TRY(const PgResult row, connection.run("select id from cluster", {}, until));
      const auto id = row.rows() == 1 ? model::ClusterId::from_bytes(as_bytes(row.bytes(0, 0))) : std::nullopt;
      if (!id) return fail(ErrorCode::kInternal, "the database has no cluster id: run `rondel migrate`");
      return *id;
    });
  }

  async::Task<Result<void>> record_node(NodeRecord node, Deadline deadline) override {
    auto work = [node = std::move(node)](PgConnection& connection, Deadline until) -> Result<void> {
      PgParameters parameters;
      parameters.add_bytes(raw(node.id.view()));
      parameters.add_text(node.address);
      parameters.add_text(node.operations_address);
      parameters.add_text(node.host);
      parameters.add_text(node.zone);
      parameters.add_text(disks_to_json(node.disks));
      TRY(const PgResult done,
          connection.run("insert into nodes values ($1, $2, $3, $4, $5, $6::text::jsonb, now()) on conflict (id) do update set"
                         " address = $2, operations_address = $3, host = $4, zone = $5, disks = excluded.disks, last_seen = now()",
                         parameters, until));
      (void)done;
      return {};
    };
    return run_single<void>(shared_, deadline, std::move(work));
  }

  async::Task<Result<std::vector<NodeRecord>>> list_nodes(Deadline deadline) override {
    return run_single<std::vector<NodeRecord>>(
        shared_, deadline, [](PgConnection& connection, Deadline until) -> Result<std::vector<NodeRecord>> {
          TRY(const PgResult rows,
              connection.run("select id, address, operations_address, host, zone, disks::text,"
                             " (extract(epoch from last_seen) * 1000000)::bigint from nodes order by id",
                             {}, until));
          std::vector<NodeRecord> nodes;
          for (size_t i = 0; i < rows.rows(); ++i) {
            NodeRecord node;
            node.id = model::NodeId::from_bytes(as_bytes(rows.bytes(i, 0))).value_or(model::NodeId{});
            node.address = rows.text(i, 1);
            node.operations_address = rows.text(i, 2);
            node.host = rows.text(i, 3);
            node.zone = rows.text(i, 4);
            TRY(node.disks, disks_from_json(rows.bytes(i, 5)));
            node.last_seen = from_microseconds(rows.bigint(i, 6));
            nodes.push_back(std::move(node));
          }
          return nodes;
        });
  }

  async::Task<Result<RingState>> ring_state(Deadline deadline) override {
    return run_single<RingState>(shared_, deadline, [](PgConnection& connection, Deadline until) -> Result<RingState> {
      TRY(const PgResult rows,
          connection.run("select s.min_epoch, e.epoch, e.ring_table from ring_state s left join ring_epochs e on e.live"
                         " order by e.epoch desc", {}, until));
      RingState state;
      for (size_t i = 0; i < rows.rows(); ++i) {
        state.min_epoch = static_cast<uint64_t>(rows.bigint(i, 0));
        if (!rows.is_null(i, 1)) state.live.push_back({static_cast<uint64_t>(rows.bigint(i, 1)), rows.text(i, 2)});
      }
      return state;
    });
  }

  async::Task<Result<void>> publish_ring(RingEpoch epoch, uint64_t retire_before, uint64_t min_epoch, uint64_t coordinator_token,
                                         Deadline deadline) override {
    auto work = [=, epoch = std::move(epoch)](PgConnection& connection, Deadline until) -> Result<void> {
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(coordinator_token));
      parameters.add(static_cast<int64_t>(epoch.epoch));
      parameters.add_bytes(epoch.table);
      parameters.add(static_cast<int64_t>(retire_before));
      parameters.add(static_cast<int64_t>(min_epoch));
      TRY(const PgResult row,
          connection.run(std::string("with added as (insert into ring_epochs (epoch, ring_table) select $2, $3 where ") + kFence +
                             " and $2 = coalesce((select max(epoch) from ring_epochs), 0) + 1 on conflict do nothing returning epoch),"
                             " retired as (update ring_epochs set live = false where live and epoch < $4 and exists (select 1 from added)),"
                             " raised as (update ring_state set min_epoch = greatest(min_epoch, $5) where exists (select 1 from added))"
                             " select count(*) from added",
                         parameters, until));
      if (row.bigint(0, 0) != 1) return fail(ErrorCode::kPrecondition, "the epoch is not the next one, or another gateway coordinates");
      return {};
    };
    return run_single<void>(shared_, deadline, std::move(work));
  }

  // The lock belongs to the session of leader_: while that lives nobody else can take it.
  async::Task<Result<std::optional<uint64_t>>> claim_coordinator(Deadline deadline) override {
    using Token = std::optional<uint64_t>;
    return run_single<Token>(leader_, deadline, [this](PgConnection& connection, Deadline until) -> Result<Token> {
      PgParameters lock;
      lock.add(kCoordinatorLock);
      TRY(const PgResult held,
          connection.run("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and granted"
                         " and classid::bigint = $1::bigint >> 32 and objid::bigint = $1::bigint & 4294967295", lock, until));
      if (held.bigint(0, 0) > 0) return Token(token_);
      TRY(const PgResult taken, connection.run("select pg_try_advisory_lock($1)", lock, until));
      if (!taken.boolean(0, 0)) return Token();
      TRY(const PgResult raised, connection.run("update coordinator set token = token + 1 returning token", {}, until));
      token_ = static_cast<uint64_t>(raised.bigint(0, 0));
      return Token(token_);
    });
  }

  void resign_coordinator() override {
    auto job = std::make_unique<SingleJob<Result<void>>>(
        [](PgConnection& connection, Deadline until) -> Result<void> {
          TRY(const PgResult done, connection.run("select pg_advisory_unlock_all()", {}, until));
          (void)done;
          return {};
        },
        deadline_in(std::chrono::seconds(1)));
    std::unique_ptr<PgJob> base = std::move(job);
    (void)leader_.submit(Lane::kSingle, base);
  }

  async::Task<Result<std::vector<ReleasedStream>>> take_released(SystemTime before, size_t max, uint64_t coordinator_token,
                                                                 Deadline deadline) override {
    auto work = [=](PgConnection& connection, Deadline until) -> Result<std::vector<ReleasedStream>> {
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(coordinator_token));
      parameters.add(before.time_since_epoch().count());
      parameters.add(static_cast<int64_t>(max));
      TRY(const PgResult rows,
          connection.run(std::string("select id, stream, size, (extract(epoch from released_at) * 1000000)::bigint from released_streams"
                                     " where checked_at is not null and ") + kFence +
                             " and released_at <= to_timestamp($2::bigint / 1000000.0) order by checked_at, id limit $3",
                         parameters, until));
      std::vector<ReleasedStream> released;
      for (size_t i = 0; i < rows.rows(); ++i) {
        released.push_back({rows.bigint(i, 0), model::StreamId::from_bytes(as_bytes(rows.bytes(i, 1))).value_or(model::StreamId{}),
                            static_cast<uint64_t>(rows.bigint(i, 2)), from_microseconds(rows.bigint(i, 3))});
      }
      return released;
    };
    return run_single<std::vector<ReleasedStream>>(shared_, deadline, std::move(work));
  }

  async::Task<Result<CheckedReleases>> check_released(SystemTime before, size_t max, uint64_t coordinator_token, Deadline deadline) override {
    return run_single<CheckedReleases>(second_look_, deadline, [=](PgConnection& connection, Deadline until) {
      return metadata::check_released(connection, before, max, coordinator_token, until);
    });
  }

  async::Task<Result<void>> finish_released(std::vector<int64_t> ids, uint64_t coordinator_token, Deadline deadline) override {
    auto work = [ids = std::move(ids), coordinator_token](PgConnection& connection, Deadline until) -> Result<void> {
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(coordinator_token));
      PgArray rows(Element::kBigint, ids.size());
      for (const int64_t id : ids) rows.add(id);
      std::move(rows).move_into(parameters);
      TRY(const PgResult done,
          connection.run(std::string("delete from released_streams where ") + kFence + " and id = any ($2::bigint[])", parameters, until));
      (void)done;
      return {};
    };
    return run_single<void>(shared_, deadline, std::move(work));
  }

  async::Task<Result<std::vector<model::StreamId>>> unreferenced_streams(std::vector<model::StreamId> streams,
                                                                         Deadline deadline) override {
    auto work = [streams = std::move(streams)](PgConnection& connection, Deadline until) -> Result<std::vector<model::StreamId>> {
      PgArray ids(Element::kBytes, streams.size());
      for (const model::StreamId& stream : streams) ids.add_bytes(raw(stream.view()));
      PgParameters parameters;
      std::move(ids).move_into(parameters);
      TRY(const PgResult rows,
          run_through_tables(connection, std::string("with asked as materialized (select s from unnest($1::bytea[]) s)"
                                                     " select s from asked except (") + kReferenced + ")", parameters, until));
      std::vector<model::StreamId> unreferenced;
      for (size_t i = 0; i < rows.rows(); ++i) {
        if (const auto id = model::StreamId::from_bytes(as_bytes(rows.bytes(i, 0)))) unreferenced.push_back(*id);
      }
      return unreferenced;
    };
    return run_single<std::vector<model::StreamId>>(reconcile_, deadline, std::move(work));
  }

  async::Task<Result<void>> release_orphans(std::vector<ReleasedStream> orphans, OrphanCounts counts, uint64_t coordinator_token,
                                            Deadline deadline) override {
    auto work = [orphans = std::move(orphans), counts = std::move(counts), coordinator_token](PgConnection& connection, Deadline until) -> Result<void> {
      PgArray ids(Element::kBytes, orphans.size()), sizes(Element::kBigint, orphans.size());
      for (const ReleasedStream& orphan : orphans) {
        ids.add_bytes(raw(orphan.stream.view()));
        sizes.add(static_cast<int64_t>(orphan.size));
      }
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(coordinator_token));
      std::move(ids).move_into(parameters);
      std::move(sizes).move_into(parameters);
      PgArray disks(Element::kBytes, counts.size()), blobs(Element::kBigint, counts.size());
      for (const auto& [disk, count] : counts) {
        disks.add_bytes(raw(disk.view()));
        blobs.add(static_cast<int64_t>(count));
      }
      std::move(disks).move_into(parameters);
      std::move(blobs).move_into(parameters);
      TRY(const PgResult done,
          run_through_tables(connection, std::string("with counted as (insert into orphan_releases (disk, blobs)"
                                                     " select * from unnest($4::bytea[], $5::bigint[]) where ") + kFence +
                                             "), asked as materialized (select * from unnest($2::bytea[], $3::bigint[]) t (s, size)),"
                                             " orphans as (select s from asked except (" + kReferenced +
                                             ")) insert into released_streams (stream, size) select s, size from asked join orphans using (s) where " +
                                             kFence, parameters, until));
      (void)done;
      return {};
    };
    return run_single<void>(reconcile_, deadline, std::move(work));
  }

  async::Task<Result<model::MetadataGeneration>> metadata_generation(Deadline deadline) override {
    using Generation = model::MetadataGeneration;
    return run_single<Generation>(shared_, deadline, [](PgConnection& connection, Deadline until) -> Result<Generation> {
      TRY(const PgResult row,
          connection.run("select accepted, (select system_identifier from pg_control_system()),"
                         " ('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::bigint,"
                         " (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint from garbage_collection", {}, until));
      return Generation{static_cast<uint64_t>(row.bigint(0, 0)), static_cast<uint64_t>(row.bigint(0, 1)),
                        static_cast<uint64_t>(row.bigint(0, 2)), static_cast<uint64_t>(row.bigint(0, 3))};
    });
  }

  async::Task<Result<GarbageState>> garbage_state(Deadline deadline) override {
    return run_single<GarbageState>(shared_, deadline, [](PgConnection& connection, Deadline until) -> Result<GarbageState> {
      TRY(const PgResult row, connection.run("select halted, coalesce((extract(epoch from halted_at) * 1000000)::bigint, 0), allowance,"
                                             " (extract(epoch from now()) * 1000000)::bigint, grace_s, trash_s, orphan_age_s"
                                             " from garbage_collection", {}, until));
      return GarbageState{row.text(0, 0), from_microseconds(row.bigint(0, 1)), static_cast<uint64_t>(row.bigint(0, 2)),
                          from_microseconds(row.bigint(0, 3)), ages_of(row, 4)};
    });
  }

  async::Task<Result<OrphanCounts>> recent_orphans(std::chrono::seconds within, Deadline deadline) override {
    return run_single<OrphanCounts>(shared_, deadline, [within](PgConnection& connection, Deadline until) -> Result<OrphanCounts> {
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(within.count()));
      TRY(const PgResult rows, connection.run("select disk, sum(blobs)::bigint from orphan_releases"
                                              " where released_at > now() - $1::bigint * interval '1 second' group by disk", parameters, until));
      OrphanCounts counts;
      for (size_t i = 0; i < rows.rows(); ++i) {
        counts[model::DiskId::from_bytes(as_bytes(rows.bytes(i, 0))).value_or(model::DiskId{})] = static_cast<uint64_t>(rows.bigint(i, 1));
      }
      return counts;
    });
  }

  async::Task<Result<GarbageAges>> raise_garbage_ages(GarbageAges ages, Deadline deadline) override {
    return run_single<GarbageAges>(shared_, deadline, [ages](PgConnection& connection, Deadline until) -> Result<GarbageAges> {
      PgParameters parameters;
      for (const auto& age : {ages.grace, ages.trash, ages.orphan_age}) parameters.add(static_cast<int64_t>(age.count()));
      TRY(const PgResult row, connection.run("update garbage_collection set grace_s = greatest(grace_s, $1), trash_s = greatest(trash_s, $2),"
                                             " orphan_age_s = greatest(orphan_age_s, $3) returning grace_s, trash_s, orphan_age_s", parameters, until));
      return ages_of(row, 0);
    });
  }

  async::Task<Result<void>> set_garbage_ages(std::optional<std::chrono::seconds> grace, std::optional<std::chrono::seconds> trash,
                                             std::optional<std::chrono::seconds> orphan_age, Deadline deadline) override {
    return run_single<void>(shared_, deadline, [=](PgConnection& connection, Deadline until) -> Result<void> {
      PgParameters parameters;
      for (const auto& age : {grace, trash, orphan_age}) age ? parameters.add(static_cast<int64_t>(age->count())) : parameters.add_null();
      TRY(const PgResult done, connection.run("update garbage_collection set grace_s = coalesce($1::bigint, grace_s),"
                                              " trash_s = coalesce($2::bigint, trash_s), orphan_age_s = coalesce($3::bigint, orphan_age_s)",
                                              parameters, until));
      (void)done;
      return {};
    });
  }

  async::Task<Result<void>> halt_garbage(std::string reason, uint64_t coordinator_token, Deadline deadline) override {
    return run_single<void>(shared_, deadline, [=](PgConnection& connection, Deadline until) -> Result<void> {
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(coordinator_token));
      parameters.add_text(reason);
      TRY(const PgResult done, connection.run(std::string("update garbage_collection set halted = $2, halted_at = now() where halted = '' and ") +
                                                  kFence, parameters, until));
      (void)done;
      return {};
    });
  }

  // The clock makes the number greater than any that an older copy of this database can come to.
  async::Task<Result<void>> resume_garbage(uint64_t allowance, Deadline deadline) override {
    return run_single<void>(shared_, deadline, [=](PgConnection& connection, Deadline until) -> Result<void> {
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(allowance));
      TRY(const PgResult done,
          connection.run("with forgotten as (delete from orphan_releases)"
                         " update garbage_collection set halted = '', halted_at = null, allowance = $1,"
                         " accepted = greatest(accepted + 1, extract(epoch from clock_timestamp())::bigint)", parameters, until));
      (void)done;
      return {};
    });
  }

  async::Task<Result<void>> end_garbage_pass(uint64_t coordinator_token, Deadline deadline) override {
    return run_single<void>(shared_, deadline, [=](PgConnection& connection, Deadline until) -> Result<void> {
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(coordinator_token));
      TRY(const PgResult done,
          connection.run(std::string("with forgotten as (delete from orphan_releases where released_at <"
                                     " now() - (select orphan_age_s from garbage_collection) * interval '1 second' and ") + kFence +
                             ") update garbage_collection set allowance = 0 where allowance > 0 and " + kFence, parameters, until));
      (void)done;
      return {};
    });
  }

  async::Task<Result<uint64_t>> forget_completed_uploads(SystemTime before, Deadline deadline) override {
    return run_single<uint64_t>(shared_, deadline, [before](PgConnection& connection, Deadline until) -> Result<uint64_t> {
      PgParameters parameters;
      parameters.add(before.time_since_epoch().count());
      TRY(const PgResult done,
          connection.run("delete from completed_uploads where completed_at < to_timestamp($1::bigint / 1000000.0)", parameters, until));
      return done.affected();
    });
  }

  async::Task<Result<QueueDepths>> queue_depths(Deadline deadline) override {
    return run_single<QueueDepths>(operators_, deadline, [](PgConnection& connection, Deadline until) -> Result<QueueDepths> {
      // A row has the lower number, the earlier it was released: its index finds the oldest.
      TRY(const PgResult row,
          connection.run("select (select count(*) from (select from released_streams limit 10000) few),"
                         " (select greatest(reltuples, 0)::bigint from pg_class where oid = 'released_streams'::regclass),"
                         " (select (extract(epoch from released_at) * 1000000)::bigint from released_streams order by id limit 1),"
                         " (select count(*) from (select from uploads limit 10000) few),"
                         " (select greatest(reltuples, 0)::bigint from pg_class where oid = 'uploads'::regclass),"
                         " (select count(*) from (select from referenced_releases limit 10000) few)", {}, until));
      const auto depth = [&row](int counted) {
        const int64_t count = row.bigint(0, counted);
        return static_cast<uint64_t>(count < kCounted ? count : std::max(count, row.bigint(0, counted + 1)));
      };
      QueueDepths depths;
      depths.released = depth(0);
      depths.oldest_released = from_microseconds(row.bigint(0, 2));
      depths.uploads_open = depth(3);
      depths.referenced = static_cast<uint64_t>(row.bigint(0, 5));
      return depths;
    });
  }

 private:
  static void run_jobs(Lane, PgConnection& connection, PgWorkers::Batch batch) {
    for (const auto& job : batch) static_cast<ConnectionJob*>(job.get())->run(connection);
  }

  uint64_t token_ = 0;  // Used on leader_'s one thread alone.
  PgWorkers shared_;
  PgWorkers leader_;
  PgWorkers operators_;  // What people ask: never before the heartbeats of nodes.
  PgWorkers second_look_;  // So too.
  PgWorkers reconcile_;  // Statements of minutes: behind them the heartbeats of nodes would wait.
};

}  // namespace

std::unique_ptr<ClusterStore> make_postgres_cluster_store(std::string dsn) {
  return std::make_unique<PostgresClusterStore>(std::move(dsn));
}

}  // namespace rondel::metadata
