// What a look-up reads, and what a crash leaves, on a RocksDB of our own.
#include <gtest/gtest.h>
#include <rocksdb/perf_context.h>
#include <rocksdb/perf_level.h>
#include <stdlib.h>

#include <filesystem>

#include "storage-node/index/index.h"

namespace rondel::index {
namespace {

constexpr uint32_t kBlobs = 60'000;

class IndexTest : public testing::Test {
 protected:
  IndexTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "rondel-index-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~IndexTest() override {
    index_.reset();
    std::filesystem::remove_all(folder_);
  }

  void open(IndexOptions options) {
    index_.reset();
    options.path = folder_ + "/index";
    index_ = Index::open(options).value();
  }

  void store(const model::StreamId& stream, uint32_t from, uint32_t to) {
    auto batch = index_->new_batch();
    for (uint32_t number = from; number < to; ++number) {
      Entry entry;
      entry.id = {stream, number};
      batch->store(entry, std::nullopt);
      batch->append_journal({number + 1ull, false, entry, number + 1ull});
    }
    batch->mark(to);
    ASSERT_TRUE(index_->apply(*batch));
  }

  std::string folder_;
  std::unique_ptr<Index> index_;
};

// Every put asks whether the blob is here: with filters that do not stay in memory that is a read of a whole filter.
TEST_F(IndexTest, AskingForABlobThatIsNotHereReadsNothingOnceFiltersAreInMemory) {
  open({.memtable_bytes = 1 << 20, .block_cache_bytes = 2 << 20});
  const auto stream = model::StreamId::random();
  for (uint32_t from = 0; from < kBlobs; from += 1000) store(stream, from, from + 1000);
  ASSERT_TRUE(index_->flush());
  const auto ask = [&] {
    for (uint32_t number = 0; number < 5000; ++number) EXPECT_FALSE(index_->find({stream, kBlobs + number})->has_value());
  };
  ask();
  rocksdb::SetPerfLevel(rocksdb::kEnableCount);
  rocksdb::get_perf_context()->Reset();
  ask();
  EXPECT_LT(rocksdb::get_perf_context()->block_read_count, 500u) << "a filter answers wrongly for one in a hundred";
  rocksdb::SetPerfLevel(rocksdb::kDisable);
}

TEST_F(IndexTest, ACrashLeavesBlobsJournalAndMarkAsOneFlushWroteThem) {
  open({.memtable_bytes = 256 << 10, .lose_unflushed_at_close = true});
  const auto stream = model::StreamId::random();
  for (uint32_t from = 0; from < 20'000; from += 100) store(stream, from, from + 100);
  open({});
  const uint64_t mark = *index_->mark();
  EXPECT_GT(mark, 0u) << "full memtables are written";
  EXPECT_EQ(index_->journal_after(0, 100'000)->size(), mark);
  uint64_t blobs = 0;
  ASSERT_TRUE(index_->visit(0, {}, [&](const Entry&) { return ++blobs, true; }));
  EXPECT_EQ(blobs, mark);
}

TEST_F(IndexTest, ANotedSettingIsSeenAtOnceAndDurableWithTheNextFlush) {
  open({.lose_unflushed_at_close = true});
  ASSERT_TRUE(index_->note_setting("catch-up", "1"));
  ASSERT_TRUE(index_->flush());
  ASSERT_TRUE(index_->note_setting("catch-up", "2"));
  EXPECT_EQ(*index_->get_setting("catch-up"), "2");
  open({.lose_unflushed_at_close = true});
  EXPECT_EQ(*index_->get_setting("catch-up"), "1");
}

TEST_F(IndexTest, ASettingThatIsPutSurvivesACrash) {
  open({.lose_unflushed_at_close = true});
  ASSERT_TRUE(index_->put_setting("disk", "1"));
  open({});
  EXPECT_EQ(*index_->get_setting("disk"), "1");
}

}  // namespace
}  // namespace rondel::index
