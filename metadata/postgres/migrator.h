// Brings a database to the schema of this program: migrations/NNNN_name.sql in order, each once,
// then the files of migrations/functions that are another text than the database has, all in one
// transaction under an advisory lock. Blocking.
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

// Functions of one subject. Applied again whenever its text is another one.
struct FunctionFile {
  std::string name;
  std::string sql;
};

struct Schema {
  std::vector<Migration> migrations;    // By number, without gaps.
  std::vector<FunctionFile> functions;  // By name.
};

// The schema this program was built for: the number of the last migration there was. A gateway runs
// on a database that has this one or a later one, as long as `cluster.min_binary` is not greater.
int schema_number();

// Reads the folder; kInvalidArgument when numbers have gaps or repeat, or there are no functions.
Result<Schema> load_schema(const std::string& folder);

// Returns the schema version after it. kPrecondition: the schema needs a newer program than this
// one, or a migration that was applied is not the text given here (`schema_migrations.digest`);
// nothing has changed then.
Result<int> migrate(const std::string& dsn, const Schema& schema);

// What a server must be: fsync, synchronous_commit and full_page_writes on, encoding UTF8.
// kPrecondition says what is wrong; kUnavailable: it cannot be reached, or is a standby.
Result<void> check_server(const std::string& dsn);

// Whether a program of schema `own` may run on the database: kPrecondition, in one line, when the
// database has an older schema, or has left this one behind (`cluster.min_binary`).
Result<void> check_schema(const std::string& dsn, int own = schema_number());

}  // namespace rondel::metadata
