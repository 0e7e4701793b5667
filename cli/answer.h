// What a command has to say, for people and, with --json, for machines.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace CLI {
class App;
}

namespace rondel::cli {

struct Answer {
  std::string text;  // As it is printed, with its line ends.
  boost::json::value json = boost::json::object();
  int status = 0;  // What the command exits with.
};

// Gives the command its flag --json and its work. The answer goes to standard output, an error to
// standard error; *status is the answer's, or 1.
void answer_with(CLI::App& command, int* status, std::function<Result<Answer>()> work);

// "2026-01-31T12:00:00Z"
std::string time_text(SystemTime at);

}  // namespace rondel::cli
