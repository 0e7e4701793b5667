// What the simulated disk may and may not do to unflushed bytes: the crash tests of the engine lean
// on it.
#include "common/fs/simulated_file_system.h"

#include <gtest/gtest.h>

#include <set>

namespace rondel::fs {
namespace {

constexpr OpenOptions kCreate{.create = true, .writable = true};

std::string content(SimulatedFileSystem& fs, const std::string& path) {
  return read_file(fs, path).value_or("absent");
}

class SimulatedDisk {
 public:
  explicit SimulatedDisk(uint64_t seed) : fs(seed) { (void)fs.make_directory("/d"); }

  SimulatedFileSystem fs;
};

TEST(SimulatedFileSystem, FlushedBytesSurviveEveryCrash) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SimulatedDisk disk(seed);
    {
      auto file = disk.fs.open("/d/a", kCreate).value();
      ASSERT_TRUE(file->write_at(0, as_bytes(std::string(10'000, 'a'))));
      ASSERT_TRUE(file->flush());
      ASSERT_TRUE(disk.fs.flush_directory("/d"));
      ASSERT_TRUE(file->write_at(10'000, as_bytes(std::string(10'000, 'b'))));
    }
    disk.fs.restart();
    EXPECT_EQ(content(disk.fs, "/d/a").substr(0, 10'000), std::string(10'000, 'a')) << seed;
  }
}

// Lost, kept, torn: each must come up, or the crash tests test less than they say.
TEST(SimulatedFileSystem, UnflushedBytesAreLostKeptOrTornAtSectors) {
  int lost = 0, kept = 0, torn = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SimulatedDisk disk(seed);
    {
      auto file = disk.fs.open("/d/a", kCreate).value();
      ASSERT_TRUE(file->write_at(0, as_bytes(std::string(4096, 'a'))));
      ASSERT_TRUE(file->flush());
      ASSERT_TRUE(disk.fs.flush_directory("/d"));
      ASSERT_TRUE(file->write_at(0, as_bytes(std::string(4096, 'b'))));
    }
    disk.fs.restart();
    const std::string now = content(disk.fs, "/d/a");
    ASSERT_EQ(now.size(), 4096u);
    for (size_t at = 0; at < 4096; at += 512) {
      EXPECT_EQ(std::set<char>(now.begin() + static_cast<ptrdiff_t>(at),
                               now.begin() + static_cast<ptrdiff_t>(at + 512))
                    .size(),
                1u);
    }
    const bool has_old = now.contains('a'), has_new = now.contains('b');
    lost += has_old && !has_new;
    kept += !has_old && has_new;
    torn += has_old && has_new;
  }
  EXPECT_GT(lost, 20);
  EXPECT_GT(kept, 20);
  EXPECT_GT(torn, 20);
}

TEST(SimulatedFileSystem, DurableWritesNeedNoFlush) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SimulatedDisk disk(seed);
    const std::unique_ptr<std::byte, decltype(&std::free)> block(
        static_cast<std::byte*>(std::aligned_alloc(4096, 4096)), &std::free);
    std::fill_n(block.get(), 4096, std::byte{'x'});
    {
      auto file =
          disk.fs.open("/d/a", {.create = true, .writable = true, .direct_durable = true}).value();
      ASSERT_TRUE(disk.fs.flush_directory("/d"));
      ASSERT_TRUE(file->write_at(0, {block.get(), 4096}));
    }
    disk.fs.restart();
    EXPECT_EQ(content(disk.fs, "/d/a"), std::string(4096, 'x'));
  }
}

TEST(SimulatedFileSystem, OfUnflushedNamesAPrefixSurvives) {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SimulatedDisk disk(seed);
    for (const char* name : {"/d/a", "/d/b", "/d/c"}) ASSERT_TRUE(disk.fs.open(name, kCreate));
    disk.fs.restart();
    std::string names;
    for (const char* name : {"a", "b", "c"}) {
      if (disk.fs.open(std::string("/d/") + name, {})) names += name;
    }
    seen.insert(names);
  }
  EXPECT_EQ(seen, (std::set<std::string>{"", "a", "ab", "abc"}));
}

