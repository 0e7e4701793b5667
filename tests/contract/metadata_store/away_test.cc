// The database goes away in every way it can: what is known of commits, and how soon it is known
// that it is away.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "cli/private_postgres.h"
#include "common/async/task_group.h"
#include "metadata/connection/pg_availability.h"
#include "metadata/connection/pg_connection.h"
#include "metadata/postgres/migrator.h"
#include "tests/contract/metadata_store/silent_relay.h"
#include "tests/contract/metadata_store/store_fixture.h"
#include "tests/fakes/manual_clock.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;
using Kind = CommitFailure::Kind;

struct SqlRow {
  const char* state;
  const char* severity;
  bool after_rows;
  Kind kind;
  ErrorCode code;
  bool session_ends;
};

// What an error of the server, or of libpq, says about the statement.
TEST(PgClassify, SaysWhetherTheStatementMayHaveHappened) {
  constexpr auto kNever = Kind::kDidNotHappen, kUnknown = Kind::kNotKnown;
  const std::vector<SqlRow> rows = {
      // libpq itself: no memory for the result.
      {"", "", false, kUnknown, ErrorCode::kOutcomeUnknown, true},
      {"", "FATAL", false, kUnknown, ErrorCode::kOutcomeUnknown, true},
      // Its commit record may count after recovery.
      {"XX000", "PANIC", false, kUnknown, ErrorCode::kOutcomeUnknown, true},
      // Ended behind the rows: the commit may be behind too.
      {"57P01", "FATAL", true, kUnknown, ErrorCode::kOutcomeUnknown, true},
      {"57P01", "FATAL", false, kNever, ErrorCode::kUnavailable, true},
      {"57P02", "FATAL", false, kNever, ErrorCode::kUnavailable, true},
      {"57P03", "FATAL", false, kNever, ErrorCode::kUnavailable, true},
      {"08006", "FATAL", false, kNever, ErrorCode::kUnavailable, true},
      {"40003", "ERROR", false, kUnknown, ErrorCode::kOutcomeUnknown, true},
      {"40001", "ERROR", false, kNever, ErrorCode::kCancelled, false},
      {"40P01", "ERROR", false, kNever, ErrorCode::kCancelled, false},
      {"40001", "ERROR", true, kNever, ErrorCode::kCancelled, false},  // At the commit itself.
      {"55P03", "ERROR", false, kNever, ErrorCode::kCancelled, false},
      // A standby: another connection leads to the primary.
      {"25006", "ERROR", false, kNever, ErrorCode::kUnavailable, true},
      {"53100", "ERROR", false, kNever, ErrorCode::kUnavailable, false},
      {"53300", "FATAL", false, kNever, ErrorCode::kUnavailable, true},
      {"57014", "ERROR", false, kNever, ErrorCode::kUnavailable, false},
      {"22021", "ERROR", false, kNever, ErrorCode::kInternal, false},
      {"23505", "ERROR", true, kNever, ErrorCode::kInternal, false},
      {"XX001", "ERROR", false, kNever, ErrorCode::kInternal, false},
  };
  for (const SqlRow& row : rows) {
    const SqlFailure failure = classify(row.state, row.severity, row.after_rows);
    EXPECT_EQ(failure, (SqlFailure{row.kind, row.code, row.session_ends}))
        << row.severity << " " << row.state << (row.after_rows ? " after rows" : "");
  }
}

TEST(PrimaryDsn, AsksForThePrimaryUnlessToldOtherwise) {
  EXPECT_TRUE(primary_dsn("host=/tmp/x user=rondel").contains("target_session_attrs='read-write'"));
  EXPECT_TRUE(
      primary_dsn("postgresql://a@b:5,c:6/d").contains("target_session_attrs='read-write'"));
  const std::string said = primary_dsn("postgresql://b/d?target_session_attrs=any");
  EXPECT_TRUE(said.contains("target_session_attrs='any'") && !said.contains("read-write")) << said;
  EXPECT_TRUE(primary_dsn("password='it\\'s' user=u").contains("password='it\\'s'"));
  EXPECT_EQ(primary_dsn("no such=thing"), "no such=thing");
}

