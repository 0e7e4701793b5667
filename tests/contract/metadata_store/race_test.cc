// Two writers of one key, one of them stopped between its look and its write.
#include <thread>

#include "metadata/connection/pg_connection.h"
#include "tests/contract/metadata_store/store_fixture.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

constexpr const char* kSlow = " application_name=slow";

// Rows that connections of a slow store write wait, each time before they are written, until let
// go.
class SlowWrites {
 public:
  SlowWrites() {
    script(
        "create or replace function wait_when_slow() returns trigger language plpgsql as $$ begin"
        " if current_setting('application_name') = 'slow' then perform "
        "pg_advisory_xact_lock_shared(4711); end if; return new; end $$;"
        "create trigger wait_when_slow before insert or update on objects for each row execute "
        "function wait_when_slow();"
        "select pg_advisory_lock(4711)");
  }

  ~SlowWrites() {
    let_go();
    script("drop trigger wait_when_slow on objects");
  }

  // Until one waits.
  void await() {
    for (const Deadline end = deadline_in(60s); std::chrono::steady_clock::now() < end;
         std::this_thread::sleep_for(1ms)) {
      const auto waiting = connection_->run(
          "select count(*)::text from pg_locks where locktype = 'advisory' and objid = 4711 and "
          "not granted",
          {}, deadline_in(60s));
      if (waiting && waiting->text(0, 0) != "0") return;
    }
    ADD_FAILURE() << "nobody waits";
  }

  void let_go() { script("select pg_advisory_unlock_all()"); }

 private:
  void script(const std::string& sql) { EXPECT_TRUE(connection_->script(sql, deadline_in(60s))); }

  const std::unique_ptr<PgConnection> connection_ =
      PgConnection::open(postgres_dsn(), deadline_in(60s)).value();
};

// Until a session waits for one that `holder` has.
void await_lock_of(PgConnection& holder) {
  const auto pid = holder.run("select pg_backend_pid()::text", {}, deadline_in(60s));
  ASSERT_TRUE(pid);
  const auto looker = PgConnection::open(postgres_dsn(), deadline_in(60s)).value();
  const std::string blocked = "select count(*)::text from pg_stat_activity where " +
                              std::string(pid->text(0, 0)) + " = any(pg_blocking_pids(pid))";
  for (const Deadline end = deadline_in(60s); std::chrono::steady_clock::now() < end;
       std::this_thread::sleep_for(1ms)) {
    const auto waiting = looker->run(blocked, {}, deadline_in(60s));
    if (waiting && waiting->text(0, 0) != "0") return;
  }
  ADD_FAILURE() << "nobody waits";
}

class Race : public StoreFixture<Race> {
 public:
  static constexpr const char* kName = "race";

 protected:
  // What `slow` answers when `quick` happened between its look and its write.
  template <class Slow, class Quick>
  CommitOutcome overtaken(Slow slow, Quick quick) {
    SlowWrites writes;
    const auto store_of_slow = make_other(postgres_dsn() + kSlow);
    Result<CommitOutcome> outcome;
    std::thread thread([&] { outcome = slow(store_of_slow->stores()); });
    writes.await();
    quick();
    writes.let_go();
    thread.join();
    EXPECT_TRUE(outcome) << outcome.error().message;
    return outcome.value_or(CommitOutcome{});
  }

  CommitOutcome put(const std::string& key, uint64_t size = 1) {
    return run(stores().objects.put_object(put_request(key, size)));
  }

  ObjectVersion current(const std::string& key) {
    return run(stores().objects.find_object({.bucket = bucket_.name,
                                             .key = key,
                                             .range = {ExtentRange::Kind::kAll},
                                             .deadline = soon()}))
        .object;
  }
};

