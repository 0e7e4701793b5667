// A file system of which chosen calls fail, hang, or give other bytes than are there: for one call
// site and one fault at a time.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "tests/fakes/forwarding_file_system.h"

namespace rondel::fakes {

enum class Operation : uint8_t {
  kOpen,
  kList,
  kRead,
  kWrite,
  kFlush,
  kAllocate,
  kSize,
  kSpace,
  kFlushDirectory
};

enum class Fault : uint8_t {
  kNone,
  kError,  // EIO.
  kHang,   // Until it is cleared; then it goes on.
  kShort,  // Of a read: the second half is missing.
  kZeros,  // Of a read: zeros where the bytes of the rule are.
  kFlip,   // Of a read: one bit, at the rule's first byte.
  kFull,   // ENOSPC.
};

// How a file was opened tells what it is for: logs are written durably, extents past the page
// cache.
enum class Handle : uint8_t { kAny, kPlain, kDirect, kDurable };

struct FaultRule {
  Operation operation = Operation::kRead;
  Fault fault = Fault::kNone;
  std::string path;   // A part of it; empty: any.
  uint64_t from = 0;  // Bytes concerned of reads and writes.
  uint64_t to = UINT64_MAX;
  Handle handle = Handle::kAny;
};

// Safe for concurrent use. `inner` outlives it.
class FaultyFileSystem final : public ForwardingFileSystem {
 public:
  explicit FaultyFileSystem(fs::FileSystem& inner) : ForwardingFileSystem(inner) {}

  ~FaultyFileSystem() override { clear(); }

  // The only fault from now on.
  void set(FaultRule rule) {
    clear();
    add(std::move(rule));
  }

  // One more; its number is for lift().
  size_t add(FaultRule rule) {
    std::lock_guard lock(mutex_);
    rules_.push_back(std::move(rule));
    return rules_.size() - 1;
  }

  // What hangs goes on.
  void lift(size_t number) {
    std::lock_guard lock(mutex_);
    rules_[number].fault = Fault::kNone;
    changed_.notify_all();
  }

  void clear() {
    std::lock_guard lock(mutex_);
    for (FaultRule& rule : rules_) rule.fault = Fault::kNone;
    hits_ = 0;
    changed_.notify_all();
  }

  // Calls that were concerned since set() or clear().
  uint64_t hits() const {
    std::lock_guard lock(mutex_);
    return hits_;
  }

