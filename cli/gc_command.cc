#include "cli/gc_command.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <set>
#include <thread>

#include "cli/answer.h"
#include "cli/database_target.h"
#include "cli/local_cluster.h"
#include "common/async/event_loop.h"
#include "common/config/config.h"
#include "metadata/postgres/postgres_metadata.h"

namespace rondel::cli {
namespace {

using namespace std::chrono_literals;

namespace json = boost::json;

struct Arguments {
  std::string data = default_data_directory();
  std::string dsn;
  uint64_t blobs = 0;
  std::string grace, trash, orphan_age;  // Empty: as it is.
  std::string patience = "15m";
};

Result<std::unique_ptr<metadata::PostgresMetadata>> open_metadata(const Arguments& arguments) {
  TRY_VOID(check_no_password("--dsn", arguments.dsn));
  if (!arguments.dsn.empty()) return metadata::PostgresMetadata::make_for_command(arguments.dsn);
  TRY_VOID(load_plan(arguments.data));
  return metadata::PostgresMetadata::make_for_command(postgres_of(arguments.data).dsn());
}

// One line, whatever their number: of nodes that left for good nobody deletes the rows.
std::string former_text(const metadata::RestoreState& state) {
  const uint64_t former = state.disks.size() - state.members();
  if (former == 0) return "";
  std::string nodes;
  std::set<model::NodeId> named;
  for (const auto& disk : state.disks) {
    if (disk.member || !named.insert(disk.node).second) continue;
    if (named.size() <= 3) nodes += (nodes.empty() ? "" : ", ") + disk.address;
  }
  if (named.size() > 3) nodes += fmt::format(" and {} more", named.size() - 3);
  return fmt::format(
      "not waited for      {} disks of nodes that have not been heard of for an hour "
      "and are in no ring: {}\n",
      former, nodes);
}

// What an operator asks about first.
std::string state_text(const metadata::GarbageState& state) {
  std::string text = "garbage collection  running\n";
  if (!state.halted.empty()) {
    text = fmt::format(
        "garbage collection  halted since {:%Y-%m-%d %H:%M:%S} UTC\n"
        "reason              {}\n",
        fmt::gmtime(std::chrono::system_clock::to_time_t(state.halted_at)), state.halted);
    text +=
        "next                find out why; `rondel gc restore` takes back from the trash "
        "what rows refer to; then `rondel gc resume`\n";
  }
  if (!state.stranger.empty()) text += fmt::format("not recognized      {}\n", state.stranger);
  return text;
}

json::object ages_object(const metadata::GarbageAges& ages) {
  return {{"grace_seconds", ages.grace.count()},
          {"trash_seconds", ages.trash.count()},
          {"orphan_age_seconds", ages.orphan_age.count()}};
}

std::string ages_text(const metadata::GarbageAges& ages) {
  return fmt::format("ages                grace {} s, trash {} s, orphan age {} s\n",
                     ages.grace.count(), ages.trash.count(), ages.orphan_age.count());
}

Result<Answer> show(const Arguments& arguments) {
  TRY(const auto metadata, open_metadata(arguments));
  TRY(const auto state, async::block_on(metadata->stores().gc.garbage_state(deadline_in(10s))));
  TRY(const auto depths,
      async::block_on(metadata->stores().releases.queue_depths(deadline_in(10s))));
  TRY(const auto restores,
      async::block_on(metadata->stores().restores.restore_state(deadline_in(10s))));
  const uint64_t waiting = restores.waiting();
  std::string text = state_text(state);
  if (waiting > 0) {
    text += fmt::format(
        "trash               to be looked through on {} of {} disks; "
        "nothing is purged on them before\n",
        waiting, restores.members());
    text += former_text(restores);
  }
  text += fmt::format("released streams    {}\n", depths.released);
  if (depths.referenced > 0) {
    text += fmt::format(
        "kept                {}{} streams that were released though something refers to them "
        "(table referenced_releases)\n",
        depths.referenced, depths.referenced >= 10'000 ? " or more" : "");
  }
  text += ages_text(state.ages);
  if (state.allowance > 0) {
    text +=
        fmt::format("allowance           {} orphaned blobs in the next pass\n", state.allowance);
  }
  return Answer{std::move(text), json::object{{"running", state.halted.empty()},
                                              {"reason", state.halted},
                                              {"not_recognized", state.stranger},
                                              {"disks_to_restore", waiting},
                                              {"disks", restores.members()},
                                              {"released_streams", depths.released},
                                              {"referenced_streams", depths.referenced},
                                              {"ages", ages_object(state.ages)},
                                              {"allowance", state.allowance}}};
}

Result<Answer> resume(const Arguments& arguments) {
  TRY(const auto metadata, open_metadata(arguments));
  TRY_VOID(
      async::block_on(metadata->stores().gc.resume_garbage(arguments.blobs, deadline_in(10s))));
  return Answer{"garbage collection goes on\n",
                json::object{{"running", true}, {"allowance", arguments.blobs}}};
}

Result<Answer> confirm_clocks(const Arguments& arguments) {
  TRY(const auto metadata, open_metadata(arguments));
  TRY_VOID(async::block_on(metadata->stores().gc.confirm_clocks(deadline_in(10s))));
  return Answer{"every gateway goes by the clocks as they are within seconds\n",
                json::object{{"confirmed", true}}};
}

// For machines: what was done, and which disks wait.
json::object restore_document(const metadata::RestoreState& state) {
  uint64_t blobs = 0;
  boost::json::array missing, former;
  for (const auto& disk : state.disks) {
    blobs += disk.done ? disk.blobs : 0;
    if (disk.done && disk.member) continue;
    boost::json::object named{{"disk", disk.disk.to_hex()},
                              {"node", disk.node.to_hex()},
                              {"address", disk.address},
                              {"alive", disk.alive}};
    (disk.member ? missing : former).push_back(std::move(named));
  }
  return {{"number", state.number},
          {"disks", state.members()},
          {"blobs_restored", blobs},
          {"missing", std::move(missing)},
          {"former", std::move(former)}};
}

std::string restored_text(const metadata::RestoreState& state) {
  uint64_t blobs = 0;
  for (const auto& disk : state.disks) blobs += disk.done ? disk.blobs : 0;
  std::string text =
      fmt::format("{} of {} disks were looked through, {} copies were taken out of the trash\n",
                  state.members() - state.waiting(), state.members(), blobs);
  for (const auto& disk : state.disks) {
    if (!disk.waits()) continue;
    // A disk of a ring that no node tells of has no address.
    const std::string node = disk.address.empty() ? disk.node.to_hex() : "at " + disk.address;
    text += fmt::format("missing             disk {} of the node {}{}\n", disk.disk.to_hex(), node,
                        disk.alive ? "" : ", which is away or has not opened it");
  }
  return text + former_text(state);
}

// The gateway that coordinates does the work, and goes on with it when nobody waits: disks that are
// away have their turn when they are back.
Result<Answer> restore(const Arguments& arguments) {
  constexpr auto kAwayPatience = 15s;  // A node that has just started is not away.
  TRY(const Duration patience, config::parse_duration(arguments.patience));
  TRY(const auto metadata, open_metadata(arguments));
  TRY(const uint64_t number,
      async::block_on(metadata->stores().restores.order_restore(deadline_in(10s))));
  const SteadyTime begin = std::chrono::steady_clock::now();
  SteadyTime alive_at = begin;
  metadata::RestoreState state;
  for (uint64_t shown = UINT64_MAX;; std::this_thread::sleep_for(300ms)) {
    TRY(state, async::block_on(metadata->stores().restores.restore_state(deadline_in(10s))));
    const uint64_t waiting = state.waiting();
    if (waiting != shown && !state.disks.empty()) {
      fmt::print(stderr, "{} of {} disks to be looked through\n", waiting, state.members());
    }
    shown = waiting;
    const SteadyTime now = std::chrono::steady_clock::now();
    const auto at_work = [](const auto& disk) { return !disk.done && disk.alive; };
    if (std::ranges::any_of(state.disks, at_work)) alive_at = now;
    if (state.number >= number && waiting == 0) break;
    if (now - alive_at > kAwayPatience || now - begin > patience) break;
  }
  Answer answer{restored_text(state), restore_document(state)};
  if (state.waiting() == 0 && state.members() > 0) return answer;
  fmt::print(stderr,
             "rondel: not every disk was looked through: those missing are when their nodes "
             "and a gateway are up, and nothing is purged on them before\n");
  answer.status = 1;
  return answer;
}

Result<std::optional<std::chrono::seconds>> age(const std::string& text) {
  if (text.empty()) return std::nullopt;
  TRY(const Duration duration, config::parse_duration(text));
  return std::chrono::ceil<std::chrono::seconds>(duration);
}

Result<Answer> set(const Arguments& arguments) {
  TRY(const auto grace, age(arguments.grace));
  TRY(const auto trash, age(arguments.trash));
  TRY(const auto orphan_age, age(arguments.orphan_age));
  if (!grace && !trash && !orphan_age) {
    return fail(ErrorCode::kInvalidArgument, "nothing to set: --grace, --trash, --orphan-age");
  }
  TRY(const auto metadata, open_metadata(arguments));
  TRY_VOID(async::block_on(
      metadata->stores().gc.set_garbage_ages(grace, trash, orphan_age, deadline_in(10s))));
  TRY(const auto state, async::block_on(metadata->stores().gc.garbage_state(deadline_in(10s))));
  return Answer{state_text(state) + ages_text(state.ages) +
                    "from when           the next round of the gateway that coordinates, within a "
                    "minute; a gateway "
                    "that starts with longer ages raises them again\n",
                json::object{{"ages", ages_object(state.ages)}, {"effective_within_seconds", 60}}};
}

}  // namespace

void add_gc_commands(CLI::App& app, int* status) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const gc =
      app.add_subcommand("gc", "garbage collection: what it does, and letting it go on");
  gc->require_subcommand(1);
  const auto add = [&](const char* name, const char* help,
                       Result<Answer> (*work)(const Arguments&)) {
    CLI::App* const command = gc->add_subcommand(name, help);
    command->add_option("--data", arguments->data, "data folder of a local cluster")
        ->capture_default_str();
    command->add_option("--dsn", arguments->dsn,
                        "PostgreSQL connection string; default: the local cluster's");
    answer_with(*command, status, [arguments, work] { return work(*arguments); });
    return command;
  };
  add("status", "whether it runs, and why not", show);
  CLI::App* const ages = add(
      "set", "set the cluster's ages; lower them only when every gateway runs with the lower ones",
      set);
  ages->add_option("--grace", arguments->grace, "as gc.grace: \"1h\"");
  ages->add_option("--trash", arguments->trash, "as gc.trash");
  ages->add_option("--orphan-age", arguments->orphan_age, "as gc.orphan_age");
  CLI::App* const back =
      add("restore", "take back from the trash what rows refer to, after the database was restored",
          restore);
  back->add_option("--wait", arguments->patience, "how long to wait for it")->capture_default_str();
  add("resume", "confirm that the database holds what it should, and go on", resume)
      ->add_option("--blobs", arguments->blobs,
                   "let the next pass release so many orphaned blobs, more than its breaker allows")
      ->check(CLI::Range(uint64_t{0}, uint64_t{INT64_MAX}));
  add("confirm-clocks",
      "say that the clocks of gateways and database are right: ages go by them at once",
      confirm_clocks);
}

}  // namespace rondel::cli
