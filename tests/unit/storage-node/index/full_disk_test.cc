// RocksDB on a disk that is full for a while. The system calls of this program are its own: they
// say ENOSPC when told to.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "storage-node/index/index.h"

namespace {

std::atomic<bool> full{false};

// Folders of which some writes are refused: so many, and only those of files with this in their
// name (empty: of all).
struct Limit {
  std::string folder;
  std::string name;
  std::atomic<int> left{0};
  std::atomic<int> seen{0};
};

std::array<Limit, 64> limits;
std::atomic<size_t> limited{0};

bool is_limited(int file) {
  char path[512];
  const ssize_t length =
      readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), path, sizeof path);
  if (length <= 0) return false;
  const std::string_view name(path, static_cast<size_t>(length));
  for (size_t i = 0; i < limited; ++i) {
    Limit& limit = limits[i];
    if (!name.starts_with(limit.folder + "/") || !name.contains(limit.name)) continue;
    ++limit.seen;
    return limit.left.load() > 0 && limit.left.fetch_sub(1) > 0;
  }
  return false;
}

bool refused(int file) {
  struct stat known{};
  if ((!full && limited == 0) || fstat(file, &known) != 0 || !S_ISREG(known.st_mode)) return false;
  if (!full && !is_limited(file)) return false;
  errno = ENOSPC;
  return true;
}

}  // namespace

extern "C" {
ssize_t write(int file, const void* from, size_t size) {
  return refused(file) ? -1 : syscall(SYS_write, file, from, size);
}

ssize_t pwrite(int file, const void* from, size_t size, off_t at) {
  return refused(file) ? -1 : syscall(SYS_pwrite64, file, from, size, at);
}

ssize_t pwrite64(int file, const void* from, size_t size, off64_t at) {
  return refused(file) ? -1 : syscall(SYS_pwrite64, file, from, size, at);
}
}

