// rondel: the command line, and the cluster on one machine.
#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>

#include "cli/account_commands.h"
#include "cli/answer.h"
#include "cli/audit_command.h"
#include "cli/config_command.h"
#include "cli/database_target.h"
#include "cli/gc_command.h"
#include "cli/kms_commands.h"
#include "cli/local_cluster.h"
#include "cli/node_commands.h"
#include "cli/ring_command.h"
#include "cli/status_command.h"
#include "common/program/program.h"
#include "common/program/secrets.h"
#include "common/program/version.h"
#include "metadata/postgres/migrator.h"

namespace rondel::cli {
namespace {

std::string program_directory() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

Result<void> add_settings(UpOptions& options, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return fail(ErrorCode::kInvalidArgument, "--set wants key=value, not '" + word + "'");
    }
    TRY_VOID(check_no_password("--set " + word.substr(0, equals), word.substr(equals + 1)));
    options.settings[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return {};
}

struct UpArguments {
  UpOptions options;
  std::vector<std::string> settings;
  bool detach = false;
};

void wait_for_interrupt() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  int signal = 0;
  sigwait(&signals, &signal);
}

void add_up(CLI::App& app, UpArguments& arguments, int* status) {
  CLI::App* up_command = app.add_subcommand(
      "up", "start a cluster on this machine: PostgreSQL, storage nodes, gateways");
  UpOptions& options = arguments.options;
  options.data_directory = default_data_directory();
  options.binary_directory = program_directory();
  up_command->add_option("--data", options.data_directory, "data folder")->capture_default_str();
  up_command->add_option("--port", options.port, "S3 port of the first gateway (9000)")
      ->check(CLI::Range(1024, 65'000));
  up_command->add_option("--nodes", options.nodes, "storage nodes (4)");
  up_command->add_option("--zones", options.zones, "failure domains (3)");
  up_command->add_option("--gateways", options.gateways, "gateways (1)");
  up_command->add_option("--env-file", options.env_file,
                         "also write endpoint and keys as shell lines here");
  up_command
      ->add_option("--migrations", options.migrations_directory,
                   "folder of the schema's migrations")
      ->required();
  up_command->add_option("--ready-within", options.ready_within, "seconds until all must be ready")
      ->capture_default_str()
      ->check(CLI::Range(1, 3600));
  up_command->add_option("--set", arguments.settings, "setting key=value, kept for the next start")
      ->take_all();
  up_command
      ->add_option("--unset", options.unset,
                   "key of a kept setting that is to have its default again")
      ->take_all();
  up_command->add_flag("--detach", arguments.detach, "leave the processes running and return");
  answer_with(*up_command, status, [&arguments]() -> Result<Answer> {
    TRY_VOID(add_settings(arguments.options, arguments.settings));
    TRY(Answer answer, up(arguments.options));
    if (arguments.detach) return answer;
    fmt::print(stderr, "\nPress Ctrl-C to stop.\n");
    wait_for_interrupt();
    TRY_VOID(down(arguments.options.data_directory, false));
    return answer;
  });
}

struct DownArguments {
  std::string data = default_data_directory();
  bool wipe = false;
};

void add_down(CLI::App& app, DownArguments& arguments, int* status) {
  CLI::App* command = app.add_subcommand("down", "stop the cluster of a data folder");
  command->add_option("--data", arguments.data, "data folder")->capture_default_str();
  command->add_flag("--wipe", arguments.wipe, "remove the data folder afterwards");
  answer_with(*command, status, [&arguments]() -> Result<Answer> {
    TRY_VOID(down(arguments.data, arguments.wipe));
    return Answer{"",
                  boost::json::object{{"stopped", arguments.data}, {"removed", arguments.wipe}}};
  });
}

void add_status(CLI::App& app, StatusOptions& options, int* status) {
  options.data_directory = default_data_directory();
  CLI::App* command = app.add_subcommand("status", "nodes, disks, space and replication lag");
  command->add_option("--data", options.data_directory, "data folder of a local cluster")
      ->capture_default_str();
  command->add_option("--url", options.operations_url,
                      "operations address of a gateway, http://host:port");
  answer_with(*command, status, [&options] { return ask_status(options); });
}

void add_ring(CLI::App& app, RingSimulationOptions& options, int* status) {
  CLI::App* ring = app.add_subcommand("ring", "the placement ring");
  ring->require_subcommand(1);
  CLI::App* sim = ring->add_subcommand("sim", "balance, movement and cost of simulated rings");
  // A tenth more disks must still be a ring.
  sim->add_option("--disks", options.disks, "numbers of disks")
      ->delimiter(',')
      ->check(CLI::Range(3, 59'577));
  sim->add_option("--replicas", options.replicas, "copies of each blob")->check(CLI::Range(1, 5));
  sim->add_option("--seed", options.seed, "seed of the draws");
  answer_with(*sim, status, [&options] { return simulate_rings(options); });
}

struct MigrateArguments {
  std::string dsn;
  std::string folder;
  std::string data = default_data_directory();
};

Result<Answer> run_migrations(const MigrateArguments& arguments) {
  TRY_VOID(check_no_password("--dsn", arguments.dsn));
  const std::string dsn = arguments.dsn.empty() ? postgres_of(arguments.data).dsn() : arguments.dsn;
  TRY(const auto schema, metadata::load_schema(arguments.folder));
  TRY(const int version, metadata::migrate(dsn, schema));
  return Answer{fmt::format("schema version {}\n", version),
                boost::json::object{{"schema", version}}};
}

void add_migrate(CLI::App& app, MigrateArguments& arguments, int* status) {
  CLI::App* command = app.add_subcommand("migrate", "bring the database schema up to date");
  command->add_option("--dsn", arguments.dsn,
                      "PostgreSQL connection string; default: the local cluster's");
  command->add_option("--data", arguments.data, "data folder of a local cluster")
      ->capture_default_str();
  command->add_option("--migrations", arguments.folder, "folder of the migrations")->required();
  answer_with(*command, status, [&arguments] { return run_migrations(arguments); });
}

// What PostgreSQL knows the sessions of this command by: the user who typed it. 63 bytes at most.
void name_session() {
  const passwd* const user = getpwuid(getuid());
  const std::string name = user != nullptr ? user->pw_name : std::to_string(getuid());
  setenv("PGAPPNAME", ("rondel " + name).substr(0, 63).c_str(), 0);
}

int run(int argc, char** argv) {
  program::take_secrets();
  CLI::App app{"Rondel: an S3-compatible object store"};
  app.require_subcommand(1);
  app.set_version_flag("--version", program::version_line("rondel"));
  name_session();
  int status = 0;
  UpArguments up_arguments;
  DownArguments down_arguments;
  StatusOptions status_options;
  RingSimulationOptions ring_options;
  MigrateArguments migrate_arguments;
  add_up(app, up_arguments, &status);
  add_down(app, down_arguments, &status);
  add_status(app, status_options, &status);
  add_ring(app, ring_options, &status);
  add_migrate(app, migrate_arguments, &status);
  add_account_commands(app, &status);
  add_gc_commands(app, &status);
  add_node_commands(app, &status);
  add_kms_commands(app, &status);
  add_audit_commands(app, &status);
  add_config_commands(app, &status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return status;
}

}  // namespace
}  // namespace rondel::cli

int main(int argc, char** argv) {
  rondel::program::keep_files_private();
  return rondel::cli::run(argc, argv);
}
