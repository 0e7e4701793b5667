// The file-system seam: every byte that a storage node reads or writes goes through it.
//
// Implementations: posix (posix_file_system.h) and simulated (simulated_file_system.h: loses or
// tears unflushed blocks at a crash, injects errors, full disks, bit flips). Both pass
// tests/contract/file_system. All calls block; they belong on disk threads. Errors: kNotFound,
// kAlreadyExists, kStorageFull, kInternal (I/O error; the bytes concerned are
// undefined, after a failed flush everything unflushed is).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace rondel::fs {

// O_DIRECT demands this alignment of memory, offset and length.
inline constexpr size_t kDirectAlignment = 4096;

struct OpenOptions {
  bool create = false;  // Make it if absent; with `exclusive`, kAlreadyExists if present.
  bool exclusive = false;
  bool writable = false;
  // Bypass the page cache (O_DIRECT); writes are aligned, durable with flush(). Where the file
  // system cannot, writes go through the page cache as always; File::is_direct() tells.
  bool direct = false;
  // As `direct`, and every write is durable when it returns (O_DIRECT|O_DSYNC, or write +
  // fdatasync).
  bool direct_durable = false;
};

// An open file. Positional calls are safe for concurrent use on ranges that do not overlap.
class File {
 public:
  virtual ~File() = default;
  // Reads up to buffer.size() bytes; fewer only at the end of the file.
  virtual Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) = 0;
  // As read_at, but kUnavailable at once when the bytes are not in memory.
  virtual Result<size_t> read_cached_at(uint64_t offset, std::span<std::byte> buffer) = 0;
  // Writes all or fails.
  virtual Result<void> write_at(uint64_t offset, ByteView bytes) = 0;
  // Data and the size of the file become durable. Never retried after an error: what was unflushed
  // may be lost.
  virtual Result<void> flush() = 0;
  virtual Result<uint64_t> size() = 0;
  virtual Result<void> truncate(uint64_t size) = 0;
  // Reserves the range, so that writing it does not run out of space; extends the file with zeros.
  // Existing bytes stay.
  virtual Result<void> allocate(uint64_t offset, uint64_t length) = 0;
  // Drops the file's pages from the page cache where there is one.
  virtual void drop_cache(uint64_t offset, uint64_t length) = 0;
  virtual bool is_direct() const = 0;
};

// Held until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct Space {
  uint64_t total_bytes = 0;
  uint64_t free_bytes = 0;
};

// Safe for concurrent use.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenOptions options) = 0;
  // Names, unordered.
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  virtual Result<void> make_directory(const std::string& path) = 0;  // Present already: fine.
  virtual Result<void> remove(const std::string& path) = 0;
  // Atomic, replaces.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  // Makes creations, removals and renames in `directory` durable.
  virtual Result<void> flush_directory(const std::string& directory) = 0;
  // kAlreadyExists when another process or FileLock holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
  virtual Result<Space> space(const std::string& path) = 0;
};

// Writes `content` so that after a crash `path` holds either the old or the new content.
Result<void> write_file_atomically(FileSystem& fs, const std::string& path, ByteView content);
Result<std::string> read_file(FileSystem& fs, const std::string& path);

}  // namespace rondel::fs