namespace rondel::index {
namespace {

class FullDisk : public testing::Test {
 protected:
  FullDisk() {
    std::string pattern = (std::filesystem::temp_directory_path() / "rondel-index-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    open();
  }

  ~FullDisk() override {
    full = false;
    index_.reset();
    std::filesystem::remove_all(folder_);
  }

  void open() {
    index_.reset();
    index_ = Index::open({.path = folder_ + "/index"}).value();
  }

  Result<void> store(uint32_t number) {
    Entry entry;
    entry.id = {model::StreamId::random(), number};
    auto batch = index_->new_batch();
    batch->store(entry, std::nullopt);
    batch->mark(number);
    return index_->apply(*batch);
  }

  std::string folder_;
  std::unique_ptr<Index> index_;
};

// More than once: RocksDB, which has recovered, says at first that all is well.
TEST_F(FullDisk, GoesOnWhenThereIsSpaceAgain) {
  uint32_t stored = 0;
  for (int time = 0; time < 3; ++time) {
    for (int n = 0; n < 100; ++n) ASSERT_TRUE(store(++stored));
    full = true;
    const auto refused_flush = index_->flush();
    ASSERT_FALSE(refused_flush);
    EXPECT_EQ(refused_flush.error().code, ErrorCode::kStorageFull) << refused_flush.error().message;
    EXPECT_EQ(index_->put_setting("k", "v").error().code, ErrorCode::kStorageFull);
    EXPECT_EQ(store(stored + 1).error().code, ErrorCode::kStorageFull)
        << "nothing is taken that could not be kept";
    EXPECT_EQ(index_->mark().value(), stored);
    full = false;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!store(stored + 1) && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ++stored;
    ASSERT_TRUE(index_->put_setting("k", "v"));
    ASSERT_TRUE(index_->flush());
  }
  open();
  size_t found = 0;
  ASSERT_TRUE(index_->visit(0, {}, [&](const Entry&) { return ++found, true; }));
  EXPECT_EQ(found, stored);
  EXPECT_EQ(index_->mark().value(), stored);
  EXPECT_EQ(index_->get_setting("k").value(), "v");
}

// More waits than may: the same batch is refused until there is space, and nothing comes twice.
TEST_F(FullDisk, ABatchThatIsRefusedIsTakenWholeLater) {
  constexpr uint32_t kBatches = 200, kBlobs = 200;
  index_.reset();
  index_ = Index::open({.path = folder_ + "/index", .memtable_bytes = 64 << 10}).value();
  const auto stream = model::StreamId::random();
  full = true;
  uint32_t refusals = 0;
  for (uint32_t number = 1; number <= kBatches; ++number) {
    auto batch = index_->new_batch();
    for (uint32_t n = 0; n < kBlobs; ++n) {
      Entry entry;
      entry.id = {stream, number * kBlobs + n};
      batch->store(entry, std::nullopt);
      batch->append_journal({static_cast<uint64_t>(number) << 12 | n, false, entry, number});
    }
    batch->mark(number);
    while (!index_->apply(*batch)) {
      ASSERT_EQ(index_->mark().value(), number - 1);
      if (++refusals == 20) full = false;
      ASSERT_LT(refusals, 2000u);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  EXPECT_GE(refusals, 20u);
  ASSERT_TRUE(index_->flush());
  open();
  EXPECT_EQ(index_->mark().value(), kBatches);
  uint64_t token = 0;
  for (uint32_t number = 1; number <= kBatches; ++number) {
    const auto records = index_->journal_after(token, kBlobs).value();
    ASSERT_EQ(records.size(), kBlobs);
    for (uint32_t n = 0; n < kBlobs; ++n) {
      ASSERT_EQ(records[n].token, static_cast<uint64_t>(number) << 12 | n);
    }
    token = records.back().token;
  }
  EXPECT_TRUE(index_->journal_after(token, 1)->empty());
}

// The disk is full for some writes, be they of tables or of the list of tables, and then has space.
// At whichever write that is, what was refused is taken later, and nothing waits for ever.
struct Refusals {
  const char* name;  // Of the files whose writes are refused.
  uint32_t from;     // After so many batches,
  int count;         // so many writes,
  uint32_t every;    // and again after so many more. 0: not again.

  bool begin_at(uint32_t batch) const {
    return batch == from || (every != 0 && batch > from && (batch - from) % every == 0);
  }
};

constexpr uint32_t kSweepBatches = 120, kSweepBlobs = 100;

// Blobs and their journal records.
Result<void> apply_batch(Index& index, const model::StreamId& stream, uint32_t number) {
  auto batch = index.new_batch();
  for (uint32_t n = 0; n < kSweepBlobs; ++n) {
    Entry entry;
    entry.id = {stream, number * kSweepBlobs + n};
    entry.order = number % 3;  // Else it waits with others.
    batch->store(entry, std::nullopt);
    batch->append_journal({static_cast<uint64_t>(number) << 12 | n, false, entry, number});
  }
  batch->mark(number);
  return index.apply(*batch);
}

bool repeat_until(const std::chrono::steady_clock::time_point end, const auto& step) {
  while (!step()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

std::string fill_with_refusals(const std::string& folder, Limit& limit, const Refusals& refusals) {
  auto index = Index::open({.path = folder, .memtable_bytes = 64 << 10}).value();
  const auto stream = model::StreamId::random();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(100);
  for (uint32_t number = 1; number <= kSweepBatches; ++number) {
    if (refusals.begin_at(number)) limit.left = refusals.count;
    if (!repeat_until(end, [&] { return apply_batch(*index, stream, number).has_value(); })) {
      return "stuck at batch " + std::to_string(number);
    }
  }
  if (!repeat_until(end, [&] { return index->flush().has_value(); })) return "stuck at the flush";
  if (index->mark().value() != kSweepBatches) return "the mark is wrong";
  size_t blobs = 0;
  (void)index->visit(0, {}, [&](const Entry&) { return ++blobs, true; });
  if (blobs != kSweepBatches * kSweepBlobs) return "blobs lack";
  if (index->journal_after(0, 1'000'000)->size() != kSweepBatches * kSweepBlobs) {
    return "journal records lack";
  }
  return {};
}

// Each in a thread and a folder of its own, with its limit.
void with_limits(const std::string& folder, size_t count, const auto& work) {
  for (size_t i = 0; i < count; ++i) limits[i].folder = folder + "/limited-" + std::to_string(i);
  limited = count;
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < count; ++i) threads.emplace_back([&, i] { work(i); });
  }
  limited = 0;
}

TEST_F(FullDisk, SpaceThatComesBackAtAnyWriteIsUsed) {
  std::vector<Refusals> all;
  for (const char* name : {".sst", "MANIFEST", ""}) {
    for (const uint32_t from : {1, 40}) {
      for (int count = 1; count <= 3; ++count) all.push_back({name, from, count, 0});
    }
    all.push_back({name, 10, 1, 30});
  }
  std::vector<std::string> results(all.size());
  for (size_t i = 0; i < all.size(); ++i) limits[i].name = all[i].name;
  with_limits(folder_, all.size(), [&](size_t i) {
    results[i] = fill_with_refusals(limits[i].folder, limits[i], all[i]);
  });
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(results[i], "") << all[i].name << " from " << all[i].from << " on, " << all[i].count
                              << " writes, every " << all[i].every;
    EXPECT_LE(limits[i].left.load(), 0) << "not all that was to be refused was written";
  }
}

// Whatever is refused and however often: closing ends, and what was flushed before is there.
TEST_F(FullDisk, ClosingWhileItIsFullReturns) {
  struct Case {
    const char* name;
    int refused;  // Calls, before it is closed.
  };

  std::vector<Case> all;
  for (const char* name : {".sst", "MANIFEST", ""}) {
    for (const int refused : {0, 1, 20, 100}) all.push_back({name, refused});
  }
  for (size_t i = 0; i < all.size(); ++i) limits[i].name = all[i].name;
  with_limits(folder_, all.size(), [&](size_t i) {
    auto index = Index::open({.path = limits[i].folder, .memtable_bytes = 64 << 10}).value();
    const auto stream = model::StreamId::random();
    uint32_t number = 1;
    for (; number <= 10; ++number) ASSERT_TRUE(apply_batch(*index, stream, number));
    ASSERT_TRUE(index->flush());
    limits[i].left = 1'000'000;
    (void)apply_batch(*index, stream, number++);
    for (int refused = 0; refused < all[i].refused;) {
      if (apply_batch(*index, stream, number)) {
        ++number;
        continue;
      }
      ++refused;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    index.reset();
    limits[i].left = 0;
    index = Index::open({.path = limits[i].folder}).value();
    EXPECT_GE(index->mark().value(), 10u);
    EXPECT_GE(index->journal_mark().value(), 10u);
  });
}

}  // namespace
}  // namespace rondel::index
