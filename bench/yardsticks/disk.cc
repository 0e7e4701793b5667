// What the disk can do, O_DIRECT into space that is written already.
//   disk sequential FOLDER MEBIBYTES   three processes write at once, 1 MiB a write: MB/s of all, CPU s/GB
//   disk commit FOLDER SECONDS         32 writers of 4 KiB records behind one flusher (group commit): records/s, CPU us
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "usage.h"

namespace {

constexpr size_t kWriteBytes = 1 << 20;
constexpr size_t kRecordBytes = 4096 + 64;
constexpr size_t kLogBytes = 256 << 20;
constexpr int kWriters = 32;
constexpr int kProcesses = 3;

int open_written(const std::string& path, size_t bytes, int flags, const char* block) {
  const int file = open(path.c_str(), O_CREAT | O_RDWR | O_TRUNC | O_DIRECT, 0644);
  for (size_t at = 0; at < bytes; at += kWriteBytes) {
    if (pwrite(file, block, kWriteBytes, static_cast<off_t>(at)) !=
        static_cast<ssize_t>(kWriteBytes)) {
      std::perror(path.c_str());
      std::exit(1);
    }
  }
  fsync(file);
  close(file);
  return open(path.c_str(), O_RDWR | flags);
}

char* aligned_block() {
  char* const block = static_cast<char*>(std::aligned_alloc(4096, kWriteBytes));
  for (size_t i = 0; i < kWriteBytes; ++i) block[i] = static_cast<char>(i * 7 + (i >> 11));
  return block;
}

int sequential(const std::string& folder, size_t bytes) {
  const char* const block = aligned_block();
  std::vector<int> files;
  for (int i = 0; i < kProcesses; ++i) {
    files.push_back(
        open_written(folder + "/sequential-" + std::to_string(i), bytes, O_DIRECT, block));
  }
  const double begin = seconds_now(), cpu = cpu_seconds(RUSAGE_CHILDREN);
  for (int file : files) {
    if (fork() != 0) continue;
    for (size_t at = 0; at < bytes; at += kWriteBytes) {
      if (pwrite(file, block, kWriteBytes, static_cast<off_t>(at)) !=
          static_cast<ssize_t>(kWriteBytes)) {
        _exit(1);
      }
    }
    _exit(fdatasync(file));
  }
  int status = 0, worst = 0;
  while (wait(&status) > 0) worst |= status;
  const double took = seconds_now() - begin;
  const double megabytes = static_cast<double>(bytes) * kProcesses / 1e6;
  std::printf("{\"mb_per_s\": %.1f, \"cpu_s_per_gb\": %.4f}\n", megabytes / took,
              (cpu_seconds(RUSAGE_CHILDREN) - cpu) / megabytes * 1e3);
  for (int i = 0; i < kProcesses; ++i) {
    unlink((folder + "/sequential-" + std::to_string(i)).c_str());
  }
  return worst;
}

class GroupCommit {
 public:
  explicit GroupCommit(int log) : log_(log), flusher_([this] { flush_until_stopped(); }) {}

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    waiting_.notify_one();
    flusher_.join();
  }

  void append(const char* record) {
    std::unique_lock lock(mutex_);
    pending_.insert(pending_.end(), record, record + kRecordBytes);
    const uint64_t mine = ++appended_;
    waiting_.notify_one();
    flushed_.wait(lock, [&] { return durable_ >= mine; });
  }

 private:
  void flush_until_stopped() {
    std::vector<char> batch;
    size_t at = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      waiting_.wait(lock, [this] { return stopping_ || !pending_.empty(); });
      if (pending_.empty()) return;
      batch.clear();
      batch.swap(pending_);
      const uint64_t last = appended_;
      lock.unlock();
      if (at + batch.size() > kLogBytes) at = 0;
      if (pwrite(log_, batch.data(), batch.size(), static_cast<off_t>(at)) !=
              static_cast<ssize_t>(batch.size()) ||
          fdatasync(log_) != 0) {
        std::perror("log");
        std::exit(1);
      }
      at += batch.size();
      lock.lock();
      durable_ = last;
      flushed_.notify_all();
    }
  }

  const int log_;
  std::mutex mutex_;
  std::condition_variable waiting_, flushed_;
  std::vector<char> pending_;
  uint64_t appended_ = 0, durable_ = 0;
  bool stopping_ = false;
  std::thread flusher_;
};

int commit(const std::string& folder, double seconds) {
  const char* const block = aligned_block();
  const std::string path = folder + "/commit";
  GroupCommit log(open_written(path, kLogBytes, 0, block));
  std::atomic<uint64_t> records{0};
  const double begin = seconds_now(), cpu = cpu_seconds();
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([&] {
      while (seconds_now() - begin < seconds) {
        log.append(block);
        records.fetch_add(1);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const double took = seconds_now() - begin;
  log.stop();
  const auto count = static_cast<double>(records.load());
  std::printf("{\"per_s\": %.1f, \"cpu_us\": %.2f}\n", count / took,
              (cpu_seconds() - cpu) / count * 1e6);
  unlink(path.c_str());
  return 0;
}

}  // namespace

int main(int count, char** words) {
  const std::string what = count == 4 ? words[1] : "";
  if (what == "sequential") {
    return sequential(words[2], static_cast<size_t>(std::atoll(words[3])) << 20);
  }
  if (what == "commit") return commit(words[2], std::atof(words[3]));
  std::fprintf(stderr, "disk sequential FOLDER MEBIBYTES | disk commit FOLDER SECONDS\n");
  return 2;
}