TEST(HostDsns, AreOneForEachHost) {
  EXPECT_EQ(host_dsns("host=a user=u"), std::vector<std::string>{"host=a user=u"});
  EXPECT_EQ(host_dsns("user=u"), std::vector<std::string>{"user=u"});
  const auto two = host_dsns("postgresql://u@a:5,b:6/d");
  ASSERT_EQ(two.size(), 2u);
  EXPECT_TRUE(two[0].contains("host='a'") && two[0].contains("port='5'")) << two[0];
  EXPECT_TRUE(two[1].contains("host='b'") && two[1].contains("port='6'")) << two[1];
  const auto same_port = host_dsns("host=/x,y port=7");
  ASSERT_EQ(same_port.size(), 2u);
  EXPECT_TRUE(same_port[1].contains("host='y'") && same_port[1].contains("port='7'"))
      << same_port[1];
}

TEST(PgAvailability, IsWhatConnectionsMetLast) {
  fakes::ManualClock clock{SystemTime(1s)};
  PgAvailability state(clock);
  EXPECT_FALSE(state.away()) << "nothing is known";
  EXPECT_TRUE(state.quiet()) << "so it is asked";
  state.failed();
  EXPECT_TRUE(state.away());
  clock.advance(1min);
  EXPECT_TRUE(state.away()) << "after a minute of silence too";
  state.answered();
  EXPECT_FALSE(state.away() || state.quiet());
  clock.advance(100ms);
  state.failed();
  EXPECT_FALSE(state.away()) << "one connection beside one that answers";
  clock.advance(400ms);
  EXPECT_TRUE(state.away() && state.quiet());
  clock.advance(1ms);
  state.answered();
  clock.advance(1min);
  EXPECT_FALSE(state.away()) << "an idle gateway knows no failure";
}

// A server of the test's own.
class Server {
 public:
  Server() {
    std::string pattern = "/tmp/rondel-pg-test-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    chmod(folder_.c_str(), 0755);
    postgres_ = {folder_ + "/data", folder_ + "/socket", folder_ + "/pid", folder_ + "/log",
                 "postgres"};
    EXPECT_TRUE(cli::start_postgres(postgres_));
    EXPECT_TRUE(migrate(postgres_.dsn(), load_schema(RONDEL_MIGRATIONS).value()));
  }

  ~Server() {
    signal_all(SIGCONT);
    cli::stop_postgres(postgres_);
    std::filesystem::remove_all(folder_);
  }

  const cli::PrivatePostgres& postgres() const { return postgres_; }

  void start() { EXPECT_TRUE(cli::start_postgres(postgres_)); }

  void stop() { EXPECT_TRUE(cli::stop_postgres(postgres_)); }

  void be_standby() {
    stop();
    std::ofstream(postgres_.data_directory + "/standby.signal") << "";
    chown_as(postgres_.data_directory + "/PG_VERSION",
             postgres_.data_directory + "/standby.signal");
    start();
  }

  // The postmaster and every process it made.
  void signal_all(int number) const {
    int postmaster = 0;
    std::ifstream(postgres_.pid_file) >> postmaster;
    if (postmaster == 0) return;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream stat(entry.path() / "stat");
      std::string pid, rest;
      if (!(stat >> pid) || !std::getline(stat, rest)) continue;
      int parent = 0;
      char state = 0;
      if (std::istringstream(rest.substr(rest.rfind(')') + 1)) >> state >> parent &&
          parent == postmaster) {
        ::kill(std::stoi(pid), number);
      }
    }
    ::kill(postmaster, number);
  }

 private:
  static void chown_as(const std::string& example, const std::string& path) {
    struct stat found{};
    if (::stat(example.c_str(), &found) == 0) {
      (void)!::chown(path.c_str(), found.st_uid, found.st_gid);
    }
  }

  std::string folder_;
  cli::PrivatePostgres postgres_;
};

struct Fault {
  const char* name;
  std::string dsn;
  std::function<void()> begin;
  std::function<void()> end;
};

