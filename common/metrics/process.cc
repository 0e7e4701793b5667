#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "common/metrics/metrics.h"

namespace rondel::metrics {
namespace {

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double resident_bytes() {
  std::ifstream in("/proc/self/statm");
  double total = 0;
  double resident = 0;
  in >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double open_files() {
  std::error_code error;
  const auto entries = std::filesystem::directory_iterator("/proc/self/fd", error);
  return error ? 0 : static_cast<double>(std::distance(begin(entries), end(entries)));
}

}  // namespace

void register_process_metrics(Registry& registry, std::string_view program,
                              std::string_view version, std::string_view commit) {
  registry
      .gauge("rondel_build_info", "Always 1; which program this is, and of which build.",
             {{"program", std::string(program)},
              {"version", std::string(version)},
              {"commit", std::string(commit)}})
      .set(1);
  registry.callback(Type::kCounter, "process_cpu_seconds_total",
                    "User and system CPU time spent in seconds.", {}, cpu_seconds);
  registry.callback(Type::kGauge, "process_resident_memory_bytes", "Resident memory size in bytes.",
                    {}, resident_bytes);
  registry.callback(Type::kGauge, "process_open_fds", "Number of open file descriptors.", {},
                    open_files);
  const double start =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  registry
      .gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.")
      .set(start);
}

}  // namespace rondel::metrics
