// A file system whose every call stands under an IoWatch: no caller can forget it.
#pragma once

#include "common/fs/file_system.h"
#include "common/fs/io_watch.h"

namespace rondel::fs {

// Files that it opened outlive it, not the watch. `inner` and `watch` outlive both.
class WatchedFileSystem final : public FileSystem {
 public:
  WatchedFileSystem(FileSystem& inner, IoWatch& watch) : inner_(inner), watch_(watch) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenOptions options) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> make_directory(const std::string& path) override;
  Result<void> remove(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> flush_directory(const std::string& directory) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
  Result<Space> space(const std::string& path) override;

 private:
  FileSystem& inner_;
  IoWatch& watch_;
};

}  // namespace rondel::fs
