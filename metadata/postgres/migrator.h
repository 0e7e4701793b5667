// Applies migrations/NNNN_name.sql in order, each once, under an advisory lock. Blocking.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"

namespace rondel::metadata {

struct Migration {
  int number = 0;
  std::string name;
  std::string sql;
};

// Reads the folder; kInvalidArgument when numbers have gaps or repeat.
Result<std::vector<Migration>> load_migrations(const std::string& folder);

// Returns the schema version after it. kPrecondition: the schema needs a newer binary than this one, or a migration that was applied is
// not the text given here (`schema_migrations.digest`); nothing has changed then.
Result<int> migrate(const std::string& dsn, const std::vector<Migration>& migrations);

// What a server must be: fsync, synchronous_commit and full_page_writes on, encoding UTF8. kPrecondition says what is wrong;
// kUnavailable: it cannot be reached, or is a standby.
Result<void> check_server(const std::string& dsn);

}  // namespace rondel::metadata
