#include "cli/gc_command.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/local_cluster.h"
#include "common/async/event_loop.h"
#include "common/config/config.h"
#include "metadata/store/postgres_cluster_store.h"

namespace rondel::cli {
namespace {

using namespace std::chrono_literals;

struct Arguments {
  std::string data = default_data_directory();
  std::string dsn;
  uint64_t blobs = 0;
  std::string grace, trash, orphan_age;   // Empty: as it is.
};

Result<std::unique_ptr<metadata::ClusterStore>> open_store(const Arguments& arguments) {
  if (!arguments.dsn.empty()) return metadata::make_postgres_cluster_store(arguments.dsn);
  TRY_VOID(load_plan(arguments.data));
  return metadata::make_postgres_cluster_store(postgres_of(arguments.data).dsn());
}

Result<void> show(const Arguments& arguments) {
  TRY(const auto store, open_store(arguments));
  TRY(const auto state, async::block_on(store->garbage_state(deadline_in(10s))));
  TRY(const auto depths, async::block_on(store->queue_depths(deadline_in(10s))));
  if (state.halted.empty()) {
    fmt::print("garbage collection  running\n");
  } else {
    fmt::print("garbage collection  halted since {:%Y-%m-%d %H:%M:%S} UTC\nreason              {}\n",
               fmt::gmtime(std::chrono::system_clock::to_time_t(state.halted_at)), state.halted);
    fmt::print("next                find out why; `rondel gc resume` when the database holds what it should\n");
  }
  fmt::print("released streams    {}\n", depths.released);
  if (depths.referenced > 0) {
    fmt::print("kept                {}{} streams that were released though something refers to them (table referenced_releases)\n", depths.referenced,
               depths.referenced >= 10'000 ? " or more" : "");
  }
  fmt::print("ages                grace {} s, trash {} s, orphan age {} s\n", state.ages.grace.count(), state.ages.trash.count(), state.ages.orphan_age.count());
  if (state.allowance > 0) fmt::print("allowance           {} orphaned blobs in the next pass\n", state.allowance);
  return {};
}

Result<void> resume(const Arguments& arguments) {
  TRY(const auto store, open_store(arguments));
  TRY_VOID(async::block_on(store->resume_garbage(arguments.blobs, deadline_in(10s))));
  fmt::print("garbage collection goes on\n");
  return {};
}

Result<std::optional<std::chrono::seconds>> age(const std::string& text) {
  if (text.empty()) return std::nullopt;
  TRY(const Duration duration, config::parse_duration(text));
  return std::chrono::ceil<std::chrono::seconds>(duration);
}

Result<void> set(const Arguments& arguments) {
  TRY(const auto grace, age(arguments.grace));
  TRY(const auto trash, age(arguments.trash));
  TRY(const auto orphan_age, age(arguments.orphan_age));
  if (!grace && !trash && !orphan_age) return fail(ErrorCode::kInvalidArgument, "nothing to set: --grace, --trash, --orphan-age");
  TRY(const auto store, open_store(arguments));
  TRY_VOID(async::block_on(store->set_garbage_ages(grace, trash, orphan_age, deadline_in(10s))));
  return show(arguments);
}

}  // namespace

void add_gc_commands(CLI::App& app, int* status) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const gc = app.add_subcommand("gc", "garbage collection: what it does, and letting it go on");
  gc->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, Result<void> (*work)(const Arguments&)) {
    CLI::App* const command = gc->add_subcommand(name, help);
    command->add_option("--data", arguments->data, "data folder of a local cluster")->capture_default_str();
    command->add_option("--dsn", arguments->dsn, "PostgreSQL connection string; default: the local cluster's");
    command->callback([arguments, status, work] {
      const auto done = work(*arguments);
      if (!done) fmt::print(stderr, "rondel: {}\n", done.error().message);
      *status = done ? 0 : 1;
    });
    return command;
  };
  add("status", "whether it runs, and why not", show);
  CLI::App* const ages = add("set", "set the cluster's ages; lower them only when every gateway runs with the lower ones", set);
  ages->add_option("--grace", arguments->grace, "as gc.grace: \"1h\"");
  ages->add_option("--trash", arguments->trash, "as gc.trash");
  ages->add_option("--orphan-age", arguments->orphan_age, "as gc.orphan_age");
  add("resume", "confirm that the database holds what it should, and go on", resume)
      ->add_option("--blobs", arguments->blobs, "let the next pass release so many orphaned blobs, more than its breaker allows")
      ->check(CLI::Range(uint64_t{0}, uint64_t{INT64_MAX}));
}

}  // namespace rondel::cli
