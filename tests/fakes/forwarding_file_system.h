// Files and file systems that hand every call on to another one: a test overrides the calls that it
// breaks.
#pragma once

#include "common/fs/file_system.h"

namespace rondel::fakes {

class ForwardingFile : public fs::File {
 public:
  explicit ForwardingFile(std::unique_ptr<fs::File> inner) : inner_(std::move(inner)) {}

  Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
    return inner_->read_at(offset, buffer);
  }

  Result<size_t> read_cached_at(uint64_t offset, std::span<std::byte> buffer) override {
    return inner_->read_cached_at(offset, buffer);
  }

  Result<void> write_at(uint64_t offset, ByteView bytes) override {
    return inner_->write_at(offset, bytes);
  }

  Result<void> flush() override { return inner_->flush(); }

  Result<uint64_t> size() override { return inner_->size(); }

  Result<void> truncate(uint64_t size) override { return inner_->truncate(size); }

  Result<void> allocate(uint64_t offset, uint64_t length) override {
    return inner_->allocate(offset, length);
  }

  void drop_cache(uint64_t offset, uint64_t length) override { inner_->drop_cache(offset, length); }

  bool is_direct() const override { return inner_->is_direct(); }

 private:
  const std::unique_ptr<fs::File> inner_;
};

// `inner` outlives it.
class ForwardingFileSystem : public fs::FileSystem {
 public:
  explicit ForwardingFileSystem(fs::FileSystem& inner) : inner_(inner) {}

  Result<std::unique_ptr<fs::File>> open(const std::string& path,
                                         fs::OpenOptions options) override {
    return inner_.open(path, options);
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    return inner_.list(directory);
  }

  Result<void> make_directory(const std::string& path) override {
    return inner_.make_directory(path);
  }

  Result<void> remove(const std::string& path) override { return inner_.remove(path); }

  Result<void> rename(const std::string& from, const std::string& to) override {
    return inner_.rename(from, to);
  }

  Result<void> flush_directory(const std::string& directory) override {
    return inner_.flush_directory(directory);
  }

  Result<std::unique_ptr<fs::FileLock>> lock(const std::string& path) override {
    return inner_.lock(path);
  }

  Result<fs::Space> space(const std::string& path) override { return inner_.space(path); }

 private:
  fs::FileSystem& inner_;
};

}  // namespace rondel::fakes
