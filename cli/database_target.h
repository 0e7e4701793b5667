// Which cluster's database a command works on: one on this machine by its data folder, any other by
// its connection string.
#pragma once

#include <memory>
#include <string>

#include "common/base/result.h"

namespace CLI {
class App;
}

namespace rondel::cli {

struct DatabaseTarget {
  std::string data;
  std::string dsn;
  std::string master_key_file;
};

// --data, --dsn, --master-key-file of a command.
std::shared_ptr<DatabaseTarget> add_database_options(CLI::App& command);

struct Database {
  std::string dsn;
  std::string master_key;  // 32 bytes.
};

// kInvalidArgument: `text` holds a password, which everybody on this machine can read in a command
// line.
Result<void> check_no_password(const std::string& where, const std::string& text);

// kInvalidArgument: no cluster there, or no usable master key. kPrecondition: the key is that of
// another cluster. kUnavailable: the database does not answer.
Result<Database> find_database(const DatabaseTarget& target);

}  // namespace rondel::cli
