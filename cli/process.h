// Processes that outlive the command that started them, known by their pid files.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace rondel::cli {

struct ProcessSpec {
  std::vector<std::string> command;  // Absolute program first.
  std::string pid_file;
  std::string log_file;  // Standard output and error, appended.
};

// Children inherit no variable that may hold a secret (common/program/secrets.h).
// Starts a daemon: own session, standard input closed, working directory "/". Writes the pid file
// before it returns.
Result<pid_t> start_process(const ProcessSpec& spec);

// The process of a pid file, when it runs and is the same program (a reused pid is not believed).
std::optional<pid_t> running_process(const std::string& pid_file, const std::string& program_name);

// SIGTERM, then SIGKILL after `grace`. True when it is gone.
bool stop_process(pid_t pid, Duration grace);

// Runs a program to its end. kInternal with its last lines when it does not exit with 0.
Result<std::string> run_program(const std::vector<std::string>& command);

}  // namespace rondel::cli
