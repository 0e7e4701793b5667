#include "cli/node_commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/answer.h"
#include "cli/database_target.h"
#include "cli/local_cluster.h"
#include "common/async/event_loop.h"
#include "metadata/postgres/postgres_metadata.h"

namespace rondel::cli {
namespace {

namespace json = boost::json;

struct Arguments {
  std::string data = default_data_directory();
  std::string dsn;
  std::string name;
};

Result<std::unique_ptr<metadata::PostgresMetadata>> open_metadata(const Arguments& arguments) {
  TRY_VOID(check_no_password("--dsn", arguments.dsn));
  if (!arguments.dsn.empty()) return metadata::PostgresMetadata::make_for_command(arguments.dsn);
  TRY_VOID(load_plan(arguments.data));
  return metadata::PostgresMetadata::make_for_command(postgres_of(arguments.data).dsn());
}

Result<Answer> list(const Arguments& arguments) {
  TRY(const auto metadata, open_metadata(arguments));
  TRY(const auto nodes,
      async::block_on(metadata->stores().nodes.list_nodes(deadline_in(std::chrono::seconds(10)))));
  Answer answer;
  json::array rows;
  for (const metadata::NodeRecord& node : nodes) {
    answer.text +=
        fmt::format("{}  {:<32} {:<24} {}\n", node.id.to_hex(),
                    node.name.empty() ? "(no name)" : node.name, node.address, node.zone);
    rows.push_back(json::object{{"id", node.id.to_hex()},
                                {"name", node.name},
                                {"address", node.address},
                                {"zone", node.zone}});
  }
  answer.json = json::object{{"nodes", std::move(rows)}};
  return answer;
}

Result<Answer> forget(const Arguments& arguments) {
  TRY(const auto metadata, open_metadata(arguments));
  TRY(const bool had, async::block_on(metadata->stores().nodes.forget_name(
                          arguments.name, deadline_in(std::chrono::seconds(10)))));
  if (!had) {
    return fail(ErrorCode::kNotFound, "there is no node of the name '" + arguments.name + "'");
  }
  return Answer{fmt::format("the next node that says it is {} has the name\n", arguments.name),
                json::object{{"name", arguments.name}, {"done", "forget"}}};
}

}  // namespace

void add_node_commands(CLI::App& app, int* status) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const node =
      app.add_subcommand("node", "storage nodes and their names")->require_subcommand(1);
  const auto add = [&](const char* verb, const char* help,
                       Result<Answer> (*work)(const Arguments&)) {
    CLI::App* const command = node->add_subcommand(verb, help);
    command->add_option("--data", arguments->data, "data folder of a local cluster")
        ->capture_default_str();
    command->add_option("--dsn", arguments->dsn,
                        "PostgreSQL connection string; default: the local cluster's");
    answer_with(*command, status, [arguments, work] { return work(*arguments); });
    return command;
  };
  add("list", "all that ever joined: id, name, address, zone", list);
  add("forget", "let go of a name, when its node is gone for good or is to have another", forget)
      ->add_option("name", arguments->name, "as node.name")
      ->required();
}

}  // namespace rondel::cli
