#include "metadata/postgres/migrator.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <pqxx/pqxx>
#include <regex>
#include <sstream>

#include "common/crypto/digest.h"
#include "metadata/connection/pg_connection.h"
#include "metadata/connection/sql_names.h"

namespace rondel::metadata {
namespace {

constexpr int64_t kMigrationLock = 0x726f6e64656c01;

Result<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return fail(ErrorCode::kInvalidArgument, path.string() + " cannot be read");
  return text.str();
}

Result<Migration> read_migration(const std::filesystem::path& path) {
  const std::string stem = path.stem().string();
  if (stem.size() < 6 || stem[4] != '_' ||
      !std::all_of(stem.begin(), stem.begin() + 4, [](char c) { return c >= '0' && c <= '9'; })) {
    return fail(ErrorCode::kInvalidArgument,
                path.string() + ": a migration is called NNNN_name.sql");
  }
  TRY(std::string sql, read_file(path));
  return Migration{std::stoi(stem.substr(0, 4)), stem.substr(5), std::move(sql)};
}

// The .sql files of a folder, by name.
Result<std::vector<std::filesystem::path>> sql_files(const std::string& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".sql") files.push_back(entry.path());
  }
  if (error) return fail(ErrorCode::kInvalidArgument, folder + ": " + error.message());
  std::ranges::sort(files);
  return files;
}

// Columns of a table or composite type, in their order; those of the primary key only `with_key`.
std::vector<std::string> columns_of(pqxx::work& work, const std::string& relation, bool with_key) {
  const pqxx::result rows = work.exec_params(
      "select quote_ident(attname) from pg_attribute a where attrelid = $1::regclass and attnum > "
      "0 and not attisdropped"
      " and ($2 or not exists (select from pg_index i where i.indrelid = a.attrelid and "
      "i.indisprimary and a.attnum = any (i.indkey)))"
      " order by attnum",
      relation, with_key);
  std::vector<std::string> names;
  for (const pqxx::row row : rows) names.push_back(row[0].as<std::string>());
  return names;
}

// Lists of columns are made of the tables: `:columns(t)` becomes "a, b", `:changes(t, n)` "a = n.a,
// b = n.b" without the key.
std::string with_columns(pqxx::work& work, const std::string& sql) {
  static const std::regex lists(R"(:(columns|changes)\((\w+)(?:, (\w+))?\))");
  std::string out;
  auto rest = sql.cbegin();
  for (std::sregex_iterator at(sql.begin(), sql.end(), lists), none; at != none; ++at) {
    const std::smatch& match = *at;
    out.append(rest, match[0].first);
    rest = match[0].second;
    const bool all = match[1] == "columns";
    std::string list;
    for (const std::string& name : columns_of(work, match[2], all)) {
      list += (list.empty() ? "" : ", ") + name;
      if (!all) list += " = " + match[3].str() + "." + name;
    }
    out += list;
  }
  return out.append(rest, sql.cend());
}

// What was applied must be, byte for byte, what this program would apply: a database is never used
// with another schema than the program's. One that kept no digests is another build's too.
Result<int> check_applied(pqxx::work& work, const std::vector<Migration>& migrations) {
  const pqxx::result applied =
      work.exec("select number, name, coalesce(digest, '') from schema_migrations order by number");
  const int version = applied.empty() ? 0 : applied.back()[0].as<int>();
  if (version > static_cast<int>(migrations.size())) {
    return fail(ErrorCode::kPrecondition,
                fmt::format("the schema has version {}, this program knows {}: use a newer one",
                            version, migrations.size()));
  }
  for (const pqxx::row row : applied) {
    const Migration& own = migrations[row[0].as<size_t>() - 1];
    const auto name = row[1].as<std::string>();
    if (name == own.name && row[2].as<std::string>() == crypto::sha256_hex(own.sql)) continue;
    return fail(
        ErrorCode::kPrecondition,
        fmt::format("the database was made by another build of Rondel whose formats are not those "
                    "of this one: its migration "
                    "{:04}_{} is not the one of this build; use that build, or a new database",
                    own.number, name));
  }
  return version;
}

