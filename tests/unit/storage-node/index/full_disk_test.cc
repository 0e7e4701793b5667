// RocksDB on a disk that is full for a while. The system calls of this program are its own: they say ENOSPC when told to.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <thread>

#include "storage-node/index/index.h"

namespace {

std::atomic<bool> full{false};

bool refused(int file) {
  struct stat known{};
  if (!full || fstat(file, &known) != 0 || !S_ISREG(known.st_mode)) return false;
  errno = ENOSPC;
  return true;
}

}  // namespace

extern "C" {
ssize_t write(int file, const void* from, size_t size) { return refused(file) ? -1 : syscall(SYS_write, file, from, size); }
ssize_t pwrite(int file, const void* from, size_t size, off_t at) { return refused(file) ? -1 : syscall(SYS_pwrite64, file, from, size, at); }
ssize_t pwrite64(int file, const void* from, size_t size, off64_t at) { return refused(file) ? -1 : syscall(SYS_pwrite64, file, from, size, at); }
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

TEST_F(FullDisk, GoesOnWhenThereIsSpaceAgain) {
  for (uint32_t n = 1; n <= 100; ++n) ASSERT_TRUE(store(n));
  full = true;
  const auto refused_flush = index_->flush();
  ASSERT_FALSE(refused_flush);
  EXPECT_EQ(refused_flush.error().code, ErrorCode::kResourceExhausted) << refused_flush.error().message;
  EXPECT_EQ(index_->put_setting("k", "v").error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(store(101).error().code, ErrorCode::kResourceExhausted) << "nothing is taken that could not be kept";
  EXPECT_EQ(index_->mark().value(), 100u);
  full = false;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!store(101) && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ASSERT_TRUE(index_->put_setting("k", "v"));
  ASSERT_TRUE(index_->flush());
  open();
  size_t found = 0;
  ASSERT_TRUE(index_->visit(0, {}, [&](const Entry&) { return ++found, true; }));
  EXPECT_EQ(found, 101u);
  EXPECT_EQ(index_->mark().value(), 101u);
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
    for (uint32_t n = 0; n < kBlobs; ++n) ASSERT_EQ(records[n].token, static_cast<uint64_t>(number) << 12 | n);
    token = records.back().token;
  }
  EXPECT_TRUE(index_->journal_after(token, 1)->empty());
}

}  // namespace
}  // namespace rondel::index
