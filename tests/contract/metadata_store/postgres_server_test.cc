#include "tests/contract/metadata_store/postgres_server.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "cli/private_postgres.h"
#include "metadata/store/migrator.h"

namespace rondel::metadata {
namespace {

class Server {
 public:
  Server() {
    std::string pattern = "/tmp/rondel-pg-test-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    chmod(folder_.c_str(), 0755);
    postgres_ = {folder_ + "/data", folder_ + "/socket", folder_ + "/pid", folder_ + "/log", "postgres"};
    auto started = cli::start_postgres(postgres_);
    auto migrations = load_migrations(RONDEL_MIGRATIONS);
    auto version = started && migrations ? migrate(postgres_.dsn(), *migrations) : Result<int>(fail(ErrorCode::kInternal, "not tried"));
    if (!started || !migrations || !version) {
      std::cerr << (started ? "" : started.error().message) << (migrations ? "" : migrations.error().message)
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

TEST(Migrator, AppliesOnceAndRefusesNewerSchemas) {
  const auto migrations = load_migrations(RONDEL_MIGRATIONS);
  ASSERT_TRUE(migrations);
  EXPECT_EQ(*migrate(postgres_dsn(), *migrations), static_cast<int>(migrations->size()));
  EXPECT_EQ(migrate(postgres_dsn(), {}).error().code, ErrorCode::kPrecondition);
  EXPECT_TRUE(check_server(postgres_dsn()));
}

}  // namespace rondel::metadata
