#include "cli/audit_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/answer.h"
#include "cli/database_target.h"
#include "cli/local_cluster.h"
#include "metadata/operator/audit_log.h"

namespace rondel::cli {
namespace {

namespace json = boost::json;

struct Arguments {
  std::string data = default_data_directory();
  std::string dsn;
  uint64_t limit = 100;
};

json::value parsed(const std::string& text) {
  return text.empty() ? json::value() : json::parse(text);
}

Result<Answer> list(const Arguments& arguments) {
  TRY_VOID(check_no_password("--dsn", arguments.dsn));
  if (arguments.dsn.empty()) TRY_VOID(load_plan(arguments.data));
  const std::string dsn = arguments.dsn.empty() ? postgres_of(arguments.data).dsn() : arguments.dsn;
  TRY(const auto rows, metadata::read_audit(dsn, arguments.limit));
  Answer answer;
  json::array all;
  for (const metadata::AuditRow& row : rows) {
    answer.text +=
        fmt::format("{}  {:<24} {:<8} {} {}\n", time_text(row.at),
                    fmt::format("{}@{}", row.program.empty() ? row.role : row.program, row.client),
                    row.action, row.subject, row.name);
    if (!row.before.empty()) answer.text += fmt::format("    before {}\n", row.before);
    if (!row.after.empty()) answer.text += fmt::format("    after  {}\n", row.after);
    all.push_back(json::object{{"id", row.id},
                               {"at", time_text(row.at)},
                               {"role", row.role},
                               {"program", row.program},
                               {"client", row.client},
                               {"action", row.action},
                               {"subject", row.subject},
                               {"name", row.name},
                               {"before", parsed(row.before)},
                               {"after", parsed(row.after)}});
  }
  answer.json = json::object{{"rows", std::move(all)}};
  return answer;
}

}  // namespace

void add_audit_commands(CLI::App& app, int* status) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const audit =
      app.add_subcommand("audit", "what operators changed, and who")->require_subcommand(1);
  CLI::App* const show =
      audit->add_subcommand("list", "the newest changes, the oldest of them first");
  show->add_option("--data", arguments->data, "data folder of a local cluster")
      ->capture_default_str();
  show->add_option("--dsn", arguments->dsn,
                   "PostgreSQL connection string; default: the local cluster's");
  show->add_option("--limit", arguments->limit, "how many")
      ->capture_default_str()
      ->check(CLI::Range(uint64_t{1}, metadata::kAuditRowsMax));
  answer_with(*show, status, [arguments] { return list(*arguments); });
}

}  // namespace rondel::cli
