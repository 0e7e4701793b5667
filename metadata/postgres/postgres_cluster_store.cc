#include "metadata/postgres/postgres_cluster_store.h"

#include <algorithm>

#include "common/base/encoding.h"
#include "metadata/postgres/node_disks.h"
#include "metadata/postgres/pg_call.h"
#include "metadata/postgres/pg_codec.h"
#include "metadata/postgres/second_look.h"
#include "metadata/postgres/sql_names.h"

namespace rondel::metadata {
namespace {

using Element = PgArray::Element;

constexpr int64_t kCoordinatorLock = 0x726f6e64656c02;

// Commands of a coordinator change nothing unless its token is the highest; $1 is the token everywhere.
constexpr const char* kFence = "(select token from coordinator) = $1";

// Of the streams in `asked`, those that a version or part refers to: each table is gone through once.
constexpr const char* kInUse = R"(
  select a.s from asked a join objects o on o.stream = a.s
  union all select a.s from asked a join versions v on v.stream = a.s
  union all select a.s from asked a join object_extents e on e.stream = a.s
  union all select a.s from asked a join upload_extents u on u.stream = a.s)";
// And those in the queue.
constexpr const char* kOrQueued =
    " union all select a.s from asked a join released_streams r on r.stream = a.s";

// accepted, system, newest mark: from garbage_collection g.
constexpr const char* kGeneration = R"(
    g.accepted, (select system_identifier from pg_control_system()), m.counter, m.value
  from garbage_collection g
  left join lateral (
    select counter, value from cluster_marks order by counter desc limit 1) m on true)";

// Trash and journal end sooner. Of the oldest only: what is kept there, because a node has it, is
// little. A node may have been told of some marks after the last that it spoke of.
constexpr const char* kForgetMarks = R"(
  delete from cluster_marks where counter in (
    select o.counter
    from (select counter, written_at from cluster_marks order by counter limit 2000) o,
      garbage_collection g
    where o.written_at < now() - interval '9 days' - g.trash_s * interval '1 second'
      and o.counter < (select max(counter) from cluster_marks) - 20000
      and not exists (
        select from nodes n
        where o.counter = n.seen_mark or o.counter between n.told_mark and n.told_mark + 60)))";

// $1 to $6 as in the table, $7 to $11 what the node remembers, $12 its highest order. A database
// that the node does not recognize must never come to hold what the node remembers.
constexpr const char* kRecordNode = R"(
  with known as (
    select recognize_memory($1, $7::bigint, $8::bigint, $9::bigint, $10::bigint, $11::bigint) r),
  recorded as (
    insert into nodes as n (id, address, operations_address, host, zone, disks, last_seen, beat,
      recognition, recognized_under, seen_accepted, seen_mark, told_mark, highest_order)
    select $1, $2, $3, $4, $5, $6::text::jsonb, now(), (r in (:Recognition.kHeld, :Recognition.kConfirmed))::int, r, g.accepted, $7::bigint,
      case when r in (:Recognition.kHeld, :Recognition.kConfirmed) then $9::bigint else 0 end,
      case when r in (:Recognition.kHeld, :Recognition.kConfirmed) then (select max(counter) from cluster_marks) else 0 end, $12::bigint
    from known, garbage_collection g
    on conflict (id) do update set
      address = $2, operations_address = $3, host = $4, zone = $5, disks = excluded.disks,
      last_seen = now(),
      beat = n.beat + (excluded.recognition in (:Recognition.kHeld, :Recognition.kConfirmed))::int,
      recognition = excluded.recognition,
      recognized_under = excluded.recognized_under,
      seen_accepted = greatest(n.seen_accepted, excluded.seen_accepted),
      seen_mark = case when excluded.recognition in (:Recognition.kHeld, :Recognition.kConfirmed)
        then excluded.seen_mark else n.seen_mark end,
      told_mark = case when excluded.recognition in (:Recognition.kHeld, :Recognition.kConfirmed)
        then excluded.told_mark else n.told_mark end,
      highest_order = greatest(n.highest_order, excluded.highest_order)
    returning n.recognition, n.beat)
  select (select recognition from recorded), (select beat from recorded), g.halted <> '',
    exists (
      select from jsonb_array_elements($6::text::jsonb) d
      left join trash_restores t on t.disk = decode(d->>'id', 'hex')
      where coalesce(t.number, 0) < g.restore_number),)";

constexpr const char* kRestoreState = R"(
  select g.restore_number, n.id, n.address, n.last_seen > now() - interval '10 seconds',
    decode(d->>'id', 'hex'), coalesce(t.number, 0) >= g.restore_number, coalesce(t.blobs, 0)
  from garbage_collection g
  left join (nodes n cross join lateral jsonb_array_elements(n.disks) d) on true
  left join trash_restores t on t.disk = decode(d->>'id', 'hex')
  order by n.id, d->>'id')";

constexpr int64_t kCounted = 10'000;   // Rows of a queue; more are estimated.

