#include "metadata/store/node_store.h"

#include "metadata/connection/pg_call.h"
#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_generation.h"
#include "metadata/connection/pg_stores.h"
#include "metadata/connection/sql_names.h"
#include "metadata/postgres/node_disks.h"

namespace rondel::metadata {
namespace {

// $1 to $6 as in the table, $7 to $11 what the node remembers, $12 its highest order, $13 its name.
// A database that the node does not recognize must never come to hold what the node remembers.
constexpr const char* kRecordNode = R"(
  with known as (
    select recognize_memory($1, $7::bigint, $8::bigint, $9::bigint, $10::bigint, $11::bigint) r),
  recorded as (
    insert into nodes as n (id, address, operations_address, host, zone, disks, last_seen, beat,
      recognition, recognized_under, seen_accepted, seen_mark, told_mark, highest_order, name)
    select $1, $2, $3, $4, $5, $6::text::jsonb, now(), (r in (:Recognition.kHeld, :Recognition.kConfirmed))::int, r, g.accepted, $7::bigint,
      case when r in (:Recognition.kHeld, :Recognition.kConfirmed) then $9::bigint else 0 end,
      case when r in (:Recognition.kHeld, :Recognition.kConfirmed) then (select max(counter) from cluster_marks) else 0 end, $12::bigint,
      nullif($13, '')
    from known, garbage_collection g
    where not exists (select from nodes o where o.name = $13 and o.id <> $1)
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
      highest_order = greatest(n.highest_order, excluded.highest_order),
      name = coalesce(n.name, excluded.name)
    where n.name is null or excluded.name is null or n.name = excluded.name
    returning n.recognition, n.beat)
  select (select recognition from recorded), (select beat from recorded),)";

// The same parameters; the number of the last heartbeat that was recorded. One that is refused has
// no recognition here, as there.
constexpr const char* kGreetNode = R"(
  with known as (
    select recognize_memory($1, $7::bigint, $8::bigint, $9::bigint, $10::bigint, $11::bigint) r
    where not exists (
      select from nodes o
      where (o.name = $13 and o.id <> $1) or (o.id = $1 and o.name <> $13 and $13 <> ''))),
  unused as (select $2, $3, $4, $5, $12::bigint)
  select (select r from known), coalesce((select beat from nodes where id = $1), 0),)";

// What both go on with.
constexpr const char* kGreeting = R"( g.halted <> '', (
      select coalesce(string_agg(decode(d->>'id', 'hex'), ''::bytea), ''::bytea)
      from jsonb_array_elements($6::text::jsonb) d
      left join trash_restores t on t.disk = decode(d->>'id', 'hex')
      where coalesce(t.number, 0) >= g.restore_number),
    (select token from coordinator),
    (select greatest(o.number, (select coalesce(max(highest_order), 0) from nodes))
     from removal_orders o),)";

// Of a node that was refused: whose the name is, and which name the node has.
constexpr const char* kNameConflict = R"(
  select coalesce((select encode(id, 'hex') from nodes where name = $2 and id <> $1), ''),
    coalesce((select name from nodes where id = $1), ''))";

Result<std::vector<model::DiskId>> disks_of(std::string_view bytes) {
  std::vector<model::DiskId> disks;
  for (; !bytes.empty(); bytes.remove_prefix(model::DiskId::kBytes)) {
    const auto disk = model::DiskId::from_bytes(as_bytes(bytes.substr(0, model::DiskId::kBytes)));
    if (!disk) return fail(ErrorCode::kInternal, "the database answered a bad id");
    disks.push_back(*disk);
  }
  return disks;
}

class PostgresNodeStore final : public NodeStore {
 public:
  PostgresNodeStore(PgWorkers& looks, PgWorkers& writes) : looks_(looks), writes_(writes) {}

  async::Task<Result<Greeting>> greet(NodeRecord node, Deadline deadline) override {
    return run_greeting(looks_, kGreetNode, std::move(node), deadline);
  }

  async::Task<Result<Greeting>> record_node(NodeRecord node, Deadline deadline) override {
    return run_greeting(writes_, kRecordNode, std::move(node), deadline);
  }

  async::Task<Result<bool>> forget_name(std::string name, Deadline deadline) override {
    return run_single<bool>(
        writes_, deadline,
        [name = std::move(name)](PgConnection& connection, Deadline until) -> Result<bool> {
          PgParameters parameters;
          parameters.add_text(name);
          TRY(const PgResult done,
              connection.run("update nodes set name = null, disks = '[]' where name = $1",
                             parameters, until));
          return done.affected() > 0;
        });
  }

