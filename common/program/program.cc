#include "common/program/program.h"

#include "common/program/secrets.h"
#include "common/program/version.h"

#include <sched.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <iostream>

namespace rondel::program {

void schedule_as_batch() {
  const sched_param priority{};
  if (sched_getscheduler(0) == SCHED_OTHER) (void)sched_setscheduler(0, SCHED_BATCH, &priority);
}

void keep_files_private() { ::umask(077); }

int run_program(const Program& program, int argc, char** argv) {
  CLI::App app(program.title, program.name);
  std::string file;
  std::vector<std::string> assignments;
  bool describe = false;
  bool check = false;
  bool files = false;
  app.add_option("--config", file, "YAML file of settings");
  app.add_option("--set", assignments, "key=value, over the file")
      ->type_size(1)
      ->allow_extra_args(false);
  app.add_flag("--describe-settings", describe, "Print every setting as a table and end");
  app.add_flag("--check-settings", check, "Say whether the settings are right and end");
  app.add_flag("--check-files", files,
               "With --check-settings: also read the files that settings name");
  app.set_version_flag("--version", version_line(program.name));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (describe) {
    std::cout << program.schema.describe();
    return 0;
  }
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  schedule_as_batch();
  keep_files_private();
  auto environment = config::process_environment();
  environment.merge(take_secrets());
  auto settings =
      config::Settings::load(program.schema, {file, std::move(environment), assignments});
  auto checked =
      settings ? program.check(*settings) : Result<void>(std::unexpected(settings.error()));
  if (checked && check && files) checked = program.check_files(*settings);
  const auto served = checked && !check ? run_service(program.start, *settings, signals) : checked;
  if (served) return 0;
  std::cerr << program.name << ": " << served.error().message << '\n';
  return 1;
}

}  // namespace rondel::program