class Away : public ::testing::Test {
 protected:
  static constexpr size_t kConnections = 3, kBatch = 4, kPuts = 60;

  std::vector<Fault> faults() {
    return {{"stopped", server_.postgres().dsn(), [this] { server_.stop(); },
             [this] { server_.start(); }},
            {"SIGSTOP", server_.postgres().dsn(), [this] { server_.signal_all(SIGSTOP); },
             [this] { server_.signal_all(SIGCONT); }},
            {"packets dropped",
             fmt::format("host=127.0.0.1 port={} user=rondel dbname=rondel", relay_.port()),
             [this] { relay_.be_silent(true); }, [this] { relay_.be_silent(false); }}};
  }

  std::unique_ptr<PostgresMetadata> open(const Fault& fault) {
    auto store =
        PostgresMetadata::make({.dsn = fault.dsn,
                                .master_key = test_master_key(),
                                .connections = PostgresMetadata::kOtherConnections + kConnections,
                                .batch_max = kBatch});
    const std::string name = fmt::format("away-{}", ++buckets_);
    const std::string owner = make_account(
        PostgresMetadata::make_for_command(server_.postgres().dsn(), test_master_key())->stores(),
        name);
    auto made = async::block_on(store->stores().buckets.create_bucket(
        {.name = name, .owner_account = owner}, deadline_in(60s)));
    EXPECT_TRUE(made) << fault.name;
    bucket_ = made->bucket;
    return store;
  }

  PutObject put(const std::string& key, Duration patience) const {
    PutObject request{{bucket_.id, bucket_.settings_version, 0, deadline_in(patience)},
                      key,
                      {},
                      bucket_.versioning,
                      {}};
    request.version.size = 1;
    request.version.etag = "e";
    request.version.owner_account = bucket_.owner_account;
    request.version.extents = {{0, model::StreamId::random(), 1, 0, 1}};
    return request;
  }

  static void await(const std::function<bool()>& condition, const std::string& what) {
    for (const Deadline end = deadline_in(120s); std::chrono::steady_clock::now() < end;
         std::this_thread::sleep_for(5ms)) {
      if (condition()) return;
    }
    ADD_FAILURE() << "waited for " << what;
  }

  std::vector<CommitResult> put_together(ObjectStore& store) {
    std::vector<CommitResult> results(kPuts);
    const auto one = [](ObjectStore& to, PutObject request,
                        CommitResult& out) -> async::Task<void> {
      out = co_await to.put_object(std::move(request));
    };
    const auto all = [&]() -> async::Task<void> {
      async::TaskGroup group(*async::EventLoop::current());
      for (size_t i = 0; i < kPuts; ++i) {
        group.spawn(one(store, put(fmt::format("k{}", i), 1500ms), results[i]));
      }
      co_await group.wait_idle();
    };
    async::block_on(all());
    return results;
  }

  Server server_;
  SilentRelay relay_{server_.postgres().socket_directory + "/.s.PGSQL.5432"};
  Bucket bucket_;
  int buckets_ = 0;
};

// Nobody asks anything; the store notices by itself that the database is gone, and that it is back.
TEST_F(Away, IsKnownToAnIdleGateway) {
  for (const Fault& fault : faults()) {
    const auto store = open(fault);
    EXPECT_TRUE(store->stores().database.available()) << fault.name;
    fault.begin();
    await([&] { return !store->stores().database.available(); },
          std::string("the news: ") + fault.name);
    fault.end();
    await([&] { return store->stores().database.available(); },
          std::string("better news: ") + fault.name);
    // One connection has an answer; others may still be on their way.
    await(
        [&] {
          return async::block_on(store->stores().objects.put_object(put("after", 60s))).has_value();
        },
        std::string("a commit: ") + fault.name);
  }
}

