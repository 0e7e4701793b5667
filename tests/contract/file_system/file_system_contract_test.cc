// What every FileSystem must do (common/fs/file_system.h), run against each implementation.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "common/fs/posix_file_system.h"
#include "common/fs/simulated_file_system.h"

namespace rondel::fs {
namespace {

class Place {
 public:
  virtual ~Place() = default;
  virtual FileSystem& fs() = 0;
  virtual std::string folder() = 0;  // Exists, empty.
};

class PosixPlace final : public Place {
 public:
  PosixPlace() {
    std::string pattern = (std::filesystem::temp_directory_path() / "rondel-fs-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }

  ~PosixPlace() override { std::filesystem::remove_all(path_); }

  FileSystem& fs() override { return posix_file_system(); }

  std::string folder() override { return path_; }

 private:
  std::string path_;
};

class SimulatedPlace final : public Place {
 public:
  SimulatedPlace() { (void)fs_.make_directory("/place"); }

  FileSystem& fs() override { return fs_; }

  std::string folder() override { return "/place"; }

 private:
  SimulatedFileSystem fs_{1};
};

template <class T>
std::unique_ptr<Place> make() {
  return std::make_unique<T>();
}

struct AlignedDeleter {
  void operator()(std::byte* bytes) const { std::free(bytes); }
};

using Aligned = std::unique_ptr<std::byte, AlignedDeleter>;

Aligned aligned(size_t size, char fill) {
  Aligned bytes(static_cast<std::byte*>(std::aligned_alloc(kDirectAlignment, size)));
  std::fill_n(bytes.get(), size, static_cast<std::byte>(fill));
  return bytes;
}

class FileSystemContract : public ::testing::TestWithParam<std::unique_ptr<Place> (*)()> {
 protected:
  FileSystem& fs() { return place_->fs(); }

  std::string path(const std::string& name) { return place_->folder() + "/" + name; }

  std::unique_ptr<File> open(const std::string& name,
                             OpenOptions options = {.create = true, .writable = true}) {
    auto file = fs().open(path(name), options);
    EXPECT_TRUE(file) << file.error().message;
    return file ? *std::move(file) : nullptr;
  }

  static std::string read(File& file, uint64_t offset, size_t size) {
    std::string text(size, '?');
    const auto got = file.read_at(offset, std::as_writable_bytes(std::span(text)));
    EXPECT_TRUE(got);
    return text.substr(0, got.value_or(0));
  }

  std::unique_ptr<Place> place_ = GetParam()();
};

TEST_P(FileSystemContract, BytesComeBackWhereTheyWereWritten) {
  auto file = open("a");
  EXPECT_EQ(file->size().value(), 0u);
  ASSERT_TRUE(file->write_at(0, as_bytes("hello")));
  ASSERT_TRUE(file->write_at(3, as_bytes("p me")));
  EXPECT_EQ(read(*file, 0, 100), "help me");
  EXPECT_EQ(read(*file, 5, 1), "m");
  EXPECT_EQ(read(*file, 7, 10), "");
  EXPECT_EQ(read(*file, 1000, 10), "");
  EXPECT_EQ(file->size().value(), 7u);
  ASSERT_TRUE(file->write_at(9000, as_bytes("far")));
  EXPECT_EQ(read(*file, 0, 10'000), "help me" + std::string(8993, '\0') + "far")
      << "a gap reads as zeros";
  ASSERT_TRUE(file->flush());
  EXPECT_EQ(read(*open("a", {}), 9000, 10), "far") << "another handle";
  ASSERT_TRUE(file->write_at(0, {})) << "nothing is fine";
}

TEST_P(FileSystemContract, CachedReadsAreTheSameBytesOrUnavailable) {
  auto file = open("a");
  ASSERT_TRUE(file->write_at(0, as_bytes("hello")));
  std::string text(10, '?');
  for (int i = 0; i < 2; ++i) {
    const auto got = file->read_cached_at(1, std::as_writable_bytes(std::span(text)));
    if (got) {
      EXPECT_EQ(text.substr(0, *got), "ello");
    } else {
      EXPECT_EQ(got.error().code, ErrorCode::kUnavailable);
    }
    ASSERT_TRUE(file->flush());
    file->drop_cache(0, 5);
  }
  EXPECT_EQ(read(*file, 0, 10), "hello");
}

TEST_P(FileSystemContract, OpeningSaysWhatIsThere) {
  EXPECT_EQ(fs().open(path("a"), {}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(fs().open(path("a"), {.writable = true}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(fs().open(path("no/a"), {.create = true, .writable = true}).error().code,
            ErrorCode::kNotFound);
  open("a")->write_at(0, as_bytes("kept")).value();
  EXPECT_EQ(
      fs().open(path("a"), {.create = true, .exclusive = true, .writable = true}).error().code,
      ErrorCode::kAlreadyExists);
  EXPECT_EQ(read(*open("a"), 0, 10), "kept") << "creating what exists changes nothing";
  EXPECT_TRUE(fs().open(path("b"), {.create = true, .exclusive = true, .writable = true}));
  auto reader = open("a", {});
  EXPECT_FALSE(reader->write_at(0, as_bytes("x")));
  EXPECT_FALSE(reader->truncate(0));
  EXPECT_EQ(read(*reader, 0, 10), "kept");
}

TEST_P(FileSystemContract, SizesChangeByTruncateAndAllocate) {
  auto file = open("a");
  ASSERT_TRUE(file->write_at(0, as_bytes("hello")));
  ASSERT_TRUE(file->truncate(3));
  ASSERT_TRUE(file->truncate(6));
  EXPECT_EQ(read(*file, 0, 10), std::string("hel\0\0\0", 6)) << "cut bytes do not come back";
  ASSERT_TRUE(file->allocate(0, 4096));
  EXPECT_EQ(file->size().value(), 4096u);
  EXPECT_EQ(read(*file, 0, 3), "hel");
  EXPECT_EQ(read(*file, 4000, 1000), std::string(96, '\0'));
  ASSERT_TRUE(file->allocate(0, 100));
  EXPECT_EQ(file->size().value(), 4096u) << "never shrinks";
}

TEST_P(FileSystemContract, DirectWritesAreAlignedOrRefused) {
  for (const bool durable : {false, true}) {
    SCOPED_TRACE(durable);
    auto file = open(
        "a", {.create = true, .writable = true, .direct = !durable, .direct_durable = durable});
    const Aligned bytes = aligned(8192, 'd');
    ASSERT_TRUE(file->allocate(0, 16'384));
    ASSERT_TRUE(file->write_at(4096, {bytes.get(), 8192}));
    const Aligned back = aligned(8192, '?');
    EXPECT_EQ(file->read_at(4096, {back.get(), 8192}).value(), 8192u);
    EXPECT_TRUE(std::equal(bytes.get(), bytes.get() + 8192, back.get()));
    if (file->is_direct()) {
      EXPECT_EQ(file->write_at(1, {bytes.get(), 4096}).error().code, ErrorCode::kInvalidArgument);
      EXPECT_EQ(file->write_at(0, {bytes.get(), 100}).error().code, ErrorCode::kInvalidArgument);
      EXPECT_EQ(file->write_at(0, {bytes.get() + 8, 4096}).error().code,
                ErrorCode::kInvalidArgument);
    } else {
      EXPECT_TRUE(file->write_at(1, {bytes.get(), 100}));
    }
    auto cached = open("a", {});
    EXPECT_EQ(read(*cached, 4095, 2).back(), 'd');
    const Aligned again = aligned(4096, 'e');
    ASSERT_TRUE(file->write_at(4096, {again.get(), 4096}));
    ASSERT_TRUE(file->flush());
    EXPECT_EQ(read(*cached, 8191, 2), "ed")
        << "who reads through the page cache sees what was written past it";
  }
}

TEST_P(FileSystemContract, NamesAreListedRenamedAndRemoved) {
  for (const char* name : {"a", "b", "c"}) open(name)->write_at(0, as_bytes(name)).value();
  ASSERT_TRUE(fs().make_directory(path("d")));
  ASSERT_TRUE(fs().make_directory(path("d"))) << "present already is fine";
  open("d/inner");
  const auto names = [this] {
    auto list = fs().list(place_->folder()).value();
    std::ranges::sort(list);
    return list;
  };
  EXPECT_EQ(names(), (std::vector<std::string>{"a", "b", "c", "d"}));
  EXPECT_EQ(fs().list(path("d")).value(), std::vector<std::string>{"inner"});
  EXPECT_EQ(fs().list(path("no")).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(fs().rename(path("a"), path("b"))) << "replaces";
  EXPECT_EQ(read(*open("b", {}), 0, 10), "a");
  EXPECT_EQ(fs().rename(path("a"), path("x")).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(fs().rename(path("b"), path("d/b"))) << "into another folder";
  ASSERT_TRUE(fs().remove(path("c")));
  EXPECT_EQ(fs().remove(path("c")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(names(), std::vector<std::string>{"d"});
  ASSERT_TRUE(fs().flush_directory(place_->folder()));
  EXPECT_EQ(fs().flush_directory(path("no")).error().code, ErrorCode::kNotFound);
}

TEST_P(FileSystemContract, AFolderIsRemovedOnlyWhenItIsEmpty) {
  ASSERT_TRUE(fs().make_directory(path("d")));
  open("d/inner");
  EXPECT_FALSE(fs().remove(path("d")));
  EXPECT_EQ(fs().list(path("d")).value(), std::vector<std::string>{"inner"});
  ASSERT_TRUE(fs().remove(path("d/inner")));
  EXPECT_TRUE(fs().remove(path("d")));
  EXPECT_EQ(fs().list(path("d")).error().code, ErrorCode::kNotFound);
}

TEST_P(FileSystemContract, MissingFoldersAreNotFound) {
  EXPECT_EQ(fs().make_directory(path("no/d")).error().code, ErrorCode::kNotFound);
  open("a");
  EXPECT_EQ(fs().rename(path("a"), path("no/a")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(fs().lock(path("no/lock")).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(fs().open(path("a"), {})) << "a rename that failed changes nothing";
}

TEST_P(FileSystemContract, AnOpenFileOutlivesItsName) {
  auto file = open("a");
  ASSERT_TRUE(file->write_at(0, as_bytes("hello")));
  ASSERT_TRUE(fs().remove(path("a")));
  EXPECT_EQ(read(*file, 0, 10), "hello");
  open("a");
  EXPECT_EQ(read(*file, 0, 10), "hello") << "another file under the name";
}

TEST_P(FileSystemContract, ALockIsHeldOnce) {
  auto lock = fs().lock(path("lock"));
  ASSERT_TRUE(lock);
  EXPECT_EQ(fs().lock(path("lock")).error().code, ErrorCode::kAlreadyExists);
  EXPECT_TRUE(fs().lock(path("other")));
  lock->reset();
  EXPECT_TRUE(fs().lock(path("lock")));
}

TEST_P(FileSystemContract, SpaceIsPlausible) {
  const auto space = fs().space(place_->folder());
  ASSERT_TRUE(space);
  EXPECT_GT(space->total_bytes, 0u);
  EXPECT_LE(space->free_bytes, space->total_bytes);
}

TEST_P(FileSystemContract, WholeFilesAreReplacedAtOnce) {
  ASSERT_TRUE(write_file_atomically(fs(), path("a"), as_bytes("a longer first version")));
  ASSERT_TRUE(write_file_atomically(fs(), path("a"), as_bytes("second")));
  EXPECT_EQ(read_file(fs(), path("a")).value(), "second");
  EXPECT_EQ(fs().list(place_->folder()).value(), std::vector<std::string>{"a"});
  EXPECT_EQ(read_file(fs(), path("b")).error().code, ErrorCode::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(Posix, FileSystemContract, ::testing::Values(&make<PosixPlace>));
INSTANTIATE_TEST_SUITE_P(Simulated, FileSystemContract, ::testing::Values(&make<SimulatedPlace>));

}  // namespace
}  // namespace rondel::fs