TEST_F(Race, ACopyThatIsOvertakenIsRefusedAndLeavesNoReference) {
  const auto source = put_request("source", 10);
  const auto made = run(stores().objects.put_object(source));
  CopyObject copy{.put = put_request("target", 0),
                  .source = {bucket_.id, "source", made.version, "e"}};
  copy.put.conditions.if_none_match = {"*"};
  const auto outcome =
      overtaken([&](const Stores& slow) { return async::block_on(slow.objects.copy_object(copy)); },
                [&] { put("target", 20); });
  EXPECT_EQ(outcome.status, CommitStatus::kPreconditionFailed);
  EXPECT_EQ(current("target").size, 20u);
  const auto connection = PgConnection::open(postgres_dsn(), soon()).value();
  PgParameters parameters;
  parameters.add_bytes(as_text(source.version.extents.front().stream.view()));
  EXPECT_EQ(
      connection->run("select 1 from shared_streams where stream = $1", parameters, soon())->rows(),
      0u);
}

TEST_F(Race, AnAppendThatIsOvertakenReplacesNothing) {
  AppendObject append{.put = put_request("log", 10), .offset = 0, .expected_etag = ""};
  const auto outcome = overtaken(
      [&](const Stores& slow) { return async::block_on(slow.objects.append_object(append)); },
      [&] { put("log", 20); });
  EXPECT_EQ(outcome.status, CommitStatus::kOffsetMismatch);
  EXPECT_EQ(current("log").size, 20u);
}

TEST_F(Race, ARenameThatIsOvertakenReplacesTheTarget) {
  put("from", 10);
  const RenameObject rename{.context = context(), .source_key = "from", .target_key = "to"};
  const auto outcome = overtaken(
      [&](const Stores& slow) { return async::block_on(slow.objects.rename_object(rename)); },
      [&] { put("to", 20); });
  EXPECT_EQ(outcome.status, CommitStatus::kCommitted);
  EXPECT_EQ(current("to").size, 10u);
  EXPECT_EQ(run(stores().buckets.bucket_usage(bucket_.id, soon())).objects, 1u);
}

// Whoever took the later rows first would wait for one that waits for it.
TEST_F(Race, ABatchThatIsOvertakenStillLocksItsKeysInOrder) {
  const std::string bucket = std::to_string(bucket_.id);
  const std::string batch =
      "select status from put_objects((select array_agg(row(" + bucket +
      ", 0, 0, null, key, clock, 0, 1, 'a', 'o', null, null, null,"
      " null, 0, null, null, null, null)::put_row order by key) from (values ('k1'::bytea, "
      "'1123456789abcdef'::bytea),"
      " ('k2', '2123456789abcdef'), ('k3', '3123456789abcdef')) as v(key, clock)))";
  SlowWrites writes;
  const auto slow = PgConnection::open(postgres_dsn() + kSlow, soon()).value();
  Result<void> batch_done;
  std::thread thread([&] { batch_done = slow->script(batch, soon()); });
  writes.await();
  put("k2", 20);
  const auto other = PgConnection::open(postgres_dsn(), soon()).value();
  ASSERT_TRUE(other->script(
      "begin; select 1 from objects where bucket_id = " + bucket + " and key = 'k2' for update",
      soon()));
  writes.let_go();
  await_lock_of(*other);  // It comes to k2.
  const auto later = other->script(
      "insert into objects (bucket_id, key, version, is_null, delete_marker, size, etag, "
      "owner_account) values (" +
          bucket + ", 'k3', '3', true, false, 0, '', ''); commit",
      soon());
  thread.join();
  EXPECT_TRUE(later) << later.error().message;
  EXPECT_TRUE(batch_done) << batch_done.error().message;
}

TEST_F(Race, ConnectionsThatEndedWhileIdleFailNobody) {
  const auto idle = make_other(postgres_dsn() + " application_name=idle");
  ASSERT_EQ(run(idle->stores().objects.put_object(put_request("before"))).status,
            CommitStatus::kCommitted);
  const auto connection = PgConnection::open(postgres_dsn(), soon()).value();
  ASSERT_TRUE(
      connection->script("select pg_terminate_backend(pid, 10000) from pg_stat_activity where "
                         "application_name = 'idle'",
                         soon()));
  EXPECT_EQ(run(idle->stores().objects.put_object(put_request("after"))).status,
            CommitStatus::kCommitted);
}

}  // namespace
}  // namespace rondel::metadata
