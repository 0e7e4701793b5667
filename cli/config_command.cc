#include "cli/config_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/answer.h"
#include "cli/local_cluster.h"
#include "cli/operations_client.h"

namespace rondel::cli {
namespace {

namespace json = boost::json;

struct Arguments {
  std::string data = default_data_directory();
  std::string url;
  bool effective = false;
  bool all = false;
};

// What is kept for the next start.
Result<Answer> show_kept(const Arguments& arguments) {
  TRY(const ClusterPlan plan, load_plan(arguments.data));
  Answer answer;
  json::object settings;
  for (const auto& [key, value] : plan.settings) {
    answer.text += fmt::format("{} = {}\n", key, value);
    settings[key] = value;
  }
  answer.json = json::object{{"settings", std::move(settings)}};
  return answer;
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* const member = object.if_contains(name);
  return member != nullptr && member->is_string() ? std::string(member->as_string())
                                                  : std::string();
}

Result<json::object> ask(const std::string& url) {
  TRY(const std::string body, ask_operations(url, "/admin/v1/settings"));
  json::error_code error;
  json::value document = json::parse(body, error);
  if (error || !document.is_object() || !document.as_object().contains("settings")) {
    return fail(ErrorCode::kUnavailable, "no process of Rondel answers there");
  }
  return document.as_object();
}

// What the processes run with, asked of each. One that does not answer makes the status 1.
Result<Answer> show_effective(const Arguments& arguments) {
  std::vector<PlannedProcess> processes{{arguments.url, arguments.url}};
  if (arguments.url.empty()) {
    TRY(const ClusterPlan plan, load_plan(arguments.data));
    processes = planned_processes(plan);
  }
  Answer answer;
  json::array documents;
  for (const PlannedProcess& process : processes) {
    auto document = ask(process.operations_url);
    if (!document) {
      answer.status = 1;
      answer.text +=
          fmt::format("{}  does not answer: {}\n", process.name, document.error().message);
      documents.push_back(
          json::object{{"process", process.name}, {"error", document.error().message}});
      continue;
    }
    answer.text += fmt::format("{}  {} {} ({})\n", process.name, text_of(*document, "program"),
                               text_of(*document, "version"), text_of(*document, "commit"));
    for (const json::value& entry : document->at("settings").as_array()) {
      const json::object& setting = entry.as_object();
      const std::string source = text_of(setting, "source");
      if (!arguments.all && source == "default") continue;
      answer.text += fmt::format("  {} = {}  ({})\n", text_of(setting, "name"),
                                 text_of(setting, "value"), source);
    }
    (*document)["process"] = process.name;
    documents.push_back(*std::move(document));
  }
  answer.json = json::object{{"processes", std::move(documents)}};
  return answer;
}

}  // namespace

void add_config_commands(CLI::App& app, int* status) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const config =
      app.add_subcommand("config", "the settings of a cluster")->require_subcommand(1);
  CLI::App* const show = config->add_subcommand(
      "show", "settings that `up --set` keeps, or with --effective those that processes run with");
  show->add_option("--data", arguments->data, "data folder of a local cluster")
      ->capture_default_str();
  show->add_option("--url", arguments->url,
                   "operations address of one process, http://host:port; with --effective");
  show->add_flag("--effective", arguments->effective,
                 "ask the processes; without --all only what differs from the default");
  show->add_flag("--all", arguments->all, "defaults too");
  answer_with(*show, status, [arguments] {
    return arguments->effective || !arguments->url.empty() ? show_effective(*arguments)
                                                           : show_kept(*arguments);
  });
}

}  // namespace rondel::cli
