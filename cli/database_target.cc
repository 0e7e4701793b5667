#include "cli/database_target.h"

#include <CLI/CLI.hpp>
#include <fstream>

#include "cli/local_cluster.h"
#include "common/base/encoding.h"
#include "common/config/config.h"
#include "metadata/operator/key_check.h"

namespace rondel::cli {

std::shared_ptr<DatabaseTarget> add_database_options(CLI::App& command) {
  auto target = std::make_shared<DatabaseTarget>();
  command.add_option("--data", target->data, "Data folder of a cluster on this machine")
      ->envname("RONDEL_DATA")
      ->default_val("/var/lib/rondel");
  command.add_option("--dsn", target->dsn, "PostgreSQL connection string instead of --data");
  command.add_option("--master-key-file", target->master_key_file, "Master key, with --dsn");
  return target;
}

Result<void> check_no_password(const std::string& where, const std::string& text) {
  if (!config::holds_password(text)) return {};
  return fail(ErrorCode::kInvalidArgument, where + ": " + config::kPasswordElsewhere);
}

Result<Database> find_database(const DatabaseTarget& target) {
  TRY_VOID(check_no_password("--dsn", target.dsn));
  Database database{target.dsn, {}};
  std::string key_file = target.master_key_file;
  if (database.dsn.empty()) {
    TRY_VOID(load_plan(target.data));
    database.dsn = postgres_of(target.data).dsn();
    key_file = target.data + "/keys/master.key";
  }
  std::ifstream file(key_file);
  std::string text;
  file >> text;
  const auto key = from_hex(text);
  if (!key || key->size() != 32) {
    return fail(ErrorCode::kInvalidArgument,
                "the master key file '" + key_file + "' must hold 64 hexadecimal digits");
  }
  database.master_key = *key;
  TRY_VOID(metadata::check_master_key(database.dsn, database.master_key));
  return database;
}

}  // namespace rondel::cli
