#include "metadata/store/node_store.h"

#include "metadata/postgres/node_disks.h"
#include "metadata/connection/pg_call.h"
#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_generation.h"
#include "metadata/connection/pg_stores.h"
#include "metadata/connection/sql_names.h"

namespace rondel::metadata {
namespace {

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
  select (select recognition from recorded), (select beat from recorded), g.halted <> '', (
      select coalesce(string_agg(decode(d->>'id', 'hex'), ''::bytea), ''::bytea)
      from jsonb_array_elements($6::text::jsonb) d
      left join trash_restores t on t.disk = decode(d->>'id', 'hex')
      where coalesce(t.number, 0) >= g.restore_number),)";

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
  explicit PostgresNodeStore(PgWorkers& workers) : workers_(workers) {}

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
      if (row.boolean(0, 2)) greeting.purging_stopped = "garbage collection is halted";
      TRY(greeting.purging_disks, disks_of(row.bytes(0, 3)));
      return greeting;
    };
    return run_single<Greeting>(workers_, deadline, std::move(work));
  }

  async::Task<Result<Recognized>> recognize(model::NodeId node, model::MetadataGeneration seen,
                                            Deadline deadline) override {
    return run_single<Recognized>(
        workers_, deadline, [=](PgConnection& connection, Deadline until) -> Result<Recognized> {
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
        workers_, deadline,
        [](PgConnection& connection, Deadline until) -> Result<std::vector<NodeRecord>> {
          TRY(const PgResult rows,
              connection.run(
                  "select id, address, operations_address, host, zone, disks::text,"
                  " (extract(epoch from last_seen) * 1000000)::bigint from nodes order by id",
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
            nodes.push_back(std::move(node));
          }
          return nodes;
        });
  }

 private:
  PgWorkers& workers_;
};

}  // namespace

std::unique_ptr<NodeStore> make_node_store(PgWorkers& workers) {
  return std::make_unique<PostgresNodeStore>(workers);
}

}  // namespace rondel::metadata
