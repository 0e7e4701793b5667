// Preloaded into every process of a cluster under test: makes the disk of one of them slow, full or
// broken while a file says so. $RONDEL_FAULTS/<pid> holds one line: delay in microseconds of every
// read, write and flush, 1 for full, 1 for broken. No file, no fault. Only regular files below
// $RONDEL_FAULTS_BELOW are touched.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct Fault {
  long delay_us = 0;
  int full = 0;
  int broken = 0;
};

int64_t milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

std::atomic<int64_t> read_at{-1000};
std::atomic<long> delay_us{0};
std::atomic<int> full{0};
std::atomic<int> broken{0};

// The file is looked at every 20 ms.
Fault fault() {
  static const char* const folder = std::getenv("RONDEL_FAULTS");
  if (folder == nullptr) return {};
  const int64_t now = milliseconds();
  int64_t last = read_at.load();
  if (now - last >= 20 && read_at.compare_exchange_strong(last, now)) {
    char path[512];
    std::snprintf(path, sizeof path, "%s/%d", folder, getpid());
    Fault said;
    const long file = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (file >= 0) {
      char text[128] = {};
      const long size = syscall(SYS_read, file, text, sizeof text - 1);
      if (size > 0) (void)std::sscanf(text, "%ld %d %d", &said.delay_us, &said.full, &said.broken);
      syscall(SYS_close, file);
    }
    delay_us = said.delay_us;
    full = said.full;
    broken = said.broken;
  }
  return {delay_us.load(), full.load(), broken.load()};
}

bool is_below(const char* path) {
  static const char* const below = std::getenv("RONDEL_FAULTS_BELOW");
  return below != nullptr && std::strncmp(path, below, std::strlen(below)) == 0;
}

bool concerned(int file) {
  char link[64];
  char path[1024] = {};
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  return size > 0 && is_below(path);
}

long fail(int number) {
  errno = number;
  return -1;
}

// Zero, or -1 with errno. `end`: of what is written; bytes that the file has already need no new
// space.
long before_write(int file, int64_t end) {
  const Fault now = fault();
  if (now.delay_us == 0 && !now.full && !now.broken) return 0;
  if (!concerned(file)) return 0;
  if (now.delay_us > 0) usleep(static_cast<useconds_t>(now.delay_us));
  if (now.broken) return fail(EIO);
  struct stat known{};
  if (now.full && fstat(file, &known) == 0 && S_ISREG(known.st_mode) && end > known.st_size) {
    return fail(ENOSPC);
  }
  return 0;
}

long before_flush(int file) { return before_write(file, 0); }

void before_read(int file) {
  const Fault now = fault();
  if (now.delay_us > 0 && concerned(file)) usleep(static_cast<useconds_t>(now.delay_us));
}

int64_t position(int file) { return syscall(SYS_lseek, file, 0, SEEK_CUR); }

}  // namespace

extern "C" {

ssize_t pwrite64(int file, const void* from, size_t size, off64_t at) {
  return before_write(file, at + static_cast<int64_t>(size)) != 0
             ? -1
             : syscall(SYS_pwrite64, file, from, size, at);
}

ssize_t pwrite(int file, const void* from, size_t size, off_t at) {
  return pwrite64(file, from, size, at);
}

ssize_t write(int file, const void* from, size_t size) {
  return before_write(file, position(file) + static_cast<int64_t>(size)) != 0
             ? -1
             : syscall(SYS_write, file, from, size);
}

ssize_t pread64(int file, void* into, size_t size, off64_t at) {
  before_read(file);
  return syscall(SYS_pread64, file, into, size, at);
}

ssize_t pread(int file, void* into, size_t size, off_t at) { return pread64(file, into, size, at); }

int statvfs64(const char* path, struct statvfs64* out) {
  static const auto real =
      reinterpret_cast<int (*)(const char*, struct statvfs64*)>(dlsym(RTLD_NEXT, "statvfs64"));
  const int done = real(path, out);
  if (done == 0 && fault().full && is_below(path)) out->f_bavail = out->f_bfree = 0;
  return done;
}

int statvfs(const char* path, struct statvfs* out) {
  return statvfs64(path, reinterpret_cast<struct statvfs64*>(out));
}

int fdatasync(int file) {
  return before_flush(file) != 0 ? -1 : static_cast<int>(syscall(SYS_fdatasync, file));
}

int fsync(int file) {
  return before_flush(file) != 0 ? -1 : static_cast<int>(syscall(SYS_fsync, file));
}

int fallocate64(int file, int mode, off64_t at, off64_t size) {
  return before_write(file, at + size) != 0
             ? -1
             : static_cast<int>(syscall(SYS_fallocate, file, mode, at, size));
}

int fallocate(int file, int mode, off_t at, off_t size) {
  return fallocate64(file, mode, at, size);
}

}  // extern "C"
