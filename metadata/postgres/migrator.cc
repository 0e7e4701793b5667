#include "metadata/postgres/migrator.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <pqxx/pqxx>
#include <sstream>

#include "common/crypto/digest.h"
#include "metadata/postgres/pg_connection.h"

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

// What was applied must be, byte for byte, what this program would apply: a database is never used with another schema than the
// program's. One that kept no digests is another build's too.
Result<int> check_applied(pqxx::work& work, const std::vector<Migration>& migrations) {
  const pqxx::result applied = work.exec("select number, name, coalesce(digest, '') from schema_migrations order by number");
  const int version = applied.empty() ? 0 : applied.back()[0].as<int>();
  if (version > static_cast<int>(migrations.size())) {
    return fail(ErrorCode::kPrecondition,
                fmt::format("the schema has version {}, this program knows {}: use a newer one", version, migrations.size()));
  }
  for (const pqxx::row row : applied) {
    const Migration& own = migrations[row[0].as<size_t>() - 1];
    const auto name = row[1].as<std::string>();
    if (name == own.name && row[2].as<std::string>() == crypto::sha256_hex(own.sql)) continue;
    return fail(ErrorCode::kPrecondition,
                fmt::format("the database was made by another build of Rondel whose formats are not those of this one: its migration "
                            "{:04}_{} is not the one of this build; use that build, or a new database",
                            own.number, name));
  }
  return version;
}

Result<int> apply(pqxx::connection& connection, const std::vector<Migration>& migrations) {
  pqxx::work work(connection);
  work.exec_params("select pg_advisory_xact_lock($1)", kMigrationLock);
  work.exec("create table if not exists schema_migrations (number integer primary key, name text not null,"
            " applied_at timestamptz not null default now())");
  work.exec("alter table schema_migrations add column if not exists digest text");
  TRY(int version, check_applied(work, migrations));
  for (const Migration& migration : migrations) {
    if (migration.number <= version) continue;
    work.exec(migration.sql);
    work.exec_params("insert into schema_migrations (number, name, digest) values ($1, $2, $3)", migration.number, migration.name,
                     crypto::sha256_hex(migration.sql));
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
    pqxx::connection connection(primary_dsn(dsn));
    return apply(connection, migrations);
  } catch (const pqxx::broken_connection& error) {
    return fail(ErrorCode::kUnavailable, error.what());
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInternal, error.what());
  }
}

Result<void> check_server(const std::string& dsn) {
  try {
    pqxx::connection connection(primary_dsn(dsn));
    pqxx::work work(connection);
    // Later is better: it may be promoted, or give way to the primary.
    if (work.exec1("select pg_is_in_recovery()")[0].as<bool>()) {
      return fail(ErrorCode::kUnavailable, "PostgreSQL is in recovery (a standby): metadata.dsn must lead to the primary");
    }
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
