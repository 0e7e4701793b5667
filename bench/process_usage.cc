#include "bench/process_usage.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>

namespace rondel::bench {
namespace {

struct Stat {
  int parent = 0;
  double cpu_s = 0;
};

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// proc(5): the fields behind the command's name, which is in parentheses and may hold anything.
std::optional<Stat> read_stat(int pid) {
  const std::string text = read_file("/proc/" + std::to_string(pid) + "/stat");
  const size_t end = text.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(end + 1));
  Stat stat;
  std::string skipped;
  fields >> skipped >> stat.parent;
  for (int i = 5; i <= 13; ++i) fields >> skipped;
  double ticks = 0;
  for (int i = 14; i <= 17; ++i) {
    double part = 0;
    fields >> part;
    ticks += part;
  }
  stat.cpu_s = ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  return stat;
}

std::map<int, Stat> all_processes() {
  std::map<int, Stat> found;
  DIR* const folder = opendir("/proc");
  if (folder == nullptr) return found;
  while (const dirent* entry = readdir(folder)) {
    int pid = 0;
    const std::string name = entry->d_name;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc()) continue;
    if (const auto stat = read_stat(pid)) found.emplace(pid, *stat);
  }
  closedir(folder);
  return found;
}

bool belongs_to(int pid, std::span<const int> roots, const std::map<int, Stat>& processes) {
  for (int depth = 0; depth < 64 && pid > 1; ++depth) {
    for (int root : roots) {
      if (pid == root) return true;
    }
    const auto found = processes.find(pid);
    if (found == processes.end()) return false;
    pid = found->second.parent;
  }
  return false;
}

// "Name:   123 kB"
uint64_t kilobytes(const std::string& text, const std::string& name) {
  const size_t at = text.find("\n" + name + ":");
  if (at == std::string::npos) return 0;
  return std::strtoull(text.c_str() + at + name.size() + 2, nullptr, 10) * 1024;
}

}  // namespace

ProcessUsage usage_of(std::span<const int> pids) {
  ProcessUsage usage;
  const auto processes = all_processes();
  for (const auto& [pid, stat] : processes) {
    if (!belongs_to(pid, pids, processes)) continue;
    usage.cpu_s += stat.cpu_s;
    const std::string folder = "/proc/" + std::to_string(pid);
    const std::string status = read_file(folder + "/status");
    usage.resident_bytes += kilobytes(status, "VmRSS");
    usage.peak_bytes += kilobytes(status, "VmHWM");
    usage.proportional_bytes += kilobytes(read_file(folder + "/smaps_rollup"), "Pss");
  }
  return usage;
}

double own_cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace rondel::bench
