// What an engine does when the disk fails it: batches that never reach the disk, rot where it
// hurts, a lost index.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <thread>

#include "common/hash/hash64.h"
#include "storage-node/segment/format.h"
#include "tests/fakes/forwarding_file_system.h"
#include "tests/fakes/manual_clock.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::engine {
namespace {

using namespace std::chrono_literals;

// Durable writes of logs wait while the gate is shut: what is queued meanwhile becomes one batch.
class Gate {
 public:
  void shut() {
    std::lock_guard lock(mutex_);
    open_ = false;
  }

  void open(bool fail_next = false) {
    std::lock_guard lock(mutex_);
    open_ = true;
    failing_ = fail_next;
    changed_.notify_all();
  }

  void await_waiter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_; });
  }

  // True: the write fails.
  bool pass() {
    std::unique_lock lock(mutex_);
    waiting_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    waiting_ = false;
    return std::exchange(failing_, false);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  bool waiting_ = false;
  bool failing_ = false;
};

class GatedFile final : public fakes::ForwardingFile {
 public:
  GatedFile(std::unique_ptr<fs::File> inner, Gate& gate)
      : ForwardingFile(std::move(inner)), gate_(gate) {}

  Result<void> write_at(uint64_t offset, ByteView bytes) override {
    if (gate_.pass()) return fail(ErrorCode::kInternal, "the write failed");
    return ForwardingFile::write_at(offset, bytes);
  }

 private:
  Gate& gate_;
};

class GatedFileSystem final : public fakes::ForwardingFileSystem {
 public:
  GatedFileSystem(fs::FileSystem& inner, Gate& gate) : ForwardingFileSystem(inner), gate_(gate) {}

  Result<std::unique_ptr<fs::File>> open(const std::string& path,
                                         fs::OpenOptions options) override {
    TRY(auto file, ForwardingFileSystem::open(path, options));
    if (!options.direct_durable) return file;
    return std::make_unique<GatedFile>(std::move(file), gate_);
  }

 private:
  Gate& gate_;
};

Waiter<void> begin_put(Engine& engine, const model::BlobId& id, size_t size,
                       model::DiskId handoff_for = {}) {
  const ByteSlice bytes = make_bytes(id, size);
  Waiter<void> waiter;
  engine.put_async({id, 1, real_clock().now(), handoff_for}, bytes,
                   hash::block_digests(id, 0, bytes.view()), waiter.callback());
  return waiter;
}

class EngineFaults : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(disk_.make_directory("/disk"));
    open();
  }

  void open() {
    engine_.reset();
    auto opened = Engine::open(fs_, options());
    ASSERT_TRUE(opened) << opened.error().message;
    engine_ = std::move(*opened);
  }

  EngineOptions options() { return small_options(folder_.path() + "/index"); }

  // A put that waits at the gate; what follows shares the next batch.
  Waiter<void> hold(uint64_t n) {
    gate_.shut();
    auto held = begin_put(*engine_, make_id(n), 100);
    gate_.await_waiter();
    return held;
  }

  // Where bytes of a blob lie: path and offset.
  std::pair<std::string, uint64_t> place_of(const model::BlobId& id, size_t size) {
    const auto bytes = make_bytes(id, size);
    for (const std::string& name : disk_.list("/disk/segments").value()) {
      const std::string path = "/disk/segments/" + name;
      auto file = disk_.open(path, {}).value();
      std::string text(options().segment_bytes, '\0');
      EXPECT_TRUE(file->read_at(0, {reinterpret_cast<std::byte*>(text.data()), text.size()}));
      const size_t at = text.find(as_text(bytes.view().first(std::min<size_t>(size, 64))));
      if (at != std::string::npos) return {path, at};
    }
    return {};
  }

  TemporaryFolder folder_;
  fs::SimulatedFileSystem disk_{1};
  Gate gate_;
  GatedFileSystem fs_{disk_, gate_};
  fakes::ManualClock clock_{real_clock().now()};
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineFaults, ASecondPutOfABlobIsNotAcknowledgedBeforeTheFirstIsFlushed) {
  ASSERT_TRUE(put(*engine_, make_id(1), 100));
  auto held = hold(2);
  auto first = begin_put(*engine_, make_id(3), 100);
  auto second = begin_put(*engine_, make_id(3), 100);
  gate_.open();
  ASSERT_TRUE(held.wait());
  ASSERT_TRUE(first.wait());
  ASSERT_TRUE(second.wait());

  held = hold(4);
  first = begin_put(*engine_, make_id(5), 100);
  second = begin_put(*engine_, make_id(5), 100);
  gate_.open(true);
  EXPECT_FALSE(held.wait());
  EXPECT_FALSE(first.wait());
  EXPECT_FALSE(second.wait()) << "nothing of it is on the disk";
}

