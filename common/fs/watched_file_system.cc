#include "common/fs/watched_file_system.h"

namespace rondel::fs {
namespace {

using Call = IoWatch::Call;

class WatchedFile final : public File {
 public:
  WatchedFile(std::unique_ptr<File> inner, IoWatch& watch)
      : inner_(std::move(inner)), watch_(&watch) {}

  Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
    const Call call(watch_);
    return inner_->read_at(offset, buffer);
  }

  // Answers from memory or not at all.
  Result<size_t> read_cached_at(uint64_t offset, std::span<std::byte> buffer) override {
    return inner_->read_cached_at(offset, buffer);
  }

  Result<void> write_at(uint64_t offset, ByteView bytes) override {
    const Call call(watch_);
    return inner_->write_at(offset, bytes);
  }

  Result<void> flush() override {
    const Call call(watch_);
    return inner_->flush();
  }

  Result<uint64_t> size() override {
    const Call call(watch_);
    return inner_->size();
  }

  Result<void> truncate(uint64_t size) override {
    const Call call(watch_);
    return inner_->truncate(size);
  }

  Result<void> allocate(uint64_t offset, uint64_t length) override {
    const Call call(watch_);
    return inner_->allocate(offset, length);
  }

  void drop_cache(uint64_t offset, uint64_t length) override {
    const Call call(watch_);
    inner_->drop_cache(offset, length);
  }

  bool is_direct() const override { return inner_->is_direct(); }

 private:
  const std::unique_ptr<File> inner_;
  IoWatch* const watch_;
};

}  // namespace

Result<std::unique_ptr<File>> WatchedFileSystem::open(const std::string& path,
                                                      OpenOptions options) {
  const Call call(&watch_);
  TRY(auto file, inner_.open(path, options));
  return std::make_unique<WatchedFile>(std::move(file), watch_);
}

Result<std::vector<std::string>> WatchedFileSystem::list(const std::string& directory) {
  const Call call(&watch_);
  return inner_.list(directory);
}

Result<void> WatchedFileSystem::make_directory(const std::string& path) {
  const Call call(&watch_);
  return inner_.make_directory(path);
}

Result<void> WatchedFileSystem::remove(const std::string& path) {
  const Call call(&watch_);
  return inner_.remove(path);
}

Result<void> WatchedFileSystem::rename(const std::string& from, const std::string& to) {
  const Call call(&watch_);
  return inner_.rename(from, to);
}

Result<void> WatchedFileSystem::flush_directory(const std::string& directory) {
  const Call call(&watch_);
  return inner_.flush_directory(directory);
}

Result<std::unique_ptr<FileLock>> WatchedFileSystem::lock(const std::string& path) {
  const Call call(&watch_);
  return inner_.lock(path);
}

Result<Space> WatchedFileSystem::space(const std::string& path) {
  const Call call(&watch_);
  return inner_.space(path);
}

}  // namespace rondel::fs
