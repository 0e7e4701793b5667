// A file system in memory that fails the way disks fail: for crash and fault tests.
//
// What a write leaves behind until it is flushed is decided at the crash: every unflushed 4 KiB
// block is persisted, lost or torn at 512 bytes; an unflushed size may be lost; of the unflushed
// directory operations a prefix survives. A failed flush leaves its pages clean in memory and lost
// on the medium, as Linux does. Safe for concurrent use.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "common/base/mutex.h"
#include "common/fs/file_system.h"

namespace rondel::fs {

class SimulatedFileSystem final : public FileSystem {
 public:
  struct Faults {
    double read_error = 0;   // Probability that a read fails (EIO).
    double write_error = 0;  // A random part of the write is done.
    double flush_error = 0;  // What was unflushed is lost at the next crash.
  };

  explicit SimulatedFileSystem(uint64_t seed, uint64_t capacity_bytes = 1ull << 40);
  ~SimulatedFileSystem() override;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenOptions options) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> make_directory(const std::string& path) override;
  Result<void> remove(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> flush_directory(const std::string& directory) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
  Result<Space> space(const std::string& path) override;

  void set_faults(Faults faults);
  void set_capacity(uint64_t bytes);
  // The power goes off in the middle of the n-th I/O call from now on: that call and all later ones
  // fail. 0 = never.
  void crash_after_calls(uint64_t calls);
  bool crashed() const;
  // Calls that touched the medium so far.
  uint64_t calls() const;
  // The power goes off now (if it has not yet) and comes back: unflushed state is drawn, old
  // handles stay dead, locks are gone.
  void restart();
  // Rot on the medium. REQUIRES: the bytes exist.
  void flip_bit(const std::string& path, uint64_t byte, unsigned bit);
  // Rot in the page cache only: gone after drop_cache of that byte.
  void flip_cached_bit(const std::string& path, uint64_t byte, unsigned bit);

 private:
  friend class SimulatedFile;
  friend class SimulatedLock;
  struct Inode;

  struct DirectoryOperation {
    enum class Kind { kLink, kUnlink, kRename } kind = Kind::kLink;
    std::string path;
    std::string to;
    std::shared_ptr<Inode> inode;
  };

  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  enum class Step { kGo, kPartial, kFail };

  // Counts one call; kPartial: this call is cut off in the middle; kFail: nothing happens.
  Step step_locked(double error_probability) REQUIRES(mutex_);
  static void apply(Names& names, const DirectoryOperation& operation);
  void do_directory_locked(DirectoryOperation operation, Step step) REQUIRES(mutex_);
  Result<void> write_locked(Inode& inode, uint64_t offset, ByteView bytes, bool durable)
      REQUIRES(mutex_);
  Result<void> flush_locked(Inode& inode) REQUIRES(mutex_);
  void persist_locked(Inode& inode, uint64_t block) REQUIRES(mutex_);
  void tear_locked(Inode& inode) REQUIRES(mutex_);
  bool chance_locked(double probability) REQUIRES(mutex_);
  uint64_t used_locked() const REQUIRES(mutex_);
  bool has_directory_locked(const std::string& path) const REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::mt19937_64 random_ GUARDED_BY(mutex_);
  uint64_t capacity_ GUARDED_BY(mutex_);
  Faults faults_ GUARDED_BY(mutex_);
  uint64_t calls_ GUARDED_BY(mutex_) = 0;
  uint64_t calls_left_ GUARDED_BY(mutex_) = 0;
  bool counting_ GUARDED_BY(mutex_) = false;
  bool crashed_ GUARDED_BY(mutex_) = false;
  uint64_t boot_ GUARDED_BY(mutex_) = 1;
  Names names_ GUARDED_BY(mutex_);  // As the running system sees them.
  Names durable_names_ GUARDED_BY(mutex_);
  std::set<std::string> directories_ GUARDED_BY(mutex_);
  std::vector<DirectoryOperation> pending_ GUARDED_BY(mutex_);
  std::set<std::string> locks_ GUARDED_BY(mutex_);
};

}  // namespace rondel::fs