TEST(SimulatedFileSystem, ReplacingAFileIsAllOrNothingAtEveryCall) {
  const std::string before(5000, 'o'), after(9000, 'n');
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    for (uint64_t call = 1; call <= 12; ++call) {
      SimulatedDisk disk(seed);
      ASSERT_TRUE(write_file_atomically(disk.fs, "/d/a", as_bytes(before)));
      disk.fs.crash_after_calls(call);
      const bool done = write_file_atomically(disk.fs, "/d/a", as_bytes(after)).has_value();
      disk.fs.restart();
      const std::string now = content(disk.fs, "/d/a");
      EXPECT_TRUE(now == before || now == after) << "seed " << seed << " call " << call;
      if (done) EXPECT_EQ(now, after);
    }
  }
}

TEST(SimulatedFileSystem, AfterTheCrashNothingWorksUntilTheRestart) {
  SimulatedDisk disk(1);
  auto file = disk.fs.open("/d/a", kCreate).value();
  auto lock = disk.fs.lock("/d/lock");
  disk.fs.crash_after_calls(1);
  EXPECT_FALSE(file->write_at(0, as_bytes("x")));
  EXPECT_TRUE(disk.fs.crashed());
  EXPECT_FALSE(file->flush());
  EXPECT_FALSE(disk.fs.open("/d/a", {}));
  EXPECT_FALSE(disk.fs.list("/d"));
  disk.fs.restart();
  EXPECT_FALSE(file->write_at(0, as_bytes("x"))) << "old handles stay dead";
  EXPECT_TRUE(disk.fs.lock("/d/lock")) << "locks are gone";
}

TEST(SimulatedFileSystem, AFailedFlushLosesWhatWasUnflushedThoughReadsStillShowIt) {
  int lost = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SimulatedDisk disk(seed);
    auto file = disk.fs.open("/d/a", kCreate).value();
    ASSERT_TRUE(file->flush());
    ASSERT_TRUE(disk.fs.flush_directory("/d"));
    ASSERT_TRUE(file->write_at(0, as_bytes("hello")));
    disk.fs.set_faults({.flush_error = 1});
    EXPECT_FALSE(file->flush());
    disk.fs.set_faults({});
    EXPECT_TRUE(file->flush()) << "the next one says all is well, as Linux does";
    EXPECT_EQ(content(disk.fs, "/d/a"), "hello");
    disk.fs.restart();
    lost += content(disk.fs, "/d/a") != "hello";
  }
  EXPECT_GT(lost, 10);
}

TEST(SimulatedFileSystem, FullDisksAndRotAreAsAsked) {
  SimulatedDisk disk(1);
  auto file = disk.fs.open("/d/a", kCreate).value();
  ASSERT_TRUE(file->write_at(0, as_bytes(std::string(1000, 'a'))));
  disk.fs.set_capacity(1500);
  EXPECT_EQ(file->write_at(1000, as_bytes(std::string(1000, 'a'))).error().code,
            ErrorCode::kStorageFull);
  EXPECT_EQ(file->allocate(0, 4096).error().code, ErrorCode::kStorageFull);
  EXPECT_EQ(file->size().value(), 1000u);
  EXPECT_TRUE(file->write_at(1000, as_bytes(std::string(500, 'a'))));
  EXPECT_EQ(disk.fs.space("/d")->free_bytes, 0u);
  disk.fs.flip_cached_bit("/d/a", 3, 0);
  EXPECT_EQ(content(disk.fs, "/d/a")[3], '`');
  file->drop_cache(0, 4096);
  EXPECT_EQ(content(disk.fs, "/d/a")[3], 'a');
  disk.fs.flip_bit("/d/a", 3, 0);
  file->drop_cache(0, 4096);
  EXPECT_EQ(content(disk.fs, "/d/a")[3], '`');
}

}  // namespace
}  // namespace rondel::fs
