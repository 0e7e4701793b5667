// Who may read what a process keeps: its user alone.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "common/fs/posix_file_system.h"

namespace rondel::fs {
namespace {

class PosixModes : public testing::Test {
 protected:
  PosixModes() : before_(::umask(0)) {}

  ~PosixModes() override {
    ::umask(before_);
    std::filesystem::remove_all(folder_);
  }

  static unsigned mode(const std::string& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
  }

  std::string folder_ = [] {
    std::string made = "/tmp/rondel-modes-XXXXXX";
    return std::string(::mkdtemp(made.data()));
  }();
  const mode_t before_;
};

TEST_F(PosixModes, EverythingThatIsMadeIsForItsOwner) {
  FileSystem& files = posix_file_system();
  ASSERT_TRUE(files.make_directory(folder_ + "/made"));
  ASSERT_TRUE(files.open(folder_ + "/made/plain", {.writable = true, .create = true}));
  ASSERT_TRUE(
      files.open(folder_ + "/made/direct", {.writable = true, .create = true, .direct = true}));
  ASSERT_TRUE(files.open(folder_ + "/made/durable",
                         {.writable = true, .create = true, .direct_durable = true}));
  ASSERT_TRUE(files.lock(folder_ + "/made/lock"));
  ASSERT_TRUE(write_file_atomically(files, folder_ + "/made/whole", as_bytes("text")));
  EXPECT_EQ(mode(folder_ + "/made"), 0700u);
  for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/made")) {
    EXPECT_EQ(mode(entry.path()), 0600u) << entry.path();
  }
}

TEST_F(PosixModes, FoldersOfBeforeAreClosed) {
  for (const unsigned open : {0777u, 0755u, 0750u, 02770u, 0701u}) {
    const std::string path = folder_ + "/old";
    std::filesystem::create_directories(path);
    ASSERT_EQ(::chmod(path.c_str(), open), 0);
    EXPECT_TRUE(make_private_folder(path).value());
    EXPECT_EQ(mode(path), 0700u);
  }
  EXPECT_TRUE(make_private_folder(folder_ + "/new/one").value());
  EXPECT_EQ(mode(folder_ + "/new/one"), 0700u);
  ASSERT_TRUE(write_file_atomically(posix_file_system(), folder_ + "/file", as_bytes("text")));
  EXPECT_FALSE(make_private_folder(folder_ + "/file/below"));
}

}  // namespace
}  // namespace rondel::fs
