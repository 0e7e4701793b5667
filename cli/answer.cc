#include "cli/answer.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

namespace rondel::cli {

void answer_with(CLI::App& command, int* status, std::function<Result<Answer>()> work) {
  const auto as_json = std::make_shared<bool>(false);
  command.add_flag("--json", *as_json, "the answer for machines, one JSON document");
  command.callback([as_json, status, work = std::move(work)] {
    const Result<Answer> answer = work();
    if (!answer) {
      fmt::print(stderr, "rondel: {}\n", answer.error().message);
      *status = 1;
      return;
    }
    if (*as_json) {
      fmt::print("{}\n", boost::json::serialize(answer->json));
    } else {
      fmt::print("{}", answer->text);
    }
    std::fflush(stdout);
    *status = answer->status;
  });
}

std::string time_text(SystemTime at) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::floor<std::chrono::seconds>(at));
}

}  // namespace rondel::cli
