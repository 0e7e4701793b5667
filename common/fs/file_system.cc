#include "common/fs/file_system.h"

namespace rondel::fs {

namespace {

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<void> write_file_atomically(FileSystem& fs, const std::string& path, ByteView content) {
  const std::string temporary = path + ".new";
  {
    TRY(auto file, fs.open(temporary, {.create = true, .writable = true}));
    TRY_VOID(file->truncate(0));
    TRY_VOID(file->write_at(0, content));
    TRY_VOID(file->flush());
  }
  TRY_VOID(fs.rename(temporary, path));
  return fs.flush_directory(parent_of(path));
}

Result<std::string> read_file(FileSystem& fs, const std::string& path) {
  TRY(auto file, fs.open(path, {}));
  TRY(const uint64_t size, file->size());
  std::string out(size, '\0');
  TRY(const size_t got, file->read_at(0, std::as_writable_bytes(std::span(out))));
  out.resize(got);
  return out;
}

}  // namespace rondel::fs
