#include "metadata/store/migrator.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <pqxx/pqxx>
#include <sstream>

namespace rondel::metadata {
namespace {

constexpr int64_t kMigrationLock = 0x726f6e64656c01;

Result<Migration> read_migration(const std::filesystem::path& path) {
  const std::string stem = path.stem().string();
  if (stem.size() < 6 || stem[4] != '_' || !std::all_of(stem.begin(), stem.begin() + 4, [](char c) { return c >= '0' && c <= '9'; })) {
    return fail(ErrorCode::kInvalidArgument, path.string() + ": a migration is called NNNN_name.sql");
  }
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return fail(ErrorCode::kInvalidArgument, path.string() + " cannot be read");
  return Migration{std::stoi(stem.substr(0, 4)), stem.substr(5), text.str()};
}

int apply(pqxx::connection& connection, const std::vector<Migration>& migrations) {
  pqxx::work work(connection);
  work.exec_params("select pg_advisory_xact_lock($1)", kMigrationLock);
  work.exec("create table if not exists schema_migrations (number integer primary key, name text not null,"
            " applied_at timestamptz not null default now())");
  int version = work.exec1("select coalesce(max(number), 0) from schema_migrations")[0].as<int>();
  for (const Migration& migration : migrations) {
    if (migration.number <= version) continue;
    work.exec(migration.sql);
    work.exec_params("insert into schema_migrations (number, name) values ($1, $2)", migration.number, migration.name);
    version = migration.number;
  }
  work.commit();
  return version;
}

}  // namespace

Result<std::vector<Migration>> load_migrations(const std::string& folder) {
  std::error_code error;
  std::vector<Migration> migrations;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".sql") continue;
    TRY(Migration migration, read_migration(entry.path()));
    migrations.push_back(std::move(migration));
  }
  if (error) return fail(ErrorCode::kInvalidArgument, folder + ": " + error.message());
  std::ranges::sort(migrations, {}, &Migration::number);
  for (size_t i = 0; i < migrations.size(); ++i) {
    if (migrations[i].number != static_cast<int>(i) + 1) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: migration {:04} is missing or there twice", folder, i + 1));
    }
  }
  if (migrations.empty()) return fail(ErrorCode::kInvalidArgument, folder + " holds no migrations");
  return migrations;
}

Result<int> migrate(const std::string& dsn, const std::vector<Migration>& migrations) {
  try {
    pqxx::connection connection(dsn);
    const int version = apply(connection, migrations);
    if (version > static_cast<int>(migrations.size())) {
      return fail(ErrorCode::kPrecondition,
                  fmt::format("the schema has version {}, this program knows {}: use a newer one", version, migrations.size()));
    }
    return version;
  } catch (const pqxx::broken_connection& error) {
    return fail(ErrorCode::kUnavailable, error.what());
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInternal, error.what());
  }
}

Result<void> check_server(const std::string& dsn) {
  try {
    pqxx::connection connection(dsn);
    pqxx::work work(connection);
    for (const char* setting : {"fsync", "synchronous_commit", "full_page_writes"}) {
      const auto value = work.exec1(std::string("show ") + setting)[0].as<std::string>();
      if (value == "off") {
        return fail(ErrorCode::kPrecondition, std::string("PostgreSQL runs with ") + setting + " = off: acknowledged objects could be lost");
      }
    }
    if (work.exec1("show server_encoding")[0].as<std::string>() != "UTF8") {
      return fail(ErrorCode::kPrecondition, "the database must be made with encoding UTF8");
    }
    return {};
  } catch (const pqxx::broken_connection& error) {
    return fail(ErrorCode::kUnavailable, error.what());
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInternal, error.what());
  }
}

}  // namespace rondel::metadata
