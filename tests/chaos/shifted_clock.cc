// Preloaded into every process of a cluster under test: gives each a wall clock of its own.
// $RONDEL_CLOCKS/NAME holds the seconds that it is ahead (negative: behind); no file: right. NAME
// is "postgres" or the name of the process's settings file ("node-1", "gateway-2"). The steady
// clock is the machine's. What waits for a time of the wall clock inside libc is not touched: the
// programs do not.
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

char path[512];
std::atomic<int64_t> ahead_s{0};
std::atomic<int64_t> read_at{-1000};

size_t read_all(const char* from, char* into, size_t size) {
  const long file = syscall(SYS_openat, AT_FDCWD, from, O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return 0;
  size_t got = 0;
  for (long n = 1; n > 0 && got < size; got += static_cast<size_t>(n > 0 ? n : 0)) {
    n = syscall(SYS_read, file, into + got, size - got);
  }
  syscall(SYS_close, file);
  return got;
}

// Of "…/node-1.yaml", wherever it stands on the command line.
__attribute__((constructor)) void find_name() {
  const char* const folder = std::getenv("RONDEL_CLOCKS");
  if (folder == nullptr) return;
  static char line[8192];
  const size_t size = read_all("/proc/self/cmdline", line, sizeof line - 1);
  const char* program = std::strrchr(line, '/');
  program = program == nullptr ? line : program + 1;
  if (std::strcmp(program, "postgres") == 0) {
    std::snprintf(path, sizeof path, "%s/postgres", folder);
    return;
  }
  for (const char* word = line; word < line + size; word += std::strlen(word) + 1) {
    const size_t length = std::strlen(word);
    if (length < 5 || std::strcmp(word + length - 5, ".yaml") != 0) continue;
    const char* name = std::strrchr(word, '/');
    name = name == nullptr ? word : name + 1;
    std::snprintf(path, sizeof path, "%s/%.*s", folder, static_cast<int>(std::strlen(name)) - 5,
                  name);
  }
}

// The file is looked at every 20 ms.
int64_t ahead() {
  if (path[0] == '\0') return 0;
  timespec now{};
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  const int64_t at = now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
  int64_t last = read_at.load();
  if (at - last >= 20 && read_at.compare_exchange_strong(last, at)) {
    char text[64] = {};
    ahead_s = read_all(path, text, sizeof text - 1) > 0 ? std::atoll(text) : 0;
  }
  return ahead_s.load();
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* out) noexcept {
  const long done = syscall(SYS_clock_gettime, clock, out);
  if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    out->tv_sec += ahead();
  }
  return static_cast<int>(done);
}

int gettimeofday(timeval* out, void*) noexcept {
  timespec now{};
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}
}
