#include <gtest/gtest.h>

#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::engine {
namespace {

using namespace std::chrono_literals;

class EngineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs_.make_directory("/disk"));
    open();
  }

  void open() {
    engine_.reset();
    auto opened = Engine::open(fs_, small_options(folder_.path() + "/index"));
    ASSERT_TRUE(opened) << opened.error().message;
    engine_ = std::move(*opened);
  }

  std::string segment_of_size(uint64_t at_least) {
    for (const std::string& name : fs_.list("/disk/segments").value()) {
      auto file = fs_.open("/disk/segments/" + name, {}).value();
      if (file->size().value() >= at_least) return "/disk/segments/" + name;
    }
    return "";
  }

  TemporaryFolder folder_;
  fs::SimulatedFileSystem fs_{1};
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, SmallAndLargeBlobsComeBackWholeAndInRanges) {
  const std::vector<size_t> sizes{1, 4096, 65'536, 65'537, 262'144, 262'145, 1'000'000, 8 << 20};
  for (size_t i = 0; i < sizes.size(); ++i) {
    ASSERT_TRUE(put(*engine_, make_id(i), sizes[i])) << sizes[i];
  }
  open();
  for (size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_TRUE(verify(*engine_, make_id(i), sizes[i])) << sizes[i];
    const auto tail = engine_->read(make_id(i), sizes[i] - 1, 1);
    ASSERT_TRUE(tail);
    const size_t at = sizes[i] - 1 - tail->offset;
    EXPECT_EQ(tail->bytes.view()[at], make_bytes(make_id(i), sizes[i]).view()[sizes[i] - 1]);
    EXPECT_EQ(engine_->read(make_id(i), sizes[i], 1).error().code, ErrorCode::kOutOfRange);
  }
  EXPECT_EQ(engine_->status().blobs, sizes.size());
  EXPECT_EQ(engine_->read(make_id(99), 0, 1).error().code, ErrorCode::kNotFound);
}

TEST_F(EngineTest, TheSameBlobTwiceIsFineAnotherUnderItsIdIsNot) {
  ASSERT_TRUE(put(*engine_, make_id(1), 100));
  ASSERT_TRUE(put(*engine_, make_id(1), 100));
  EXPECT_EQ(put(*engine_, make_id(1), 101).error().code, ErrorCode::kAlreadyExists);
  ASSERT_TRUE(put(*engine_, make_id(2), 1 << 20));
  ASSERT_TRUE(put(*engine_, make_id(2), 1 << 20));
  EXPECT_EQ(engine_->status().blobs, 2u);
}

TEST_F(EngineTest, AFreshBlobThatCameBeforeIsKnown) {
  ASSERT_TRUE(put(*engine_, make_id(1), 100, {}, true));
  ASSERT_TRUE(put(*engine_, make_id(2), 100));
  ASSERT_TRUE(put(*engine_, make_id(1), 100, {}, true));
  ASSERT_TRUE(put(*engine_, make_id(2), 100, {}, true));
  EXPECT_EQ(put(*engine_, make_id(1), 101, {}, true).error().code, ErrorCode::kAlreadyExists);
  const auto status = engine_->status();
  EXPECT_EQ(status.blobs, 2u);
  EXPECT_EQ(engine_->journal_after(0, 10)->entries.size(), 2u);
}

TEST_F(EngineTest, AFreshBlobThatCameBeforeTheDiskWasOpenedIsKnown) {
  const SystemTime made = real_clock().now();
  ASSERT_TRUE(put(*engine_, make_id(1), 100));
  open();
  ASSERT_TRUE(put(*engine_, make_id(1), 100, {}, true, made));
  EXPECT_EQ(engine_->status().blobs, 1u);
  EXPECT_EQ(engine_->journal_after(0, 10)->entries.size(), 1u);
}

TEST_F(EngineTest, AFreshBlobFromTheFutureIsLookedUp) {
  ASSERT_TRUE(put(*engine_, make_id(1), 100));
  open();
  ASSERT_TRUE(put(*engine_, make_id(1), 100, {}, true, real_clock().now() + 1h));
  EXPECT_EQ(engine_->status().blobs, 1u);
}

