// docs/formats/index.md: what lies in RocksDB after the index was told of a blob.
#include <rocksdb/db.h>
#include <stdlib.h>

#include <filesystem>
#include <map>

#include "storage-node/index/index.h"
#include "tests/unit/format_vectors.h"

namespace rondel::index {
namespace {

using namespace vectors;

class IndexFormatTest : public testing::Test {
 protected:
  IndexFormatTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "rondel-index-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    open();
  }

  ~IndexFormatTest() override { std::filesystem::remove_all(folder_); }

  void open() { index_ = Index::open({.path = folder_ + "/index"}).value(); }

  static Entry entry() {
    const hash::BlockDigest block = hash::block_digest(kBlob, 0, as_bytes(kBytes));
    return {kBlob,
            {3, 5, 8192, 12'288, true},
            kBytes.size(),
            hash::blob_digest({&block, 1}),
            4,
            1'000'001,
            2'000'002,
            kOwner,
            0};
  }

  void store(const Entry& now, const std::optional<Entry>& before) {
    auto batch = index_->new_batch();
    batch->store(now, before);
    batch->append_journal({(9 << 12) | 1, false, now, 3'000'003});
    batch->mark(9);
    ASSERT_TRUE(index_->apply(*batch));
    ASSERT_TRUE(index_->flush());
  }

  // Every key and value of a family, as RocksDB has them.
  std::map<std::string, std::string> content(
      const std::string& family = rocksdb::kDefaultColumnFamilyName) {
    index_.reset();
    rocksdb::DB* raw = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    const std::vector<rocksdb::ColumnFamilyDescriptor> both = {
        {rocksdb::kDefaultColumnFamilyName, {}}, {"journal", {}}};
    EXPECT_TRUE(rocksdb::DB::OpenForReadOnly({}, folder_ + "/index", both, &handles, &raw).ok());
    std::map<std::string, std::string> found;
    {
      const std::unique_ptr<rocksdb::DB> db(raw);
      const std::unique_ptr<rocksdb::Iterator> it(
          db->NewIterator({}, handles[family == "journal" ? 1 : 0]));
      for (it->SeekToFirst(); it->Valid(); it->Next()) {
        found[it->key().ToString()] = it->value().ToString();
      }
      for (rocksdb::ColumnFamilyHandle* handle : handles) {
        (void)db->DestroyColumnFamilyHandle(handle);
      }
    }
    open();
    return found;
  }

  std::string folder_;
  std::unique_ptr<Index> index_;
};

TEST_F(IndexFormatTest, KeysAndValuesHaveTheirGoldenBytes) {
  store(entry(), std::nullopt);
  ASSERT_TRUE(index_->put_setting("name", "value"));
  const std::map<std::string, std::string> expected{
      {golden("index-key"), golden("index-entry")},
      {golden("handoff-key"), ""},
      {"m", std::string("\x09\0\0\0\0\0\0\0", 8)},
      {"sname", "value"},
  };
  EXPECT_EQ(content(), expected);
  EXPECT_EQ(content("journal"),
            (std::map<std::string, std::string>{{golden("journal-key"), golden("journal-record")},
                                                {"m", std::string("\x09\0\0\0\0\0\0\0", 8)}}));
  EXPECT_EQ(*index_->find(kBlob), entry());
}

TEST_F(IndexFormatTest, RemovalsAndWhatIsWantedHaveTheirGoldenBytes) {
  constexpr uint64_t kOrderNumber = 0x1122334455667788;
  const Removal removal{kBlob, kOrderNumber, 4'000'004, 5'000'005};
  const Wanted wanted{kBlob, kBytes.size(),         1'000'001, kOrderNumber, 6'000'006, 7'000'007,
                      3,     Wanted::Why::kDamaged, {}};
  auto batch = index_->new_batch();
  batch->keep_removal(removal);
  batch->raise_order(kOrderNumber);
  ASSERT_TRUE(index_->apply(*batch));
  ASSERT_TRUE(index_->note_wanted({&wanted, 1}, {}));
  ASSERT_TRUE(index_->flush());
  const std::map<std::string, std::string> expected{
      {golden("removal-key"), golden("removal")},
      {golden("wanted-key"), golden("wanted")},
      {"o", std::string("\x88\x77\x66\x55\x44\x33\x22\x11", 8)},
  };
  EXPECT_EQ(content(), expected);
  EXPECT_EQ(index_->find_removal(kBlob).value(), removal);
  EXPECT_EQ(index_->list_wanted({}, 10).value(), std::vector{wanted});
}

TEST_F(IndexFormatTest, WhatIsDroppedOfTheJournalIsToldByItsOwnFamily) {
  store(entry(), std::nullopt);
  ASSERT_TRUE(index_->forget_journal((9 << 12) | 1));
  ASSERT_TRUE(index_->flush());
  EXPECT_FALSE(content().contains("d"));
  EXPECT_EQ(content("journal").at("d"), std::string("\x01\x90\0\0\0\0\0\0", 8));
  EXPECT_FALSE(content("journal").contains(golden("journal-key")));
}

TEST_F(IndexFormatTest, TrashHasAKeyOfItsOwnInsteadOfTheHandoffKey) {
  store(entry(), std::nullopt);
  Entry trashed = entry();
  trashed.purge_at_us = 0x0102030405060708;
  store(trashed, entry());
  const auto found = content();
  EXPECT_TRUE(found.contains(from_hex("74"
                                      "0102030405060708")
                                 .value() +
                             std::string(as_text(kBlob.bytes()))));
  EXPECT_FALSE(found.contains(golden("handoff-key")));
}

// RocksDB ends the process when a log of its own cannot be written: a full disk would take the node
// down.
TEST_F(IndexFormatTest, RocksDbKeepsNoLogFileOnTheDisk) {
  store(entry(), std::nullopt);
  for (const auto& file : std::filesystem::directory_iterator(folder_ + "/index")) {
    EXPECT_NE(file.path().filename().string().substr(0, 3), "LOG") << file.path();
  }
}

TEST_F(IndexFormatTest, AShortEntryIsCorruption) {
  index_.reset();
  rocksdb::DB* raw = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const std::vector<rocksdb::ColumnFamilyDescriptor> both = {
      {rocksdb::kDefaultColumnFamilyName, {}}, {"journal", {}}};
  ASSERT_TRUE(rocksdb::DB::Open({}, folder_ + "/index", both, &handles, &raw).ok());
  const std::string bytes = golden("index-entry");
  ASSERT_TRUE(raw->Put({}, golden("index-key"), bytes.substr(0, bytes.size() - 1)).ok());
  for (rocksdb::ColumnFamilyHandle* handle : handles) (void)raw->DestroyColumnFamilyHandle(handle);
  delete raw;
  open();
  EXPECT_EQ(index_->find(kBlob).error().code, ErrorCode::kCorruption);
}

}  // namespace
}  // namespace rondel::index
