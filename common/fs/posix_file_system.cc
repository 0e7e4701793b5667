#include "common/fs/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace rondel::fs {

namespace {

// Whoever may not read the objects through the service may not read their bytes either.
constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;

std::unexpected<Error> fail_errno(int error, const std::string& what) {
  ErrorCode code = ErrorCode::kInternal;
  if (error == ENOENT || error == ENOTDIR) code = ErrorCode::kNotFound;
  if (error == EEXIST) code = ErrorCode::kAlreadyExists;
  if (error == ENOSPC || error == EDQUOT) code = ErrorCode::kStorageFull;
  if (error == EACCES || error == EPERM) code = ErrorCode::kPermissionDenied;
  char text[128];
  return fail(code, what + ": " + strerror_r(error, text, sizeof text));
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path, bool direct, bool sync_each_write)
      : fd_(fd), path_(std::move(path)), direct_(direct), sync_each_write_(sync_each_write) {}

  ~PosixFile() override { ::close(fd_); }

  Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
    size_t done = 0;
    while (done < buffer.size()) {
      const ssize_t n = ::pread(fd_, buffer.data() + done, buffer.size() - done,
                                static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_errno(errno, "read " + path_);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Result<size_t> read_cached_at(uint64_t offset, std::span<std::byte> buffer) override {
    size_t done = 0;
    while (done < buffer.size()) {
      iovec vector{buffer.data() + done, buffer.size() - done};
      const ssize_t n = ::preadv2(fd_, &vector, 1, static_cast<off_t>(offset + done), RWF_NOWAIT);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && (errno == EAGAIN || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)) {
        return fail(ErrorCode::kUnavailable, "not in memory");
      }
      if (n < 0) return fail_errno(errno, "read " + path_);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Result<void> write_at(uint64_t offset, ByteView bytes) override {
    if (direct_ && !is_aligned(offset, bytes)) {
      return fail(ErrorCode::kInvalidArgument, "unaligned direct write");
    }
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t n = ::pwrite(fd_, bytes.data() + done, bytes.size() - done,
                                 static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_errno(errno, "write " + path_);
      done += static_cast<size_t>(n);
    }
    return sync_each_write_ ? flush() : Result<void>{};
  }

  Result<void> flush() override {
    if (::fdatasync(fd_) != 0) return fail_errno(errno, "flush " + path_);
    return {};
  }

  Result<uint64_t> size() override {
    struct stat status{};
    if (::fstat(fd_, &status) != 0) return fail_errno(errno, "stat " + path_);
    return static_cast<uint64_t>(status.st_size);
  }

  Result<void> truncate(uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) {
      return fail_errno(errno, "truncate " + path_);
    }
    return {};
  }

  Result<void> allocate(uint64_t offset, uint64_t length) override {
    if (::fallocate(fd_, 0, static_cast<off_t>(offset), static_cast<off_t>(length)) == 0) return {};
    if (errno != EOPNOTSUPP) return fail_errno(errno, "allocate " + path_);
    TRY(const uint64_t now, size());
    return now >= offset + length ? Result<void>{} : truncate(offset + length);
  }

  void drop_cache(uint64_t offset, uint64_t length) override {
    ::posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(length),
                    POSIX_FADV_DONTNEED);
  }

  bool is_direct() const override { return direct_; }

 private:
  static bool is_aligned(uint64_t offset, ByteView bytes) {
    return offset % kDirectAlignment == 0 && bytes.size() % kDirectAlignment == 0 &&
           reinterpret_cast<uintptr_t>(bytes.data()) % kDirectAlignment == 0;
  }

  const int fd_;
  const std::string path_;
  const bool direct_;
  const bool sync_each_write_;
};

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(int fd) : fd_(fd) {}

  ~PosixLock() override { ::close(fd_); }

 private:
  const int fd_;
};

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenOptions options) override {
    int flags = O_CLOEXEC | (options.writable ? O_RDWR : O_RDONLY);
    if (options.create) flags |= O_CREAT;
    if (options.create && options.exclusive) flags |= O_EXCL;
    if (options.direct || options.direct_durable) {
      const int fd = ::open(path.c_str(), flags | O_DIRECT | (options.direct_durable ? O_DSYNC : 0),
                            kFileMode);
      if (fd >= 0) return std::make_unique<PosixFile>(fd, path, true, false);
      if (errno != EINVAL) return fail_errno(errno, "open " + path);
      // A file made by the refused call stays; it is ours.
      flags &= ~O_EXCL;
    }
    const int fd = ::open(path.c_str(), flags, kFileMode);
    if (fd < 0) return fail_errno(errno, "open " + path);
    return std::make_unique<PosixFile>(fd, path, false, options.direct_durable);
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    DIR* handle = ::opendir(directory.c_str());
    if (handle == nullptr) return fail_errno(errno, "list " + directory);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(handle)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    const int error = errno;
    ::closedir(handle);
    if (error != 0) return fail_errno(error, "list " + directory);
    return names;
  }

  Result<void> make_directory(const std::string& path) override {
    if (::mkdir(path.c_str(), kFolderMode) == 0 || errno == EEXIST) return {};
    return fail_errno(errno, "make directory " + path);
  }

  Result<void> remove(const std::string& path) override {
    if (::remove(path.c_str()) != 0) return fail_errno(errno, "remove " + path);
    return {};
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno(errno, "rename " + from);
    return {};
  }

  Result<void> flush_directory(const std::string& directory) override {
    const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail_errno(errno, "open " + directory);
    const int failed = ::fsync(fd);
    const int error = errno;
    ::close(fd);
    if (failed != 0) return fail_errno(error, "flush " + directory);
    return {};
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode);
    if (fd < 0) return fail_errno(errno, "open " + path);
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return std::make_unique<PosixLock>(fd);
    const int error = errno;
    ::close(fd);
    if (error == EWOULDBLOCK) {
      return fail(ErrorCode::kAlreadyExists, path + " is locked by another process");
    }
    return fail_errno(error, "lock " + path);
  }

  Result<Space> space(const std::string& path) override {
    struct statvfs status{};
    if (::statvfs(path.c_str(), &status) != 0) return fail_errno(errno, "space of " + path);
    return Space{.total_bytes = status.f_blocks * status.f_frsize,
                 .free_bytes = status.f_bavail * status.f_frsize};
  }
};

}  // namespace

Result<bool> make_private_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return fail(ErrorCode::kPermissionDenied, "make folder " + path + ": " + error.message());
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail_errno(errno, "stat " + path);
  return (status.st_mode & 07077) == 0 || ::chmod(path.c_str(), kFolderMode) == 0;
}

FileSystem& posix_file_system() {
  static PosixFileSystem instance;
  return instance;
}

}  // namespace rondel::fs