// Bodies are not looked at while they are made, so that files need no order among them; all are
// when all are there.
Result<void> apply_functions(pqxx::work& work, const std::vector<FunctionFile>& files) {
  work.exec(
      "create table if not exists schema_functions (file text primary key, digest text not null,"
      " applied_at timestamptz not null default now())");
  work.exec("set local check_function_bodies = off");
  bool any = false;
  for (const FunctionFile& file : files) {
    TRY(const std::string sql, with_names(with_columns(work, file.sql)));
    const std::string digest = crypto::sha256_hex(sql);
    const pqxx::result known = work.exec_params(
        "select from schema_functions where file = $1 and digest = $2", file.name, digest);
    if (!known.empty()) continue;
    work.exec(sql);
    work.exec_params(
        "insert into schema_functions (file, digest) values ($1, $2) on conflict (file) do update"
        " set digest = excluded.digest, applied_at = excluded.applied_at",
        file.name, digest);
    any = true;
  }
  work.exec("set local check_function_bodies = on");
  if (!any) return {};
  work.exec(
      "select case l.lanname when 'sql' then fmgr_sql_validator(p.oid) else "
      "plpgsql_validator(p.oid) end"
      " from pg_proc p join pg_language l on l.oid = p.prolang"
      " where p.pronamespace = current_schema()::regnamespace and l.lanname in ('sql', 'plpgsql')");
  return {};
}

Result<int> apply(pqxx::connection& connection, const Schema& schema) {
  const std::vector<Migration>& migrations = schema.migrations;
  pqxx::work work(connection);
  work.exec_params("select pg_advisory_xact_lock($1)", kMigrationLock);
  work.exec(
      "create table if not exists schema_migrations (number integer primary key, name text not "
      "null,"
      " applied_at timestamptz not null default now())");
  work.exec("alter table schema_migrations add column if not exists digest text");
  TRY(int version, check_applied(work, migrations));
  for (const Migration& migration : migrations) {
    if (migration.number <= version) continue;
    TRY(const std::string sql, with_names(migration.sql));
    work.exec(sql);
    work.exec_params("insert into schema_migrations (number, name, digest) values ($1, $2, $3)",
                     migration.number, migration.name, crypto::sha256_hex(migration.sql));
    version = migration.number;
  }
  TRY_VOID(apply_functions(work, schema.functions));
  work.commit();
  return version;
}

}  // namespace

int schema_number() { return RONDEL_SCHEMA; }

Result<Schema> load_schema(const std::string& folder) {
  Schema schema;
  TRY(const auto tables, sql_files(folder));
  for (const auto& path : tables) {
    TRY(Migration migration, read_migration(path));
    schema.migrations.push_back(std::move(migration));
  }
  for (size_t i = 0; i < schema.migrations.size(); ++i) {
    if (schema.migrations[i].number != static_cast<int>(i) + 1) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: migration {:04} is missing or there twice", folder, i + 1));
    }
  }
  if (schema.migrations.empty()) {
    return fail(ErrorCode::kInvalidArgument, folder + " holds no migrations");
  }

  TRY(const auto functions, sql_files(folder + "/functions"));
  for (const auto& path : functions) {
    TRY(std::string sql, read_file(path));
    schema.functions.push_back({path.stem().string(), std::move(sql)});
  }
  if (schema.functions.empty()) {
    return fail(ErrorCode::kInvalidArgument, folder + "/functions holds no functions");
  }
  return schema;
}

Result<int> migrate(const std::string& dsn, const Schema& schema) {
  try {
    pqxx::connection connection(primary_dsn(dsn));
    return apply(connection, schema);
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
      return fail(ErrorCode::kUnavailable,
                  "PostgreSQL is in recovery (a standby): metadata.dsn must lead to the primary");
    }
    for (const char* setting : {"fsync", "synchronous_commit", "full_page_writes"}) {
      const auto value = work.exec1(std::string("show ") + setting)[0].as<std::string>();
      if (value == "off") {
        return fail(ErrorCode::kPrecondition, std::string("PostgreSQL runs with ") + setting +
                                                  " = off: acknowledged objects could be lost");
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

Result<void> check_schema(const std::string& dsn, int own) {
  try {
    pqxx::connection connection(primary_dsn(dsn));
    pqxx::work work(connection);
    const bool made = work.exec1("select to_regclass('schema_version') is not null")[0].as<bool>();
    const pqxx::row row =
        made ? work.exec1(
                   "select (select number from schema_version), (select min_binary from cluster)")
             : work.exec1("select 0, 0");
    const int has = row[0].as<int>();
    const int least = row[1].as<int>();
    if (least > own) {
      return fail(
          ErrorCode::kPrecondition,
          fmt::format(
              "the database has schema {} and needs a program made for schema {} or a later one,"
              " this one was made for {}: use a newer one",
              has, least, own));
    }
    if (has < own) {
      return fail(
          ErrorCode::kPrecondition,
          fmt::format(
              "the database has schema {}, this program was made for {}: run `rondel migrate`", has,
              own));
    }
    return {};
  } catch (const pqxx::broken_connection& error) {
    return fail(ErrorCode::kUnavailable, error.what());
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInternal, error.what());
  }
}

}  // namespace rondel::metadata