  async::Task<Result<HeardClocks>> exchange_clocks(ToldClocks told, Deadline deadline) override {
    auto work = [told = std::move(told)](PgConnection& connection,
                                         Deadline until) -> Result<HeardClocks> {
      const auto optional = [](const auto& value) -> std::optional<std::string> {
        return value ? std::optional(std::to_string(value->count())) : std::nullopt;
      };
      const auto& reached = told.reached;
      const auto noticed = reached.value_or(ReachedTime{});
      PgParameters parameters;
      parameters.add_bytes(raw(told.gateway.view()));
      parameters.add_optional_text(optional(told.ahead));
      parameters.add_text(told.boot.boot);
      parameters.add(static_cast<int64_t>(told.boot.time.count()));
      parameters.add_optional_text(
          reached ? std::optional(std::to_string(reached->time.time_since_epoch().count()))
                  : std::nullopt);
      parameters.add(static_cast<int64_t>(told.accepted));
      parameters.add(static_cast<int64_t>(noticed.set_back_for.count()));
      parameters.add(static_cast<int64_t>(noticed.caught_up.count()));
      TRY(const PgResult rows, connection.run(R"(
        with told as (
          insert into gateway_clocks as c (gateway, ahead_us)
          select $1::bytea, $2::text::bigint where $2::text::bigint is not null
          on conflict (gateway) do update set ahead_us = excluded.ahead_us, told_at = now()),
        gone as (delete from gateway_clocks
          where told_at < now() - interval '1 hour' and gateway <> $1::bytea),
        kept as (
          insert into ages_reached as a
            (boot, boot_us, reached_us, accepted, set_back_for_us, caught_up_us)
          select $3::text, $4::bigint, $5::text::bigint, $6::bigint, $7::bigint, $8::bigint
            where $5::text::bigint is not null and $3::text <> ''
          on conflict (boot) do update set boot_us = excluded.boot_us,
            reached_us = excluded.reached_us, accepted = excluded.accepted, told_at = now(),
            set_back_for_us = excluded.set_back_for_us, caught_up_us = excluded.caught_up_us),
        over as (delete from ages_reached
          where $5::text::bigint is not null and boot <> $3::text
            and told_at not between now() - interval '1 hour' and now() + interval '1 hour')
        select null::bigint, clocks_accepted from garbage_collection
        union all select ahead_us, null from gateway_clocks
          where told_at > now() - interval '30 seconds' and gateway <> $1::bytea)",
                                              parameters, until));
      HeardClocks heard;
      for (size_t i = 0; i < rows.rows(); ++i) {
        if (!rows.is_null(i, 0)) {
          heard.ahead.emplace_back(rows.bigint(i, 0));
          continue;
        }
        heard.accepted = static_cast<uint64_t>(rows.bigint(i, 1));
      }
      return heard;
    };
    return run_single<HeardClocks>(writes_, deadline, std::move(work));
  }

  async::Task<Result<ReachedAge>> reached_age(BootTime now, Deadline deadline) override {
    auto work = [now = std::move(now)](PgConnection& connection,
                                       Deadline until) -> Result<ReachedAge> {
      PgParameters parameters;
      parameters.add_text(now.boot);
      parameters.add(static_cast<int64_t>(now.time.count()));
      TRY(const PgResult row, connection.run(R"(
        select g.clocks_accepted, latest.* from garbage_collection g left join lateral (
          select case when boot = $1 then reached_us + $2::bigint - boot_us else reached_us end,
            set_back_for_us, caught_up_us
          from ages_reached a where a.accepted = g.clocks_accepted
          order by 1 desc limit 1) latest on true)",
                                             parameters, until));
      ReachedAge age{std::nullopt, static_cast<uint64_t>(row.bigint(0, 0))};
      using std::chrono::microseconds;
      if (!row.is_null(0, 1)) {
        age.reached = {SystemTime(microseconds(row.bigint(0, 1))), microseconds(row.bigint(0, 2)),
                       microseconds(row.bigint(0, 3))};
      }
      return age;
    };
    return run_single<ReachedAge>(looks_, deadline, std::move(work));
  }

  async::Task<Result<Recognized>> recognize(model::NodeId node, model::MetadataGeneration seen,
                                            Deadline deadline) override {
    return run_single<Recognized>(
        looks_, deadline, [=](PgConnection& connection, Deadline until) -> Result<Recognized> {
          PgParameters parameters;
          parameters.add_bytes(raw(node.view()));
          add_generation(parameters, seen);
          const std::string sql = std::string(
                                      "select recognize_memory($1, $2::bigint, $3::bigint,"
                                      " $4::bigint, $5::bigint, $6::bigint), ") +
                                  kGeneration;
          TRY(const PgResult row, connection.run(sql, parameters, until));
          return Recognized{static_cast<model::Recognition>(row.smallint(0, 0)),
                            generation_of(row, 1)};
        });
  }

  async::Task<Result<std::vector<NodeRecord>>> list_nodes(Deadline deadline) override {
    return run_single<std::vector<NodeRecord>>(
        looks_, deadline,
        [](PgConnection& connection, Deadline until) -> Result<std::vector<NodeRecord>> {
          TRY(const PgResult rows,
              connection.run("select id, address, operations_address, host, zone, disks::text,"
                             " (extract(epoch from last_seen) * 1000000)::bigint, coalesce(name, "
                             "'') from nodes"
                             " order by id",
                             {}, until));
          std::vector<NodeRecord> nodes;
          for (size_t i = 0; i < rows.rows(); ++i) {
            NodeRecord node;
            node.id =
                model::NodeId::from_bytes(as_bytes(rows.bytes(i, 0))).value_or(model::NodeId{});
            node.address = rows.text(i, 1);
            node.operations_address = rows.text(i, 2);
            node.host = rows.text(i, 3);
            node.zone = rows.text(i, 4);
            TRY(node.disks, disks_from_json(rows.bytes(i, 5)));
            node.last_seen = from_microseconds(rows.bigint(i, 6));
            node.name = rows.text(i, 7);
            nodes.push_back(std::move(node));
          }
          return nodes;
        });
  }

 private:
  async::Task<Result<Greeting>> run_greeting(PgWorkers& workers, const char* sql, NodeRecord node,
                                             Deadline deadline) {
    auto work = [sql, node = std::move(node)](PgConnection& connection,
                                              Deadline until) -> Result<Greeting> {
      TRY(const PgResult row, connection.run(named_sql(std::string(sql) + kGreeting + kGeneration),
                                             parameters_of(node), until));
      if (row.is_null(0, 0)) return name_conflict(connection, node, until);
      Greeting greeting;
      greeting.recognition = static_cast<model::Recognition>(row.smallint(0, 0));
      greeting.database = generation_of(row, 6);
      greeting.database.beat = static_cast<uint64_t>(row.bigint(0, 1));
      if (row.boolean(0, 2)) greeting.purging_stopped = "garbage collection is halted";
      TRY(greeting.purging_disks, disks_of(row.bytes(0, 3)));
      greeting.coordinator_token = static_cast<uint64_t>(row.bigint(0, 4));
      greeting.latest_order = static_cast<uint64_t>(row.bigint(0, 5));
      return greeting;
    };
    return run_single<Greeting>(workers, deadline, std::move(work));
  }

  static PgParameters parameters_of(const NodeRecord& node) {
    PgParameters parameters;
    parameters.add_bytes(raw(node.id.view()));
    parameters.add_text(node.address);
    parameters.add_text(node.operations_address);
    parameters.add_text(node.host);
    parameters.add_text(node.zone);
    parameters.add_text(disks_to_json(node.disks));
    add_generation(parameters, node.seen);
    parameters.add(static_cast<int64_t>(node.highest_order));
    parameters.add_text(node.name);
    return parameters;
  }

  static Result<Greeting> name_conflict(PgConnection& connection, const NodeRecord& node,
                                        Deadline until) {
    PgParameters parameters;
    parameters.add_bytes(raw(node.id.view()));
    parameters.add_text(node.name);
    TRY(const PgResult row, connection.run(kNameConflict, parameters, until));
    return fail(ErrorCode::kAlreadyExists,
                describe_name_conflict(node, row.text(0, 0), row.text(0, 1)));
  }

  PgWorkers& looks_;  // Nobody waits there for a write.
  PgWorkers& writes_;
};

}  // namespace

std::unique_ptr<NodeStore> make_node_store(PgWorkers& looks, PgWorkers& writes) {
  return std::make_unique<PostgresNodeStore>(looks, writes);
}

}  // namespace rondel::metadata