  void await_hit() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return hits_ > 0; });
  }

  // Where the last write to a log ended.
  uint64_t log_end() const {
    std::lock_guard lock(mutex_);
    return log_end_;
  }

  Result<std::unique_ptr<fs::File>> open(const std::string& path,
                                         fs::OpenOptions options) override {
    TRY_VOID(pass(Operation::kOpen, path));
    TRY(auto file, ForwardingFileSystem::open(path, options));
    const Handle handle = options.direct_durable ? Handle::kDurable
                          : options.direct       ? Handle::kDirect
                                                 : Handle::kPlain;
    return std::make_unique<FaultyFile>(std::move(file), *this, path, handle);
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    TRY_VOID(pass(Operation::kList, directory));
    return ForwardingFileSystem::list(directory);
  }

  Result<void> flush_directory(const std::string& directory) override {
    TRY_VOID(pass(Operation::kFlushDirectory, directory));
    return ForwardingFileSystem::flush_directory(directory);
  }

  Result<fs::Space> space(const std::string& path) override {
    TRY_VOID(pass(Operation::kSpace, path));
    return ForwardingFileSystem::space(path);
  }

 private:
  class FaultyFile final : public ForwardingFile {
   public:
    FaultyFile(std::unique_ptr<fs::File> inner, FaultyFileSystem& owner, std::string path,
               Handle handle)
        : ForwardingFile(std::move(inner)),
          owner_(owner),
          path_(std::move(path)),
          handle_(handle) {}

    Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
      return owner_.read(*this, offset, buffer, false);
    }

    Result<size_t> read_cached_at(uint64_t offset, std::span<std::byte> buffer) override {
      return owner_.read(*this, offset, buffer, true);
    }

    Result<void> write_at(uint64_t offset, ByteView bytes) override {
      TRY_VOID(owner_.pass(Operation::kWrite, path_, handle_, offset, bytes.size()));
      auto written = ForwardingFile::write_at(offset, bytes);
      if (handle_ == Handle::kDurable) owner_.note_log_end(offset + bytes.size());
      return written;
    }

    Result<void> flush() override {
      TRY_VOID(owner_.pass(Operation::kFlush, path_, handle_));
      return ForwardingFile::flush();
    }

    Result<uint64_t> size() override {
      TRY_VOID(owner_.pass(Operation::kSize, path_, handle_));
      return ForwardingFile::size();
    }

    Result<void> allocate(uint64_t offset, uint64_t length) override {
      TRY_VOID(owner_.pass(Operation::kAllocate, path_, handle_));
      return ForwardingFile::allocate(offset, length);
    }

   private:
    friend class FaultyFileSystem;
    FaultyFileSystem& owner_;
    const std::string path_;
    const Handle handle_;
  };

  static bool overlaps(const FaultRule& rule, uint64_t offset, uint64_t length) {
    return offset < rule.to && rule.from < offset + length;
  }

  void note_log_end(uint64_t end) {
    std::lock_guard lock(mutex_);
    log_end_ = end;
  }

  static bool concerns(const FaultRule& rule, Operation operation, const std::string& path,
                       Handle handle) {
    return rule.fault != Fault::kNone && rule.operation == operation &&
           path.find(rule.path) != std::string::npos &&
           (rule.handle == Handle::kAny || rule.handle == handle);
  }

  // Hangs, or fails the call; reads with other faults pass. Rules are never taken out, so that
  // their numbers hold.
  Result<void> pass(Operation operation, const std::string& path, Handle handle = Handle::kAny,
                    uint64_t offset = 0, uint64_t length = UINT64_MAX) {
    std::unique_lock lock(mutex_);
    for (size_t i = 0; i < rules_.size(); ++i) {
      if (!concerns(rules_[i], operation, path, handle) || !overlaps(rules_[i], offset, length)) {
        continue;
      }
      ++hits_;
      changed_.notify_all();
      if (rules_[i].fault == Fault::kError) return fail(ErrorCode::kInternal, "I/O error");
      if (rules_[i].fault == Fault::kFull) {
        return fail(ErrorCode::kStorageFull, "no space left");
      }
      if (rules_[i].fault == Fault::kHang) {
        changed_.wait(lock, [&] { return rules_[i].fault != Fault::kHang; });
      }
    }
    return {};
  }

  Result<size_t> read(FaultyFile& file, uint64_t offset, std::span<std::byte> buffer, bool cached) {
    TRY_VOID(pass(Operation::kRead, file.path_, file.handle_, offset, buffer.size()));
    TRY(const size_t got, cached ? file.ForwardingFile::read_cached_at(offset, buffer)
                                 : file.ForwardingFile::read_at(offset, buffer));
    std::lock_guard lock(mutex_);
    for (const FaultRule& rule : rules_) {
      if (!concerns(rule, Operation::kRead, file.path_, file.handle_) ||
          !overlaps(rule, offset, got)) {
        continue;
      }
      const uint64_t begin = std::max(rule.from, offset) - offset;
      if (rule.fault == Fault::kShort) return got / 2;
      if (rule.fault == Fault::kFlip && rule.from >= offset) buffer[begin] ^= std::byte{1};
      if (rule.fault != Fault::kZeros) continue;
      const uint64_t end = std::min<uint64_t>(got, rule.to - offset);
      std::fill(buffer.begin() + static_cast<ptrdiff_t>(begin),
                buffer.begin() + static_cast<ptrdiff_t>(end), std::byte{0});
    }
    return got;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<FaultRule> rules_;
  uint64_t hits_ = 0;
  uint64_t log_end_ = 0;
};

}  // namespace rondel::fakes