// No more commits are in doubt than were on their way: what waited for its turn did not happen,
// whatever it was told in the end.
TEST_F(Away, LeavesNoMoreInDoubtThanWasOnItsWay) {
  for (const Fault& fault : faults()) {
    const auto store = open(fault);
    ASSERT_TRUE(async::block_on(store->stores().objects.put_object(put("before", 60s))))
        << fault.name;
    fault.begin();
    const std::vector<CommitResult> results = put_together(store->stores().objects);
    await([&] { return !store->stores().database.available(); },
          std::string("the news: ") + fault.name);
    fault.end();
    await([&] { return store->stores().database.available(); },
          std::string("better news: ") + fault.name);
    size_t not_known = 0;
    for (size_t i = 0; i < kPuts; ++i) {
      const CommitFate fate = fate_of(results[i]);
      EXPECT_TRUE(fate == CommitFate::kDidNotHappen || fate == CommitFate::kNotKnown) << fault.name;
      if (fate == CommitFate::kNotKnown) ++not_known;
      if (fate != CommitFate::kDidNotHappen) continue;
      // One connection has an answer; others may still be on their way.
      Result<ObjectLookup> found = fail(ErrorCode::kUnavailable, "not asked yet");
      await(
          [&] {
            found = async::block_on(
                store->stores().objects.find_object({.bucket = bucket_.name,
                                                     .key = fmt::format("k{}", i),
                                                     .deadline = deadline_in(60s)}));
            return found.has_value();
          },
          std::string("a look-up: ") + fault.name);
      EXPECT_EQ(found->status, LookupStatus::kNoSuchKey)
          << fault.name << ", " << i << ": said not to have happened";
    }
    EXPECT_LE(not_known, kConnections * kBatch) << fault.name;
  }
}

TEST_F(Away, AServerInRecoveryIsNoServer) {
  const std::string dsn = server_.postgres().dsn();
  ASSERT_TRUE(check_server(dsn));
  server_.be_standby();
  for (const char* also : {"", " target_session_attrs=any"}) {
    const auto opened = PgConnection::open(dsn + also, deadline_in(10s));
    ASSERT_FALSE(opened) << also;
    EXPECT_EQ(opened.error().code, ErrorCode::kUnavailable) << opened.error().message;
    const auto checked = check_server(dsn + also);
    ASSERT_FALSE(checked) << also;
    EXPECT_EQ(checked.error().code, ErrorCode::kUnavailable) << checked.error().message;
  }
  const auto store = PostgresMetadata::make({.dsn = dsn, .master_key = test_master_key()});
  await([&] { return !store->stores().database.available(); }, "the news");
}

// As after a failover away from a machine that lost its power.
TEST_F(Away, AHostThatIsSilentDoesNotHideTheNext) {
  relay_.be_silent(true);
  const std::string dsn = fmt::format("host=127.0.0.1,{} port={},5432 user=rondel dbname=rondel",
                                      server_.postgres().socket_directory, relay_.port());
  // Each host has half of it.
  const auto opened = PgConnection::open(dsn, deadline_in(6s));
  EXPECT_TRUE(opened) << opened.error().message;
  const auto store = PostgresMetadata::make({.dsn = dsn, .master_key = test_master_key()});
  EXPECT_TRUE(async::block_on(store->stores().buckets.find_bucket("none", deadline_in(10s))));
  EXPECT_TRUE(store->stores().database.available());
}

TEST_F(Away, NothingIsSentAfterItsDeadline) {
  auto connection = PgConnection::open(server_.postgres().dsn(), deadline_in(60s)).value();
  const auto late = connection->run("create table late()", {}, std::chrono::steady_clock::now());
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, Kind::kDidNotHappen);
  auto other = PgConnection::open(server_.postgres().dsn(), deadline_in(60s)).value();
  const auto table = other->run("select to_regclass('late') is null", {}, deadline_in(60s));
  ASSERT_TRUE(table);
  EXPECT_TRUE(table->boolean(0, 0));
}

TEST_F(Away, AConnectionThatTurnedReadOnlyIsLeft) {
  auto connection = PgConnection::open(server_.postgres().dsn(), deadline_in(60s)).value();
  ASSERT_TRUE(connection->script("set default_transaction_read_only = on", deadline_in(60s)));
  const auto refused = connection->run("update cluster set id = id", {}, deadline_in(60s));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::kDidNotHappen);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(connection->broken());
}

}  // namespace
}  // namespace rondel::metadata