TEST_F(EngineFaults, NothingIsWrittenBehindAFailedWrite) {
  ASSERT_TRUE(put(*engine_, make_id(1), 100));
  auto held = hold(2);
  auto behind = begin_put(*engine_, make_id(3), 100);
  gate_.open(true);
  EXPECT_EQ(held.wait().error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(behind.wait().error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(engine_->status().state, DiskState::kReadOnly);
  EXPECT_TRUE(verify(*engine_, make_id(1), 100));
}

TEST_F(EngineFaults, APutAndWhatFollowsItInOneBatchKeepThePlace) {
  ASSERT_TRUE(put(*engine_, make_id(1), 100));
  auto held = hold(2);
  auto stored = begin_put(*engine_, make_id(3), 5000);
  Waiter<uint64_t> removed;
  engine_->remove_async({make_id(3)}, {0, 1h, false, true}, removed.callback());
  auto again = begin_put(*engine_, make_id(3), 5000);
  gate_.open();
  ASSERT_TRUE(held.wait() && stored.wait() && again.wait());
  EXPECT_EQ(*removed.wait(), 1u);
  EXPECT_FALSE(engine_->stat(make_id(3))->trashed);
  EXPECT_TRUE(verify(*engine_, make_id(3), 5000));
  const uint64_t live = engine_->status().live_bytes;
  EXPECT_EQ(engine_->status().trash_bytes, 0u);
  open();
  EXPECT_TRUE(verify(*engine_, make_id(3), 5000));
  EXPECT_EQ(engine_->status().live_bytes, live);
}

TEST_F(EngineFaults, ALostIndexIsMadeAgainFromTheSegments) {
  for (uint64_t n = 1; n <= 40; ++n) {
    ASSERT_TRUE(put(*engine_, make_id(n), n % 2 == 0 ? 100'000 : 1'000'000));
  }
  // The log of the large ones goes: only their trailers tell of them.
  for (uint64_t n = 2; n <= 40; n += 2) ASSERT_TRUE(remove(*engine_, make_id(n), 0ms));
  for (uint64_t n = 100; n < 400; ++n) ASSERT_TRUE(put(*engine_, make_id(n), 100'000));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(engine_->compact_once());
  EXPECT_EQ(engine_->doubts(), 0u);
  const uint64_t token = engine_->journal_after(0, 100'000)->next;
  engine_.reset();
  std::filesystem::remove_all(folder_.path() + "/index");
  for (int round = 0; round < 2; ++round) {
    open();
    for (uint64_t n = 1; n <= 40; n += 2) EXPECT_TRUE(verify(*engine_, make_id(n), 1'000'000)) << n;
    for (uint64_t n = 100; n < 400; ++n) EXPECT_TRUE(verify(*engine_, make_id(n), 100'000)) << n;
    EXPECT_EQ(engine_->doubts(), 1u);
    const auto page = engine_->journal_after(token, 10).value();
    EXPECT_FALSE(page.truncated && page.next < token) << "readers move on";
    EXPECT_TRUE(engine_->journal_after(token - 1, 10)->truncated)
        << "what the journal told before is gone";
  }
}

TEST_F(EngineFaults, ADamagedIndexIsPutAsideAndMadeAgain) {
  for (uint64_t n = 1; n <= 20; ++n) ASSERT_TRUE(put(*engine_, make_id(n), 1000 * n));
  engine_.reset();
  for (const auto& file : std::filesystem::directory_iterator(folder_.path() + "/index")) {
    if (file.path().filename().string().starts_with("MANIFEST")) {
      std::filesystem::resize_file(file.path(), 20);
    }
  }
  open();
  for (uint64_t n = 1; n <= 20; ++n) EXPECT_TRUE(verify(*engine_, make_id(n), 1000 * n)) << n;
  EXPECT_EQ(engine_->doubts(), 1u);
}

TEST_F(EngineFaults, ADamagedSegmentHeaderDoesNotFreeTheSegment) {
  ASSERT_TRUE(put(*engine_, make_id(1), 1'000'000));
  const auto [path, at] = place_of(make_id(1), 1'000'000);
  ASSERT_FALSE(path.empty());
  engine_.reset();
  disk_.flip_bit(path, 17, 3);
  open();
  EXPECT_TRUE(verify(*engine_, make_id(1), 1'000'000));
  for (uint64_t n = 10; n < 200 && put(*engine_, make_id(n), 1'000'000); ++n) {
  }
  ASSERT_TRUE(engine_->compact_once());
  EXPECT_TRUE(verify(*engine_, make_id(1), 1'000'000)) << "nobody wrote over it";
  EXPECT_EQ(remove(*engine_, make_id(1), 0ms).value(), 1u);
}

TEST_F(EngineFaults, RotAtTheEndOfAnEarlierLogIsNoticed) {
  engine_.reset();
  auto forgetful = options();
  forgetful.lose_unflushed_index = true;
  engine_ = Engine::open(fs_, forgetful).value();
  uint64_t n = 1;
  // The last record of the first log: the next put begins another one.
  while (disk_.list("/disk/segments")->size() < 2) {
    ASSERT_TRUE(put(*engine_, make_id(n++), 200'000));
  }
  const auto [path, at] = place_of(make_id(n - 2), 200'000);
  engine_.reset();
  disk_.flip_bit(path, at + 5, 1);
  open();
  if (!engine_->stat(make_id(n - 2))) {
    EXPECT_GT(engine_->doubts(), 0u);
  } else {
    EXPECT_EQ(verify(*engine_, make_id(n - 2), 200'000).error().code, ErrorCode::kCorruption)
        << "the index knew it";
  }
  EXPECT_GT(engine_->status().corrupt_reads, 0u);
  EXPECT_TRUE(verify(*engine_, make_id(n - 1), 200'000));
}

TEST_F(EngineFaults, AJournalTokenFromTheFutureIsAnsweredAsTruncatedOnce) {
  ASSERT_TRUE(put(*engine_, make_id(1), 100));
  const auto page = engine_->journal_after(1ull << 40, 10).value();
  EXPECT_TRUE(page.truncated);
  EXPECT_EQ(page.entries.size(), 1u);
  EXPECT_FALSE(engine_->journal_after(page.next, 10)->truncated);
}

TEST_F(EngineFaults, ATruncatedJournalWithoutEntriesMovesReadersOn) {
  engine_.reset();
  auto short_lived = options();
  short_lived.journal_period = Duration::zero();
  short_lived.clock = &clock_;
  engine_ = Engine::open(fs_, short_lived).value();
  ASSERT_TRUE(put(*engine_, make_id(1), 100));
  clock_.advance(2ms);
  ASSERT_TRUE(engine_->compact_once());
  const auto page = engine_->journal_after(0, 10).value();
  EXPECT_TRUE(page.truncated);
  EXPECT_TRUE(page.entries.empty());
  EXPECT_FALSE(engine_->journal_after(page.next, 10)->truncated)
      << "or peers compare everything every second";
}

TEST_F(EngineFaults, AnUnreadableSectorIsDamageAndReplaced) {
  ASSERT_TRUE(put(*engine_, make_id(1), 300'000));
  disk_.set_faults({.read_error = 1.0});
  EXPECT_EQ(verify(*engine_, make_id(1), 300'000).error().code, ErrorCode::kCorruption);
  disk_.set_faults({});
  EXPECT_EQ(engine_->status().corrupt_reads, 1u);
  const auto before = engine_->status().live_bytes;
  ASSERT_TRUE(put(*engine_, make_id(1), 300'000));
  EXPECT_TRUE(verify(*engine_, make_id(1), 300'000));
  EXPECT_EQ(engine_->status().live_bytes, before);
}

TEST_F(EngineFaults, ClientsBlobsAreRefusedBeforeRepairs) {
  uint64_t n = 1;
  while (put(*engine_, make_id(n), 4 << 20)) ++n;
  EXPECT_EQ(engine_->status().state, DiskState::kFull);
  EXPECT_LE(engine_->status().free_bytes, engine_->status().capacity_bytes / 10);
  // The open segments still have room; a repair may use it.
  const auto id = make_id(5000);
  const auto bytes = make_bytes(id, 1000);
  Waiter<void> waiter;
  engine_->put_async({id, 1, real_clock().now(), {}, false}, bytes,
                     hash::block_digests(id, 0, bytes.view()), waiter.callback());
  EXPECT_EQ(waiter.wait().error().code, ErrorCode::kStorageFull);
}

TEST_F(EngineFaults, AFileSystemFullerThanDeclaredIsFullNotReadOnly) {
  disk_.set_capacity(100ull << 20);
  open();
  uint64_t n = 1;
  Result<void> last;
  while ((last = put(*engine_, make_id(n), 4 << 20))) ASSERT_LT(++n, 100u);
  EXPECT_GT(n, 3u);
  EXPECT_EQ(last.error().code, ErrorCode::kStorageFull);
  EXPECT_EQ(engine_->status().state, DiskState::kFull);
  for (uint64_t i = 1; i < n; ++i) EXPECT_EQ(*remove(*engine_, make_id(i), 0ms), 1u);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(engine_->compact_once());
  EXPECT_TRUE(put(*engine_, make_id(n), 4 << 20)) << "segments are used again";
}

TEST_F(EngineFaults, AnEmptyFolderIsNotTheDiskThatWasThere) {
  auto other = options();
  other.path = "/elsewhere";
  other.index_path = folder_.path() + "/other";
  other.disk = engine_->disk_id();
  ASSERT_TRUE(disk_.make_directory("/elsewhere"));
  const auto opened = Engine::open(fs_, other);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kPrecondition);
}

// A stored blob that looks like a batch of the log is not taken for one when the batch before it is
// torn.
TEST_F(EngineFaults, StoredBytesAreNeverTakenForABatch) {
  engine_.reset();
  auto forgetful = options();
  forgetful.lose_unflushed_index = true;
  engine_ = Engine::open(fs_, forgetful).value();
  ASSERT_TRUE(put(*engine_, make_id(1), 100));
  std::string forged(200'000, '\0');
  for (uint64_t at = 0; at + 8192 < forged.size(); at += 64) {
    const std::span out(reinterpret_cast<std::byte*>(forged.data()) + at, 64);
    // Without records; salted as somebody would who knows all but the disk's id.
    segment::encode(segment::BatchHeader{1, 1000, 0, 64, hash::hash64({}, 1)}, 1, out);
  }
  const auto id = make_id(2);
  const auto bytes = ByteSlice::copy_of(as_bytes(forged));
  Waiter<void> waiter;
  engine_->put_async({id, 1, real_clock().now(), {}}, bytes,
                     hash::block_digests(id, 0, bytes.view()), waiter.callback());
  ASSERT_TRUE(waiter.wait());
  engine_.reset();
  const auto [path, at] = place_of(make_id(1), 100);
  // The head of the second batch is torn.
  disk_.flip_bit(path, 8192 + 1, 0);
  open();
  EXPECT_EQ(engine_->status().corrupt_reads, 0u) << "a torn tail, nothing else";
  EXPECT_TRUE(verify(*engine_, make_id(1), 100));
}

}  // namespace
}  // namespace rondel::engine