TEST_F(EngineTest, ABlobThatWasRemovedAndPurgedDoesNotComeAgainFresh) {
  ASSERT_TRUE(put(*engine_, make_id(1), 100, {}, true));
  ASSERT_TRUE(remove(*engine_, make_id(1), Duration::zero()));
  ASSERT_TRUE(engine_->compact_once());
  EXPECT_EQ(engine_->status().blobs, 0u);
  EXPECT_EQ(put(*engine_, make_id(1), 100, {}, true).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(engine_->status().blobs, 0u);
}

TEST_F(EngineTest, BytesThatDoNotMatchTheirDigestsAreRefused) {
  const auto bytes = make_bytes(make_id(1), 5000);
  auto digests = hash::block_digests(make_id(1), 0, bytes.view());
  digests[0] ^= 1;
  Waiter<void> waiter;
  engine_->put_async({make_id(1), 1, {}, {}}, bytes, digests, waiter.callback());
  EXPECT_EQ(waiter.wait().error().code, ErrorCode::kCorruption);
  auto large = engine_->start_large_put({make_id(2), 1, {}, {}}, 1 << 20).value();
  EXPECT_EQ(large->append(make_bytes(make_id(2), 262'144), {1, 2, 3, 4}).error().code,
            ErrorCode::kCorruption);
}

TEST_F(EngineTest, RemovedBlobsAreRestorableUntilPurged) {
  ASSERT_TRUE(put(*engine_, make_id(1), 100));
  EXPECT_EQ(*remove(*engine_, make_id(1)), 1u);
  EXPECT_EQ(*remove(*engine_, make_id(1)), 0u);
  EXPECT_TRUE(verify(*engine_, make_id(1), 100));
  EXPECT_EQ(engine_->status().blobs, 0u);
  EXPECT_GT(engine_->status().trash_bytes, 0u);
  EXPECT_EQ(*engine_->restore({make_id(1)}, 0), 1u);
  EXPECT_EQ(engine_->status().trash_bytes, 0u);
  EXPECT_EQ(*remove(*engine_, make_id(1), 0ms), 1u);
  ASSERT_TRUE(engine_->compact_once());
  EXPECT_EQ(engine_->stat(make_id(1)).error().code, ErrorCode::kNotFound);
}

TEST_F(EngineTest, HasKnowsWhatIsHereAlsoInTheTrashUntilItIsPurged) {
  EXPECT_FALSE(*engine_->has(make_id(1)));
  ASSERT_TRUE(put(*engine_, make_id(1), 100));
  EXPECT_TRUE(*engine_->has(make_id(1)));
  open();
  EXPECT_TRUE(*engine_->has(make_id(1))) << "from the index: nothing came lately";
  ASSERT_TRUE(put(*engine_, make_id(2), 100));
  for (uint64_t id : {1, 2}) ASSERT_TRUE(remove(*engine_, make_id(id)));
  for (uint64_t id : {1, 2}) EXPECT_TRUE(*engine_->has(make_id(id)));
  for (uint64_t id : {1, 2}) ASSERT_TRUE(remove(*engine_, make_id(id), 0ms));
  ASSERT_TRUE(engine_->compact_once());
  for (uint64_t id : {1, 2}) {
    EXPECT_EQ(*engine_->has(make_id(id)), engine_->stat(make_id(id)).has_value());
  }
}

TEST_F(EngineTest, CompactionGivesSpaceBackAndKeepsTheRest) {
  const int small = 400, large = 40;
  for (int i = 0; i < small; ++i) {
    ASSERT_TRUE(put(*engine_, make_id(static_cast<uint64_t>(i)), 100'000));
  }
  for (int i = 0; i < large; ++i) {
    ASSERT_TRUE(put(*engine_, make_id(static_cast<uint64_t>(1000 + i)), 2 << 20));
  }
  const uint64_t free_before = engine_->status().free_bytes;
  for (int i = 0; i < small; ++i) {
    if (i % 10 != 0) ASSERT_TRUE(remove(*engine_, make_id(static_cast<uint64_t>(i)), 0ms));
  }
  for (int i = 0; i < large; ++i) {
    if (i % 10 != 0) ASSERT_TRUE(remove(*engine_, make_id(static_cast<uint64_t>(1000 + i)), 0ms));
  }
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(engine_->compact_once());
  EXPECT_GT(engine_->status().free_bytes, free_before + (64 << 20));
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < small; i += 10) {
      EXPECT_TRUE(verify(*engine_, make_id(static_cast<uint64_t>(i)), 100'000));
    }
    for (int i = 0; i < large; i += 10) {
      EXPECT_TRUE(verify(*engine_, make_id(static_cast<uint64_t>(1000 + i)), 2 << 20));
    }
    open();
  }
}

TEST_F(EngineTest, AFullDiskRefusesPutsButDeletesAndRecovers) {
  uint64_t n = 0;
  while (put(*engine_, make_id(n), 2 << 20)) ++n;
  EXPECT_EQ(put(*engine_, make_id(n), 2 << 20).error().code, ErrorCode::kStorageFull);
  EXPECT_EQ(engine_->status().state, DiskState::kFull);
  for (uint64_t i = 0; i < n; ++i) {
    if (i % 8 != 0) ASSERT_TRUE(remove(*engine_, make_id(i), 0ms)) << i;
  }
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(engine_->compact_once());
  EXPECT_TRUE(put(*engine_, make_id(n), 2 << 20));
  for (uint64_t i = 0; i < n; i += 8) EXPECT_TRUE(verify(*engine_, make_id(i), 2 << 20));
}

// At the end of a segment lies what no extent fitted into: to move its blobs elsewhere gains
// nothing, be they wanted or in the trash, and a full disk would do it for ever.
TEST_F(EngineTest, AFullDiskDoesNotMoveWhatGainsNothing) {
  uint64_t n = 0;
  while (put(*engine_, make_id(n), 2 << 20)) ++n;
  ASSERT_EQ(engine_->status().state, DiskState::kFull);
  EXPECT_LT(engine_->status().dead_bytes, 2u << 20) << "told as what comes back";
  for (const bool trashed : {false, true}) {
    if (trashed) {
      for (uint64_t i = 0; i < n; ++i) ASSERT_TRUE(remove(*engine_, make_id(i)));
    }
    const uint64_t before = engine_->status().compactions;
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(engine_->compact_once());
    EXPECT_EQ(engine_->status().compactions, before) << trashed;
  }
  for (uint64_t i = 0; i < n; i += 2) {
    ASSERT_TRUE(engine_->restore({make_id(i)}, 1));
    ASSERT_TRUE(remove(*engine_, make_id(i), {2, 0ms, false}));
  }
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(engine_->compact_once());
  EXPECT_GT(engine_->status().compactions, 0u);
  EXPECT_TRUE(put(*engine_, make_id(n), 2 << 20));
}

TEST_F(EngineTest, RotIsFoundCountedAndReplaced) {
  ASSERT_TRUE(put(*engine_, make_id(1), 2 << 20));
  const auto handle = segment_of_size(1);
  bool found = false;
  for (const std::string& name : fs_.list("/disk/segments").value()) {
    const std::string path = "/disk/segments/" + name;
    auto file = fs_.open(path, {}).value();
    std::string text(16 << 20, '\0');
    ASSERT_TRUE(file->read_at(0, {reinterpret_cast<std::byte*>(text.data()), text.size()}));
    const auto bytes = make_bytes(make_id(1), 2 << 20);
    const size_t at = text.find(as_text(bytes.view().subspan(700'000, 64)));
    if (at == std::string::npos) continue;
    found = true;
    fs_.flip_cached_bit(path, at + 3, 1);
    EXPECT_TRUE(verify(*engine_, make_id(1), 2 << 20))
        << "rot in the page cache alone is read past";
    EXPECT_EQ(engine_->status().corrupt_reads, 0u);
    fs_.flip_bit(path, at + 3, 1);
  }
  ASSERT_TRUE(found);
  EXPECT_EQ(verify(*engine_, make_id(1), 2 << 20).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(engine_->status().corrupt_reads, 1u);
  EXPECT_TRUE(engine_->read(make_id(1), 0, 65'536)) << "other blocks are whole";
  ASSERT_TRUE(put(*engine_, make_id(1), 2 << 20));
  EXPECT_TRUE(verify(*engine_, make_id(1), 2 << 20));
}

TEST_F(EngineTest, AFailedFlushMakesTheDiskReadOnly) {
  ASSERT_TRUE(put(*engine_, make_id(1), 100));
  fs_.set_faults({.write_error = 1.0, .flush_error = 1.0});
  EXPECT_EQ(put(*engine_, make_id(2), 100).error().code, ErrorCode::kUnavailable);
  fs_.set_faults({});
  EXPECT_EQ(put(*engine_, make_id(3), 100).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(engine_->status().state, DiskState::kReadOnly);
  EXPECT_TRUE(verify(*engine_, make_id(1), 100));
}

TEST_F(EngineTest, JournalTellsPutsAndDeletesInOrderAcrossRestarts) {
  ASSERT_TRUE(put(*engine_, make_id(1), 100));
  ASSERT_TRUE(put(*engine_, make_id(2), 1 << 20));
  const auto first = engine_->journal_after(0, 1).value();
  ASSERT_EQ(first.entries.size(), 1u);
  EXPECT_FALSE(first.caught_up);
  ASSERT_TRUE(remove(*engine_, make_id(1)));
  open();
  const auto rest = engine_->journal_after(first.next, 10).value();
  ASSERT_EQ(rest.entries.size(), 2u);
  EXPECT_EQ(rest.entries[0].blob.id, make_id(2));
  EXPECT_EQ(rest.entries[1].operation, JournalEntry::Operation::kDelete);
  EXPECT_TRUE(rest.caught_up);
  EXPECT_FALSE(rest.truncated);
}

TEST_F(EngineTest, HandoffMarksAreListedAndDropped) {
  const auto owner = model::DiskId::random();
  ASSERT_TRUE(put(*engine_, make_id(1), 100, owner));
  ASSERT_TRUE(put(*engine_, make_id(2), 100));
  ASSERT_EQ(engine_->list_handoffs(10)->size(), 1u);
  EXPECT_EQ(engine_->list_handoffs(10)->at(0).handoff_for, owner);
  EXPECT_EQ(engine_->status().handoff_blobs, 1u);
  ASSERT_TRUE(engine_->set_handoff(make_id(1), {}));
  open();
  EXPECT_TRUE(engine_->list_handoffs(10)->empty());
  EXPECT_EQ(engine_->status().handoff_blobs, 0u);
  EXPECT_EQ(engine_->set_handoff(make_id(77), {}).error().code, ErrorCode::kNotFound);
}

TEST_F(EngineTest, AnotherDisksFolderIsRefused) {
  auto options = small_options(folder_.path() + "/index");
  engine_.reset();
  options.disk = model::DiskId::random();
  EXPECT_EQ(Engine::open(fs_, options).error().code, ErrorCode::kPrecondition);
  open();
  EXPECT_EQ(Engine::open(fs_, small_options(folder_.path() + "/other")).error().code,
            ErrorCode::kAlreadyExists);
}

TEST_F(EngineTest, ListGoesInHashOrderAndResumes) {
  for (uint64_t i = 0; i < 50; ++i) ASSERT_TRUE(put(*engine_, make_id(i), 10));
  model::BlobId after;
  uint64_t last = 0;
  size_t seen = 0;
  for (;;) {
    const auto page = engine_->list(0, UINT64_MAX, after, 7).value();
    for (const BlobEntry& entry : page) {
      EXPECT_GE(entry.id.ring_hash(), last);
      last = entry.id.ring_hash();
      ++seen;
    }
    if (page.size() < 7) break;
    after = page.back().id;
  }
  EXPECT_EQ(seen, 50u);
}

}  // namespace
}  // namespace rondel::engine
