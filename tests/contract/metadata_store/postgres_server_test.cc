#include "tests/contract/metadata_store/postgres_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/private_postgres.h"
#include "cli/process.h"
#include "metadata/connection/pg_connection.h"
#include "metadata/connection/pg_function.h"
#include "metadata/connection/pg_rows.h"
#include "metadata/postgres/migrator.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

class Server {
 public:
  Server() {
    std::string pattern = "/tmp/rondel-pg-test-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    chmod(folder_.c_str(), 0755);
    postgres_ = {folder_ + "/data", folder_ + "/socket", folder_ + "/pid", folder_ + "/log",
                 "postgres"};
    auto started = cli::start_postgres(postgres_);
    auto schema = load_schema(RONDEL_MIGRATIONS);
    auto version = started && schema ? migrate(postgres_.dsn(), *schema)
                                     : Result<int>(fail(ErrorCode::kInternal, "not tried"));
    if (!started || !schema || !version) {
      std::cerr << (started ? "" : started.error().message)
                << (schema ? "" : schema.error().message)
                << (version ? "" : version.error().message) << '\n';
      std::exit(1);
    }
    dsn_ = postgres_.dsn();
  }

  ~Server() {
    cli::stop_postgres(postgres_);
    std::filesystem::remove_all(folder_);
  }

  const std::string& dsn() const { return dsn_; }

 private:
  std::string folder_;
  cli::PrivatePostgres postgres_;
  std::string dsn_;
};

}  // namespace

const std::string& postgres_dsn() {
  static Server server;
  return server.dsn();
}

std::string test_master_key() { return std::string(32, 'k'); }

// As by a dump that is restored into the database: the connection stays, and what it looked up is
// gone.
TEST(PgConnectionTest, WhatWasMadeAnewIsLookedUpAgain) {
  const auto soon = [] { return deadline_in(60s); };
  const auto connection = PgConnection::open(postgres_dsn(), soon()).value();
  const auto other = PgConnection::open(postgres_dsn(), soon()).value();
  const auto make = [&] {
    const auto made = other->script(
        "drop type if exists made_anew cascade; create type made_anew as (a bigint);"
        "create function sum_anew(rows made_anew[]) returns bigint language sql as"
        " 'select sum(a)::bigint from unnest(rows)'",
        soon());
    ASSERT_TRUE(made) << made.error().message;
  };
  const auto ask = [&]() -> Committed<int64_t> {
    PgRows rows(1);
    rows.begin().bigint("a", 7).end();
    PgFunction call("*", "sum_anew");
    call.rows("rows", "made_anew", std::move(rows));
    TRY(const PgResult sum, call.run(*connection, soon()));
    return sum.bigint(0, 0);
  };
  make();
  EXPECT_EQ(ask(), 7);
  make();
  const auto first = ask();
  EXPECT_TRUE(first || first.error().kind == CommitFailure::Kind::kDidNotHappen);
  EXPECT_EQ(ask(), 7);
  EXPECT_FALSE(connection->broken());
  EXPECT_TRUE(other->script("drop type made_anew cascade", soon()));
}

// One that nobody listens on just now.
int free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  (void)::bind(probe, reinterpret_cast<sockaddr*>(&address), length);
  (void)::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length);
  ::close(probe);
  return ntohs(address.sin_port);
}

// pg_ctl as the user that owns the server's files.
Result<std::string> control(const cli::PrivatePostgres& postgres, std::vector<std::string> words) {
  std::vector<std::string> command;
  if (::geteuid() == 0) {
    command = {"/usr/bin/setpriv", "--reuid=" + postgres.user, "--regid=" + postgres.user,
               "--init-groups", "--"};
  }
  command.insert(command.end(), {"/usr/lib/postgresql/15/bin/pg_ctl", "-w", "-t", "300", "-D",
                                 postgres.data_directory});
  command.insert(command.end(), words.begin(), words.end());
  return cli::run_program(command);
}

// The server, too, must notice that a gateway's host has vanished: until then it keeps that
// gateway's locks, for two hours by default.
TEST(PgConnectionTest, TheServerWatchesConnectionsOverTcp) {
  std::string folder = "/tmp/rondel-pg-test-XXXXXX";
  mkdtemp(folder.data());
  chmod(folder.c_str(), 0755);
  const cli::PrivatePostgres postgres{folder + "/data", folder + "/socket", folder + "/pid",
                                      folder + "/log", "postgres"};
  ASSERT_TRUE(cli::start_postgres(postgres));
  ASSERT_TRUE(cli::stop_postgres(postgres));
  std::ofstream(postgres.data_directory + "/pg_hba.conf", std::ios::app)
      << "host all all 127.0.0.0/8 trust\n";
  const int port = free_port();
  const auto started = control(postgres, {"-l", postgres.data_directory + "/tcp.log", "-o",
                                          fmt::format("-k '{}' -p {} -c listen_addresses=127.0.0.1",
                                                      postgres.socket_directory, port),
                                          "start"});
  ASSERT_TRUE(started) << started.error().message;
  {
    auto connection = PgConnection::open(
        fmt::format("host=127.0.0.1 port={} user=rondel dbname=rondel", port), deadline_in(60s));
    ASSERT_TRUE(connection) << connection.error().message;
    for (const auto& [name, value] : {std::pair("tcp_keepalives_idle", "10"),
                                      {"tcp_keepalives_interval", "5"},
                                      {"tcp_keepalives_count", "3"}}) {
      const auto shown =
          (*connection)
              ->run(fmt::format("select current_setting('{}')", name), {}, deadline_in(60s));
      ASSERT_TRUE(shown) << shown.error().message;
      EXPECT_EQ(shown->text(0, 0), value) << name;
    }
  }
  EXPECT_TRUE(control(postgres, {"-m", "fast", "stop"}));
  std::filesystem::remove_all(folder);
}

}  // namespace rondel::metadata
