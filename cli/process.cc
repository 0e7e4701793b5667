#include "cli/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/program/secrets.h"

namespace rondel::cli {
namespace {

std::vector<char*> words_of(const std::vector<std::string>& command) {
  std::vector<char*> out;
  for (const std::string& word : command) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

// A zombie still answers kill(pid, 0), so the state counts.
bool is_alive(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return false;
  const size_t end_of_name = line.rfind(')');
  return end_of_name != std::string::npos && end_of_name + 2 < line.size() &&
         line[end_of_name + 2] != 'Z';
}

// By the executable or the first word of the command line: some kernels show one of them late or
// not at all.
bool runs_program(pid_t pid, const std::string& name) {
  const std::string folder = "/proc/" + std::to_string(pid);
  std::error_code error;
  const auto executable = std::filesystem::read_symlink(folder + "/exe", error);
  if (!error && executable.filename() == name) return true;
  std::ifstream command(folder + "/cmdline");
  std::string program;
  std::getline(command, program, '\0');
  return std::filesystem::path(program).filename() == name;
}

}  // namespace

Result<pid_t> start_process(const ProcessSpec& spec) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, spec.log_file.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawn_file_actions_addchdir_np(&actions, "/");
  // A caller may hold a lock in an inherited descriptor; a daemon must not keep it.
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = 0;
  const std::vector<std::string> environment = program::environment_for_children();
  const int error = posix_spawn(&pid, spec.command.front().c_str(), &actions, &attributes,
                                words_of(spec.command).data(), words_of(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    return fail(ErrorCode::kUnavailable,
                "cannot start " + spec.command.front() + ": " + std::strerror(error));
  }
  std::ofstream(spec.pid_file, std::ios::trunc) << pid << "\n";
  return pid;
}

std::optional<pid_t> running_process(const std::string& pid_file, const std::string& program_name) {
  std::ifstream file(pid_file);
  pid_t pid = 0;
  if (!(file >> pid) || pid <= 1 || !is_alive(pid) || !runs_program(pid, program_name)) {
    return std::nullopt;
  }
  return pid;
}

bool stop_process(pid_t pid, Duration grace) {
  using namespace std::chrono_literals;
  const auto gone = [pid] {
    waitpid(pid, nullptr, WNOHANG);
    return !is_alive(pid);
  };
  const auto wait = [&gone](Duration limit) {
    const Deadline end = deadline_in(limit);
    while (!gone() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(20ms);
    return gone();
  };
  kill(pid, SIGTERM);
  if (wait(grace)) return true;
  kill(pid, SIGKILL);
  return wait(5s);
}

Result<std::string> run_program(const std::vector<std::string>& command) {
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return fail(ErrorCode::kInternal, "pipe failed");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 2);
  posix_spawn_file_actions_addchdir_np(&actions, "/");
  pid_t pid = 0;
  const std::vector<std::string> environment = program::environment_for_children();
  const int error = posix_spawnp(&pid, command.front().c_str(), &actions, nullptr,
                                 words_of(command).data(), words_of(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_ends[1]);
  std::string output;
  if (error == 0) {
    char buffer[4096];
    for (ssize_t n; (n = read(pipe_ends[0], buffer, sizeof buffer)) > 0;) {
      output.append(buffer, static_cast<size_t>(n));
    }
  }
  close(pipe_ends[0]);
  if (error != 0) {
    return fail(ErrorCode::kUnavailable,
                "cannot run " + command.front() + ": " + std::strerror(error));
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    const std::string tail = output.size() > 600 ? output.substr(output.size() - 600) : output;
    return fail(ErrorCode::kInternal, command.front() + " failed: " + tail);
  }
  return output;
}

}  // namespace rondel::cli
