#include "metadata/store/lease.h"

#include "metadata/connection/pg_call.h"
#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_generation.h"
#include "metadata/connection/pg_stores.h"

namespace rondel::metadata {
namespace {

constexpr int64_t kCoordinatorLock = 0x726f6e64656c02;

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

class PostgresLease final : public Lease {
 public:
  PostgresLease(PgWorkers& leader, PgWorkers& workers) : leader_(leader), workers_(workers) {}

  // The lock belongs to the session of leader_: while that lives nobody else can take it.
  async::Task<Result<std::optional<uint64_t>>> claim_coordinator(Deadline deadline) override {
    using Token = std::optional<uint64_t>;
    return run_single<Token>(
        leader_, deadline, [this](PgConnection& connection, Deadline until) -> Result<Token> {
          PgParameters lock;
          lock.add(kCoordinatorLock);
          TRY(const PgResult held,
              connection.run("select count(*), (select token from coordinator) from pg_locks where "
                             "locktype = 'advisory' and pid = pg_backend_pid() and granted"
                             " and classid::bigint = $1::bigint >> 32 and objid::bigint = "
                             "$1::bigint & 4294967295",
                             lock, until));
          const bool leads = held.bigint(0, 0) > 0;
          // A database that was set back under its sessions knows nothing of the token, and nodes
          // have seen it: the next one is above both.
          if (leads && static_cast<uint64_t>(held.bigint(0, 1)) == token_) return Token(token_);
          if (!leads) {
            TRY(const PgResult taken,
                connection.run("select pg_try_advisory_lock($1)", lock, until));
            if (!taken.boolean(0, 0)) return Token();
          }
          // The mark goes with the token: a node that has seen the one misses the other where they
          // are lost.
          PgParameters above;
          above.add(static_cast<int64_t>(token_));
          TRY(const PgResult raised, connection.run(R"(
        with raised as (
          update coordinator set token = greatest(token, $1::bigint) + random_step() returning token)
        select r.token, m.counter from raised r cross join lateral write_mark() m)",
                                                    above, until));
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

  async::Task<Result<NewMark>> write_mark(model::MetadataMark before, uint64_t coordinator_token,
                                          Deadline deadline) override {
    return run_single<NewMark>(
        workers_, deadline, [=](PgConnection& connection, Deadline until) -> Result<NewMark> {
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
        where c.token = $1)",
                                                 parameters, until));
          if (row.rows() != 1) {
            return fail(ErrorCode::kPrecondition, "a newer coordinator commands");
          }
          NewMark written{generation_of(row, 1), row.boolean(0, 0)};
          TRY(const PgResult forgotten, connection.run(kForgetMarks, {}, until));
          (void)forgotten;
          return written;
        });
  }

  async::Task<Result<uint64_t>> next_order(uint64_t above, uint64_t coordinator_token,
                                           Deadline deadline) override {
    return run_single<uint64_t>(
        workers_, deadline, [=](PgConnection& connection, Deadline until) -> Result<uint64_t> {
          PgParameters parameters;
          parameters.add(static_cast<int64_t>(coordinator_token));
          parameters.add(static_cast<int64_t>(above));
          parameters.add(static_cast<int64_t>(model::kLeapMax));
          TRY(const PgResult row, connection.run(R"(
        with known as (
          select greatest(number, (select coalesce(max(highest_order), 0) from nodes)) latest
          from removal_orders),
        given as (
          update removal_orders o set number = greatest(o.number, k.latest, $2::bigint) + 1
          from known k
          where (select token from coordinator) = $1 and $2::bigint between 0 and k.latest + $3::bigint
          returning o.number)
        select (select number from given), (select token from coordinator) = $1)",
                                                 parameters, until));
          if (!row.is_null(0, 0)) return static_cast<uint64_t>(row.bigint(0, 0));
          if (row.boolean(0, 1)) return fail(ErrorCode::kOutOfRange, "the order leaps");
          return fail(ErrorCode::kPrecondition, "a newer coordinator commands");
        });
  }

 private:
  PgWorkers& leader_;
  PgWorkers& workers_;
  uint64_t token_ = 0;  // The last one of this process. Used on leader_'s one thread alone.
};

}  // namespace

std::unique_ptr<Lease> make_lease(PgWorkers& leader, PgWorkers& workers) {
  return std::make_unique<PostgresLease>(leader, workers);
}

}  // namespace rondel::metadata
