#include "cli/private_postgres.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "cli/process.h"

namespace rondel::cli {
namespace {

constexpr const char* kPrograms = "/usr/lib/postgresql/15/bin/";

std::vector<std::string> as_user(const PrivatePostgres& postgres,
                                 std::vector<std::string> command) {
  if (geteuid() != 0) return command;
  std::vector<std::string> all{"/usr/bin/setpriv", "--reuid=" + postgres.user,
                               "--regid=" + postgres.user, "--init-groups", "--"};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

Result<const passwd*> server_user(const std::string& name) {
  const passwd* const entry = getpwnam(name.c_str());
  if (entry != nullptr) return entry;
  return fail(ErrorCode::kPrecondition,
              "the system user " + name + " is missing: run deploy/local/install.sh");
}

// May the user search this folder? By its mode and the user's groups; access lists only ever add to
// what is denied here.
bool may_pass(const passwd& user, const std::filesystem::path& folder) {
  struct stat status{};
  if (stat(folder.c_str(), &status) != 0) return true;
  if (status.st_uid == user.pw_uid) return (status.st_mode & S_IXUSR) != 0;
  gid_t groups[64];
  int count = 64;
  if (getgrouplist(user.pw_name, user.pw_gid, groups, &count) < 0) count = 64;
  if (std::find(groups, groups + count, status.st_gid) != groups + count) {
    return (status.st_mode & S_IXGRP) != 0;
  }
  return (status.st_mode & S_IXOTH) != 0;
}

Result<void> make_owned_directory(const std::string& path, const std::string& user, mode_t mode) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail(ErrorCode::kPrecondition, "cannot make " + path + ": " + error.message());
  if (geteuid() == 0) {
    TRY(const passwd* entry, server_user(user));
    if (chown(path.c_str(), entry->pw_uid, entry->pw_gid) != 0) {
      return fail(ErrorCode::kPrecondition, "cannot give " + path + " to the user " + user);
    }
  }
  chmod(path.c_str(), mode);
  return {};
}

// Only the user who made the cluster becomes the role rondel.
Result<void> restrict_access(const PrivatePostgres& postgres) {
  const passwd* self = getpwuid(geteuid());
  if (self == nullptr) {
    return fail(ErrorCode::kPrecondition, "the user of this process has no name");
  }
  std::ofstream(postgres.data_directory + "/pg_hba.conf", std::ios::trunc)
      << "local all all peer map=rondel\n";
  std::ofstream(postgres.data_directory + "/pg_ident.conf", std::ios::trunc)
      << "rondel " << self->pw_name << " rondel\n";
  return {};
}

Result<void> init_database_cluster(const PrivatePostgres& postgres) {
  TRY_VOID(make_owned_directory(postgres.data_directory, postgres.user, 0700));
  const auto reachable =
      run_program(as_user(postgres, {"/usr/bin/test", "-x", postgres.data_directory}));
  if (!reachable) {
    return fail(ErrorCode::kPrecondition,
                "the user " + postgres.user + " cannot enter " + postgres.data_directory +
                    ": a folder above it is closed (chmod a+x it, or choose another --data)");
  }
  const auto made = run_program(as_user(
      postgres,
      {std::string(kPrograms) + "initdb", "-D", postgres.data_directory, "-U", "rondel", "-A",
       "trust", "--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions"}));
  if (!made) {
    std::filesystem::remove_all(postgres.data_directory);
    return std::unexpected(made.error());
  }
  TRY_VOID(restrict_access(postgres));
  std::ofstream settings(postgres.data_directory + "/postgresql.auto.conf", std::ios::app);
  settings << "listen_addresses = ''\n"
              "max_connections = 128\n"
              "shared_buffers = '256MB'\n"
              "wal_compression = on\n"
              "max_wal_size = '2GB'\n"
              "checkpoint_completion_target = 0.9\n"
              "autovacuum_naptime = '10s'\n"
              "log_min_messages = 'warning'\n";
  return {};
}

bool accepts_connections(const PrivatePostgres& postgres) {
  return run_program({std::string(kPrograms) + "pg_isready", "-q", "-h", postgres.socket_directory,
                      "-d", "postgres"})
      .has_value();
}

Result<void> wait_until_ready(const PrivatePostgres& postgres) {
  for (int i = 0; i < 600; ++i) {
    if (accepts_connections(postgres)) return {};
    if (!running_process(postgres.pid_file, "postgres")) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return fail(ErrorCode::kUnavailable, "PostgreSQL does not start: see " + postgres.log_file);
}

// A server killed a moment ago still counts as running until its parent has taken note of its end,
// and so does its shared memory until its children have ended: PostgreSQL refuses to start
// meanwhile.
constexpr int kStartAttempts = 30;

Result<void> start_server(const PrivatePostgres& postgres) {
  TRY(const pid_t pid,
      start_process({as_user(postgres, {std::string(kPrograms) + "postgres", "-D",
                                        postgres.data_directory, "-k", postgres.socket_directory}),
                     postgres.pid_file, postgres.log_file}));
  // setpriv becomes postgres in the same process; until then the pid file names the right process
  // already.
  (void)pid;
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  return {};
}

Result<void> make_database(const PrivatePostgres& postgres) {
  const std::vector<std::string> psql{std::string(kPrograms) + "psql",
                                      "-h",
                                      postgres.socket_directory,
                                      "-U",
                                      "rondel",
                                      "-d",
                                      "postgres",
                                      "-Atqc"};
  auto query = psql;
  query.push_back("select 1 from pg_database where datname = 'rondel'");
  TRY(const std::string found, run_program(query));
  if (found.starts_with("1")) return {};
  auto create = psql;
  create.push_back("create database rondel");
  TRY(const std::string made, run_program(create));
  return {};
}

// "/.s.PGSQL.5432.lock" is the longest name in it; sockaddr_un has 108 bytes.
constexpr size_t kSocketFolderMax = 107 - 20;

std::string note_of(const std::string& data) { return data + "/run/postgresql.socket"; }

std::string noted_place(const std::string& data) {
  std::ifstream note(note_of(data));
  std::string place;
  std::getline(note, place);
  return place;
}

// Where folders live as long as the machine is up. As root the server runs as somebody else, who
// cannot enter root's own.
std::string runtime_folder() {
  if (geteuid() == 0) return access("/run", W_OK) == 0 ? "/run" : "/tmp";
  const char* const runtime = getenv("XDG_RUNTIME_DIR");
  return runtime != nullptr && *runtime == '/' ? runtime : "/tmp";
}

// Made by us, and nobody else's since.
bool is_ours(const std::string& place) {
  struct stat status{};
  if (place.empty() || lstat(place.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return false;
  const passwd* const server = getpwnam("postgres");
  const bool owned = status.st_uid == geteuid() ||
                     (geteuid() == 0 && server != nullptr && status.st_uid == server->pw_uid);
  return owned && (status.st_mode & 077) == 0;
}

}  // namespace

std::string socket_directory_of(const std::string& data) {
  std::string near = data + "/run/pg";
  return near.size() <= kSocketFolderMax ? near : noted_place(data);
}

Result<void> choose_socket_directory(const std::string& data) {
  if ((data + "/run/pg").size() <= kSocketFolderMax || is_ours(noted_place(data))) return {};
  std::string place = runtime_folder() + "/rondel-XXXXXX";
  if (place.size() > kSocketFolderMax) place = "/tmp/rondel-XXXXXX";
  if (mkdtemp(place.data()) == nullptr) {
    return fail(ErrorCode::kPrecondition, "cannot make a folder for PostgreSQL's socket: " + place);
  }
  std::ofstream(note_of(data), std::ios::trunc) << place << "\n";
  chmod(note_of(data).c_str(), 0600);
  return {};
}

void remove_socket_directory(const std::string& data) {
  const std::string place = socket_directory_of(data);
  if (is_ours(place)) std::filesystem::remove_all(place);
}

Result<void> PrivatePostgres::check_user() const {
  if (geteuid() != 0) return {};
  TRY(const passwd* entry, server_user(user));
  // The cluster's own folder, above PGDATA, is opened to that user when it is made.
  const std::filesystem::path own = std::filesystem::path(data_directory).parent_path();
  for (std::filesystem::path folder = own.parent_path();; folder = folder.parent_path()) {
    if (!may_pass(*entry, folder)) {
      return fail(ErrorCode::kPrecondition,
                  "the user " + user + ", who runs PostgreSQL, cannot get to " + own.string() +
                      ": " + folder.string() +
                      " is closed (chmod a+x it, or choose another --data)");
    }
    if (folder == folder.root_path()) return {};
  }
}

Result<void> PrivatePostgres::let_through(const std::string& folder) const {
  mode_t mode = 0700;
  if (geteuid() == 0) {
    TRY(const passwd* entry, server_user(user));
    if (chown(folder.c_str(), static_cast<uid_t>(-1), entry->pw_gid) != 0) {
      return fail(ErrorCode::kPrecondition, "cannot give " + folder + " to the group of " + user);
    }
    mode = 0710;
  }
  if (chmod(folder.c_str(), mode) == 0) return {};
  return fail(ErrorCode::kPrecondition, "cannot close " + folder + " to others");
}

std::string PrivatePostgres::dsn() const {
  return "host=" + socket_directory + " user=rondel dbname=rondel";
}

Result<void> start_postgres(const PrivatePostgres& postgres) {
  if (!std::filesystem::exists(postgres.data_directory + "/PG_VERSION")) {
    TRY_VOID(init_database_cluster(postgres));
  }
  TRY_VOID(make_owned_directory(postgres.socket_directory, postgres.user, 0700));
  Result<void> ready;
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(std::chrono::milliseconds(500));
    if (!running_process(postgres.pid_file, "postgres")) TRY_VOID(start_server(postgres));
    ready = wait_until_ready(postgres);
    if (ready) return make_database(postgres);
  }
  return ready;
}

bool stop_postgres(const PrivatePostgres& postgres) {
  const auto pid = running_process(postgres.pid_file, "postgres");
  if (!pid) return true;
  // SIGINT is PostgreSQL's fast shutdown: sessions are ended, a checkpoint is written.
  kill(*pid, SIGINT);
  return stop_process(*pid, std::chrono::seconds(60));
}

}  // namespace rondel::cli