GarbageAges ages_of(const PgResult& row, int first) {
  const auto age = [&](int column) { return std::chrono::seconds(row.bigint(0, first + column)); };
  return {age(0), age(1), age(2)};
}

model::MetadataGeneration generation_of(const PgResult& row, int first) {
  const auto number = [&](int column) -> uint64_t {
    if (row.is_null(0, first + column)) return 0;
    return static_cast<uint64_t>(row.bigint(0, first + column));
  };
  return {number(0), number(1), {number(2), number(3)}, 0};
}

// accepted, system, counter, value, beat.
void add_generation(PgParameters& parameters, const model::MetadataGeneration& seen) {
  const auto& [counter, value] = seen.mark;
  for (const uint64_t number : {seen.accepted, seen.system, counter, value, seen.beat}) {
    parameters.add(static_cast<int64_t>(number));
  }
}

std::string text_of(bool halted, bool restores_wait) {
  if (halted) return "garbage collection is halted";
  return restores_wait ? "the trash is yet to be looked through for what rows refer to" : "";
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

  async::Task<Result<Greeting>> record_node(NodeRecord node, Deadline deadline) override {
    auto work = [node = std::move(node)](PgConnection& connection,
        Deadline until) -> Result<Greeting> {
      PgParameters parameters;
      parameters.add_bytes(raw(node.id.view()));
      parameters.add_text(node.address);
      parameters.add_text(node.operations_address);
      parameters.add_text(node.host);
      parameters.add_text(node.zone);
      parameters.add_text(disks_to_json(node.disks));
      add_generation(parameters, node.seen);
      parameters.add(static_cast<int64_t>(node.highest_order));
      TRY(const PgResult row,
          connection.run(named_sql(std::string(kRecordNode) + kGeneration), parameters, until));
      Greeting greeting;
      greeting.recognition = static_cast<model::Recognition>(row.smallint(0, 0));
      greeting.database = generation_of(row, 4);
      greeting.database.beat = static_cast<uint64_t>(row.bigint(0, 1));
      greeting.purging_stopped = text_of(row.boolean(0, 2), row.boolean(0, 3));
      return greeting;
    };
    return run_single<Greeting>(shared_, deadline, std::move(work));
  }

  async::Task<Result<Recognized>> recognize(model::NodeId node, model::MetadataGeneration seen,
      Deadline deadline) override {
    return run_single<Recognized>(shared_, deadline, [=](PgConnection& connection,
        Deadline until) -> Result<Recognized> {
      PgParameters parameters;
      parameters.add_bytes(raw(node.view()));
      add_generation(parameters, seen);
      const std::string sql = std::string("select recognize_memory($1, $2::bigint, $3::bigint,"
                                          " $4::bigint, $5::bigint, $6::bigint), ") + kGeneration;
      TRY(const PgResult row, connection.run(sql, parameters, until));
      return Recognized{static_cast<model::Recognition>(row.smallint(0, 0)), generation_of(row, 1)};
    });
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
          connection.run("select s.min_epoch, e.epoch, e.ring_table, (extract(epoch from clock_timestamp()) * 1000000)::bigint from ring_state s left join ring_epochs e on e.live"
                         " order by e.epoch desc", {}, until));
      RingState state;
      for (size_t i = 0; i < rows.rows(); ++i) {
        state.min_epoch = static_cast<uint64_t>(rows.bigint(i, 0));
        state.now = from_microseconds(rows.bigint(i, 3));
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
      // The mark goes with the token: a node that has seen the one misses the other where they are
      // lost.
      TRY(const PgResult raised, connection.run(R"(
        with raised as (update coordinator set token = token + 1 returning token)
        select r.token, m.counter from raised r cross join lateral write_mark() m)", {}, until));
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
                                                     " select s from asked except (") + kInUse + kOrQueued + ")", parameters, until));
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
                                                     " select disk, blobs from unnest($4::bytea[], $5::bigint[]) as c(disk, blobs) where ") + kFence +
                                             "), asked as materialized (select * from unnest($2::bytea[], $3::bigint[]) t (s, size)),"
                                             " orphans as (select s from asked except (" + kInUse + kOrQueued +
                                             ")) insert into released_streams (stream, size) select s, size from asked join orphans using (s) where " +
                                             kFence, parameters, until));
      (void)done;
      return {};
    };
    return run_single<void>(reconcile_, deadline, std::move(work));
  }

  async::Task<Result<NewMark>> write_mark(model::MetadataMark before, uint64_t coordinator_token,
      Deadline deadline) override {
    return run_single<NewMark>(shared_, deadline, [=](PgConnection& connection,
        Deadline until) -> Result<NewMark> {
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(coordinator_token));
      parameters.add(static_cast<int64_t>(before.counter));
      parameters.add(static_cast<int64_t>(before.value));
      TRY(const PgResult row, connection.run(R"(
        select $2::bigint = 0
            or exists (select from cluster_marks p where p.counter = $2 and p.value = $3::bigint),
          g.accepted, (select system_identifier from pg_control_system()), m.counter, m.value
        from coordinator c
        cross join garbage_collection g
        cross join lateral write_mark() m
        where c.token = $1)", parameters, until));
      if (row.rows() != 1) return fail(ErrorCode::kPrecondition, "a newer coordinator commands");
      NewMark written{generation_of(row, 1), row.boolean(0, 0)};
      TRY(const PgResult forgotten, connection.run(kForgetMarks, {}, until));
      (void)forgotten;
      return written;
    });
  }

  async::Task<Result<uint64_t>> next_order(uint64_t above, uint64_t coordinator_token,
      Deadline deadline) override {
    return run_single<uint64_t>(shared_, deadline, [=](PgConnection& connection,
        Deadline until) -> Result<uint64_t> {
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(coordinator_token));
      parameters.add(static_cast<int64_t>(above));
      TRY(const PgResult row, connection.run(R"(
        update removal_orders set number = greatest(
          number, $2::bigint, (select coalesce(max(highest_order), 0) from nodes)) + 1
        where (select token from coordinator) = $1
        returning number)", parameters, until));
      if (row.rows() != 1) return fail(ErrorCode::kPrecondition, "a newer coordinator commands");
      return static_cast<uint64_t>(row.bigint(0, 0));
    });
  }

  async::Task<Result<std::vector<model::StreamId>>> referenced_streams(
      std::vector<model::StreamId> streams, Deadline deadline) override {
    auto work = [streams = std::move(streams)](PgConnection& connection,
        Deadline until) -> Result<std::vector<model::StreamId>> {
      PgArray ids(Element::kBytes, streams.size());
      for (const model::StreamId& stream : streams) ids.add_bytes(raw(stream.view()));
      PgParameters parameters;
      std::move(ids).move_into(parameters);
      const std::string sql =
          std::string("with asked as materialized (select s from unnest($1::bytea[]) s)"
                      " select distinct s from (") + kInUse + ") used";
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

  async::Task<Result<uint64_t>> order_restore(Deadline deadline) override {
    return run_single<uint64_t>(shared_, deadline, [](PgConnection& connection,
        Deadline until) -> Result<uint64_t> {
      TRY(const PgResult row, connection.run(
          "update garbage_collection set restore_number = restore_number + 1"
          " returning restore_number", {}, until));
      return static_cast<uint64_t>(row.bigint(0, 0));
    });
  }

  async::Task<Result<RestoreState>> restore_state(Deadline deadline) override {
    return run_single<RestoreState>(shared_, deadline, [](PgConnection& connection,
        Deadline until) -> Result<RestoreState> {
      TRY(const PgResult rows, connection.run(kRestoreState, {}, until));
      RestoreState state;
      for (size_t i = 0; i < rows.rows(); ++i) {
        state.number = static_cast<uint64_t>(rows.bigint(i, 0));
        if (rows.is_null(i, 1) || rows.is_null(i, 4)) continue;
        const auto node = model::NodeId::from_bytes(as_bytes(rows.bytes(i, 1)));
        const auto disk = model::DiskId::from_bytes(as_bytes(rows.bytes(i, 4)));
        if (!node || !disk) return fail(ErrorCode::kInternal, "the database answered a bad id");
        state.disks.push_back({*disk, *node, rows.text(i, 2), rows.boolean(i, 3),
            rows.boolean(i, 5), static_cast<uint64_t>(rows.bigint(i, 6))});
      }
      return state;
    });
  }

  async::Task<Result<void>> finish_restore(model::DiskId disk, uint64_t number, uint64_t blobs,
                                           uint64_t coordinator_token, Deadline deadline) override {
    return run_single<void>(shared_, deadline, [=](PgConnection& connection,
        Deadline until) -> Result<void> {
      PgParameters parameters;
      parameters.add(static_cast<int64_t>(coordinator_token));
      parameters.add_bytes(raw(disk.view()));
      parameters.add(static_cast<int64_t>(number));
      parameters.add(static_cast<int64_t>(blobs));
      TRY(const PgResult done, connection.run(R"(
        insert into trash_restores as t (disk, number, blobs)
        select $2, $3::bigint, $4::bigint where (select token from coordinator) = $1
        on conflict (disk) do update set number = $3::bigint, blobs = $4::bigint, ended_at = now()
        where t.number < $3::bigint)", parameters, until));
      (void)done;
      return {};
    });
  }

  async::Task<Result<GarbageState>> garbage_state(Deadline deadline) override {
    return run_single<GarbageState>(
        shared_, deadline, [](PgConnection& connection, Deadline until) -> Result<GarbageState> {
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

  // A database that was set back has an older number than nodes have seen: theirs counts as well.
  async::Task<Result<void>> resume_garbage(uint64_t allowance, Deadline deadline) override {
    return run_single<void>(shared_, deadline, [=](PgConnection& connection, Deadline until) -> Result<void> {
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
