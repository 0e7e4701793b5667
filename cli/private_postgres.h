// A PostgreSQL 15 of our own: data folder, unprivileged user and unix socket apart from any cluster
// of the system.
#pragma once

#include <string>

#include "common/base/result.h"

namespace rondel::cli {

struct PrivatePostgres {
  std::string data_directory;    // PGDATA; made 0700, owned by `user`.
  std::string socket_directory;  // 0700, owned by `user`; see socket_directory_of().
  std::string pid_file;
  std::string log_file;
  std::string user;  // System user that runs the server when we are root.

  // kPrecondition: there is no such user, or it cannot get to the folder because one above is
  // closed. Asked before anything is made.
  Result<void> check_user() const;
  // Lets the server's user through a folder of ours (0710, its group), and nobody else; 0700 when
  // we are no root.
  Result<void> let_through(const std::string& folder) const;

  // libpq connection string, database "rondel".
  std::string dsn() const;
};

// Makes the data folder when there is none, starts the server when it does not run, makes the
// database. kPrecondition says what is in the way (a folder its user cannot reach, for example).
Result<void> start_postgres(const PrivatePostgres& postgres);

// Where the server of a cluster has its socket: DATA/run/pg. A unix socket path has at most 107
// bytes; where that would be longer it is a folder that nobody can foresee (made by mkdtemp), of
// which DATA/run/postgresql.socket says the place.
std::string socket_directory_of(const std::string& data_directory);
// Makes sure that there is a place; before the server is started the first time. kPrecondition:
// none can be made.
Result<void> choose_socket_directory(const std::string& data_directory);
void remove_socket_directory(const std::string& data_directory);

// Smart-fast shutdown; true when it no longer runs.
bool stop_postgres(const PrivatePostgres& postgres);

}  // namespace rondel::cli
