// Damage costs what it holds and no more: rot and unreadable sectors in logs, extents, headers and
// the index; writes that come late.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <set>
#include <thread>

#include "storage-node/segment/format.h"
#include "tests/fakes/faulty_file_system.h"
#include "tests/fakes/manual_clock.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::engine {
namespace {

using namespace std::chrono_literals;
using fakes::Fault;
using fakes::FaultRule;
using fakes::Handle;
using fakes::Operation;

constexpr size_t kSmall = 256 << 10;  // The largest that lies in the log.
constexpr size_t kLarge = 4 << 20;
constexpr const char* kFirstSegment = "/disk/segments/00000000.seg";

class EngineDamage : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(disk_.make_directory("/disk"));
    open();
  }

  void TearDown() override {
    fs_.clear();
    engine_.reset();
  }

  void open(bool forgetful = false) {
    engine_.reset();
    auto chosen = options();
    chosen.lose_unflushed_index = forgetful;
    auto opened = Engine::open(fs_, chosen);
    ASSERT_TRUE(opened) << opened.error().message;
    engine_ = std::move(*opened);
  }

  EngineOptions options() { return small_options(folder_.path() + "/index"); }

  void put_some(uint64_t from, uint64_t to, size_t size) {
    for (uint64_t n = from; n < to; ++n) ASSERT_TRUE(put(*engine_, make_id(n), size)) << n;
  }

  // The trash ends with the clock's next microsecond.
  void remove_some(uint64_t from, uint64_t to) {
    for (uint64_t n = from; n < to; ++n) ASSERT_TRUE(remove(*engine_, make_id(n), 0s)) << n;
  }

  void compact(int rounds) {
    for (int i = 0; i < rounds; ++i) (void)engine_->compact_once();
  }

  std::set<model::BlobId> listed() {
    std::set<model::BlobId> ids;
    for (const BlobEntry& blob : engine_->list_damaged(1000)) ids.insert(blob.id);
    return ids;
  }

  // Where bytes of a blob lie: path and offset.
  std::pair<std::string, uint64_t> place_of(uint64_t n, size_t size) {
    const auto bytes = make_bytes(make_id(n), size);
    for (const std::string& name : disk_.list("/disk/segments").value()) {
      const std::string path = "/disk/segments/" + name;
      auto file = disk_.open(path, {}).value();
      std::string text(options().segment_bytes, '\0');
      EXPECT_TRUE(file->read_at(0, {reinterpret_cast<std::byte*>(text.data()), text.size()}));
      const size_t at = text.find(as_text(bytes.view().first(64)));
      if (at != std::string::npos) return {path, at};
    }
    return {};
  }

  // 20,000 blobs of which the index has tables on the disk.
  void fill_tables() {
    for (uint64_t n = 0; n < 20'000; ++n) {
      const ByteSlice bytes = make_bytes(make_id(n), 64);
      Waiter<void> waiter;
      const bool last = n % 1000 == 999;
      engine_->put_async({make_id(n), 1, real_clock().now(), {}}, bytes,
                         hash::block_digests(make_id(n), 0, bytes.view()),
                         last ? PutCallback(waiter.callback()) : PutCallback([](Result<void>) {}));
      if (last) ASSERT_TRUE(waiter.wait());
    }
  }

  size_t flip_bits_in_tables(const std::string& folder) {
    size_t flipped = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      if (file.path().extension() != ".sst" || file.file_size() < 200'000) continue;
      std::fstream io(file.path(), std::ios::in | std::ios::out | std::ios::binary);
      io.seekg(20'000);
      char byte = 0;
      io.read(&byte, 1);
      byte = static_cast<char>(byte ^ 1);
      io.seekp(20'000);
      io.write(&byte, 1);
      ++flipped;
    }
    return flipped;
  }

  TemporaryFolder folder_;
  fs::SimulatedFileSystem disk_{1};
  fakes::FaultyFileSystem fs_{disk_};
  std::unique_ptr<Engine> engine_;
};

// --- Writes that come late.

TEST_F(EngineDamage, PiecesOfACancelledUploadNeverReachASegmentThatIsUsedAgain) {
  ASSERT_TRUE(put(*engine_, make_id(1), 1000));  // The log is the first segment.
  fs_.set({Operation::kWrite, Fault::kHang, "", 0, UINT64_MAX, Handle::kDirect});
  {
    const auto id = make_id(2);
    const ByteSlice bytes = make_bytes(id, 8 << 20);
    auto large = engine_->start_large_put({id, 1, real_clock().now(), {}}, 8 << 20);
    ASSERT_TRUE(large);
    const ByteSlice piece = bytes.sub(0, model::kPieceBytes);
    ASSERT_TRUE((*large)->append(piece, hash::block_digests(id, 0, piece.view())));
    fs_.await_hit();  // Else it may be given up before anything of it is written.
  }  // Whoever sent it has given it up.
  auto other = engine_->start_large_put({make_id(3), 1, real_clock().now(), {}}, 8 << 20);
  ASSERT_TRUE(other);
  ASSERT_TRUE(engine_->compact_once());
  put_some(100, 180, kSmall);  // The log goes on in what is free.
  for (uint64_t n = 100; n < 180; ++n) ASSERT_TRUE(verify(*engine_, make_id(n), kSmall)) << n;
  fs_.clear();
  other->reset();
  ASSERT_TRUE(put(*engine_, make_id(4), 1 << 20));  // Behind what was queued.
  for (uint64_t n = 100; n < 180; ++n) EXPECT_TRUE(verify(*engine_, make_id(n), kSmall)) << n;
}

// The log is prepared with zeros ahead of what is written. It may roll while they are on their way:
// when the next batch does not fit behind what is prepared, and a segment is free that needs no
// preparation.
TEST_F(EngineDamage, ZerosThatPrepareALogNeverReachASegmentThatIsUsedAgain) {
  constexpr uint64_t kPrepared = 4096 + (12 << 20);
  put_some(0, 63, kSmall);  // The first log is full.
  fs_.set({Operation::kWrite, Fault::kHang, "00000001.seg", kPrepared, UINT64_MAX, Handle::kPlain});
  put_some(100, 144, kSmall);
  fs_.await_hit();
  put_some(2000, 2004, kLarge);  // Three in the third segment, one in the fourth.
  remove_some(0, 63);
  remove_some(2000, 2003);
  compact(3);  // The first and the third are free, and were written before.
  uint64_t n = 1000;
  while (fs_.log_end() < kPrepared - 4096) ASSERT_TRUE(put(*engine_, make_id(n++), 100));
  const size_t log =
      fs_.add({Operation::kWrite, Fault::kHang, "", 0, UINT64_MAX, Handle::kDurable});
  std::vector<Waiter<void>> waiting(17);
  for (uint64_t i = 0; i < waiting.size(); ++i) {  // One alone, the others in a batch behind it.
    const size_t size = i == 0 ? 100 : kSmall;
    const ByteSlice bytes = make_bytes(make_id(200 + i), size);
    engine_->put_async({make_id(200 + i), 1, real_clock().now(), {}}, bytes,
                       hash::block_digests(make_id(200 + i), 0, bytes.view()),
                       waiting[i].callback());
    while (i == 0 && engine_->status().queue_bytes > 0) std::this_thread::yield();
  }
  fs_.lift(log);
  for (auto& waiter : waiting) ASSERT_TRUE(waiter.wait());
  remove_some(100, 144);
  remove_some(1000, n);
  ASSERT_TRUE(remove(*engine_, make_id(200), 0s));
  compact(3);  // Nothing is left in the second log.
  put_some(300, 400, kSmall);
  fs_.clear();
  open();  // Waits for the preparer.
  for (uint64_t i = 300; i < 400; ++i) EXPECT_TRUE(verify(*engine_, make_id(i), kSmall)) << i;
  for (uint64_t i = 1; i < waiting.size(); ++i) {
    EXPECT_TRUE(verify(*engine_, make_id(200 + i), kSmall)) << i;
  }
}

// --- The index.

TEST_F(EngineDamage, ALargeBlobThatWasMovedSurvivesTheLossOfTheIndex) {
  put_some(1, 4, kLarge);
  put_some(1000, 1070, kSmall);  // The log of these records stays: it is never compacted.
  put_some(4, 5, kLarge);        // The segment of the first three is sealed.
  remove_some(2, 4);
  compact(5);  // Blob 1 moves; the record of that is in a later log.
  put_some(5, 6, kLarge);
  uint64_t m = 5000;
  for (int round = 0; round < 6; ++round) {  // Later logs and freed segments are used again.
    const uint64_t first = m;
    put_some(m, m + 70, kSmall);
    put_some(m + 70, m + 74, kLarge);
    m += 74;
    remove_some(first, m);
    compact(5);
  }
  ASSERT_TRUE(verify(*engine_, make_id(1), kLarge));
  engine_.reset();
  std::filesystem::remove_all(folder_.path() + "/index");
  open();
  EXPECT_TRUE(verify(*engine_, make_id(1000), kSmall));
  EXPECT_TRUE(verify(*engine_, make_id(1), kLarge)) << "its bytes are on the disk";
}

// What is in no segment that is used is gone, and what was said about the rest in a log that is
// free by now holds.
TEST_F(EngineDamage, WhatLayInAFreedSegmentDoesNotComeBackWithANewIndex) {
  constexpr uint64_t kRemoved = 30;
  put_some(1, 60, kSmall);  // The first log stays.
  put_some(2000, 2040, kSmall);
  ASSERT_TRUE(remove(*engine_, make_id(kRemoved), 1h));  // Said in the second log.
  put_some(2040, 2070, kSmall);
  put_some(3000, 3070, kSmall);
  put_some(5000, 5004, kLarge);  // Three in the first segment of their kind.
  remove_some(2000, 2070);
  remove_some(5000, 5004);
  put_some(5004, 5008, kLarge);
  compact(6);
  for (const bool at_once : {true, false}) {
    engine_.reset();
    if (!at_once) open();  // Freed segments are known as such after a restart.
    engine_.reset();
    std::filesystem::remove_all(folder_.path() + "/index");
    open();
    for (uint64_t n = 2004; n < 2060; ++n) EXPECT_FALSE(engine_->read(make_id(n), 0, 1)) << n;
    for (uint64_t n = 5000; n < 5003; ++n) EXPECT_FALSE(engine_->read(make_id(n), 0, 1)) << n;
    for (uint64_t n = 1; n < 60; ++n) EXPECT_TRUE(verify(*engine_, make_id(n), kSmall)) << n;
    for (uint64_t n = 3000; n < 3070; ++n) EXPECT_TRUE(verify(*engine_, make_id(n), kSmall)) << n;
    for (uint64_t n = 5004; n < 5008; ++n) EXPECT_TRUE(verify(*engine_, make_id(n), kLarge)) << n;
    const auto live = engine_->list(0, UINT64_MAX, {}, 100'000).value();
    EXPECT_FALSE(std::ranges::any_of(
        live, [](const BlobEntry& blob) { return blob.id == make_id(kRemoved) && !blob.trashed; }));
  }
}

// What was ordered stands in a log by itself, the copies in one that stays. Its segment is used
// again and again, by the log and by extents, before the index is lost.
TEST_F(EngineDamage, WhatWasOrderedHoldsWithANewIndexAfterItsLogIsUsedAgain) {
  enum : uint64_t {
    kRemoved = 10,
    kRestored,
    kRestoredUnordered,
    kTakenOver,
    kPurged,
    kDropped,
    kAbsent = 900
  };

  const auto owner = model::DiskId::random();
  put_some(1, 9, kSmall);
  ASSERT_TRUE(put(*engine_, make_id(kTakenOver), kSmall, owner));
  for (const uint64_t n : {kRemoved, kRestored, kRestoredUnordered, kPurged, kDropped}) {
    ASSERT_TRUE(put(*engine_, make_id(n), kSmall));
  }
  ASSERT_TRUE(remove(*engine_, make_id(kRestored), {5, 1h}));
  ASSERT_TRUE(remove(*engine_, make_id(kRestoredUnordered), {0, 1h}));
  put_some(20, 80, kSmall);
  ASSERT_TRUE(remove(*engine_, make_id(kRemoved), {7, 1h}));
  ASSERT_TRUE(engine_->restore({make_id(kRestored)}, 6));
  ASSERT_TRUE(engine_->restore({make_id(kRestoredUnordered)}, 0));
  ASSERT_TRUE(engine_->set_handoff(make_id(kTakenOver), {}));
  ASSERT_TRUE(remove(*engine_, make_id(kPurged), {8, 0s}));
  ASSERT_TRUE(remove(*engine_, make_id(kDropped), {.trash = 1h, .copy_only = true}));
  ASSERT_TRUE(remove(*engine_, make_id(kAbsent), {9, 1h, true}));
  uint64_t n = 1000;
  for (int round = 0; round < 4; ++round) {
    const uint64_t first = n;
    put_some(n, n + 70, kSmall);
    put_some(n + 70, n + 74, kLarge);
    n += 74;
    remove_some(first, n);
    compact(4);
  }
  engine_.reset();
  std::filesystem::remove_all(folder_.path() + "/index");
  open();

  const auto live = [this](uint64_t number) {
    const auto found = engine_->stat(make_id(number));
    return found && !found->trashed;
  };
  EXPECT_FALSE(live(kRemoved));
  EXPECT_EQ(engine_->removal_of(make_id(kRemoved)).value(), 7u);
  EXPECT_FALSE(live(kPurged));
  EXPECT_FALSE(live(kDropped));
  EXPECT_EQ(engine_->removal_of(make_id(kAbsent)).value(), 9u);
  EXPECT_TRUE(live(kRestored));
  EXPECT_EQ(remove(*engine_, make_id(kRestored), {5, 1h}).value(), 0u)
      << "it was restored by a higher order";
  EXPECT_TRUE(live(kRestoredUnordered));
  EXPECT_TRUE(live(kTakenOver));
  EXPECT_TRUE(engine_->stat(make_id(kTakenOver))->handoff_for.is_zero());
  for (uint64_t i = 1; i < 9; ++i) EXPECT_TRUE(verify(*engine_, make_id(i), kSmall)) << i;
}

// A log that is full of orders which still hold is not worth writing anew: it stays until they are
// over.
TEST_F(EngineDamage, ALogFullOfOrdersStaysUntilTheyAreOver) {
  std::vector<model::BlobId> ids;
  for (uint64_t n = 0; n < 100'000; ++n) ids.push_back(make_id(1'000'000 + n));
  Waiter<uint64_t> removed;
  engine_->remove_async(ids, {1, 1h, true}, removed.callback());
  ASSERT_TRUE(removed.wait());
  put_some(1, 80, kSmall);
  remove_some(1, 20);  // Those that lie in the same log.
  const auto kind = [this] {
    std::vector<std::byte> block(segment::kBlock);
    EXPECT_TRUE(disk_.open(kFirstSegment, {}).value()->read_at(0, block));
    return segment::decode_segment_header(block)->kind;
  };
  const uint64_t written = fs_.log_end();
  compact(5);
  EXPECT_EQ(kind(), segment::SegmentKind::kLog);
  EXPECT_EQ(fs_.log_end(), written) << "the log has grown";
}

// Small memtables, and copies that one family of the index holds more of: a crash leaves one behind
// the other.
TEST_F(EngineDamage, AfterACrashTheJournalTellsAllThatWasAcknowledged) {
  std::mt19937_64 random(7);
  std::vector<model::BlobId> told;
  uint64_t next = 1;
  for (int crash = 0; crash < 4; ++crash) {
    engine_.reset();
    auto chosen = options();
    chosen.lose_unflushed_index = true;
    chosen.memtable_bytes = 64 << 10;
    auto opened = Engine::open(fs_, chosen);
    ASSERT_TRUE(opened) << opened.error().message;
    engine_ = std::move(*opened);
    std::vector<model::BlobId> found;
    for (JournalToken token = 0;;) {
      const auto page = engine_->journal_after(token, 1000).value();
      for (const JournalEntry& entry : page.entries) found.push_back(entry.blob.id);
      if (page.entries.empty()) break;
      token = page.next;
    }
    EXPECT_TRUE(found == told) << found.size() << " and " << told.size();
    for (const model::BlobId& id : told) ASSERT_TRUE(engine_->stat(id)) << id.to_hex();
    for (int step = 0; step < 600; ++step) {
      const auto owner = random() % 3 != 0 ? model::DiskId::random() : model::DiskId{};
      ASSERT_TRUE(put(*engine_, make_id(next), 10, owner));
      told.push_back(make_id(next++));
    }
  }
}

// Random puts, removals and compaction; then the index is lost: what is stored is read, and nothing
// is listed that is not there.
TEST_F(EngineDamage, EveryBlobSurvivesTheLossOfTheIndex) {
  const char* given = std::getenv("RONDEL_SEED");
  const uint64_t seed =
      given == nullptr ? std::random_device{}() : std::strtoull(given, nullptr, 10);
  SCOPED_TRACE("RONDEL_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::map<uint64_t, size_t> stored;
  uint64_t next = 1;
  for (int loss = 0; loss < 3; ++loss) {
    for (int step = 0; step < 150; ++step) {
      const uint64_t choice = random() % 10;
      if (choice < 5 || stored.size() < 8) {
        const size_t size =
            random() % 2 == 0 ? 1 + random() % kSmall : kSmall + 1 + random() % (kLarge - kSmall);
        if (put(*engine_, make_id(next), size)) stored[next] = size;
        ++next;
      } else if (choice < 9) {
        auto chosen = stored.lower_bound(random() % next);
        if (chosen == stored.end()) continue;
        ASSERT_TRUE(remove(*engine_, make_id(chosen->first), 0s));
        stored.erase(chosen);
      } else {
        compact(3);
      }
    }
    engine_.reset();
    std::filesystem::remove_all(folder_.path() + "/index");
    open();
    for (const auto& [n, size] : stored) ASSERT_TRUE(verify(*engine_, make_id(n), size)) << n;
    for (const BlobEntry& blob : engine_->list(0, UINT64_MAX, {}, 100'000).value()) {
      EXPECT_TRUE(engine_->read(blob.id, 0, blob.length)) << blob.id.to_hex();
    }
  }
}

TEST_F(EngineDamage, RotInATableOfTheIndexDoesNotCostTheDisk) {
  fill_tables();
  engine_.reset();
  ASSERT_GT(flip_bits_in_tables(folder_.path() + "/index"), 0u);
  for (int round = 0; round < 2; ++round) {
    open();
    for (uint64_t n = 0; n < 20'000; n += 97) EXPECT_TRUE(verify(*engine_, make_id(n), 64)) << n;
    EXPECT_EQ(engine_->doubts(), 1u);
  }
}

// Rot that is met while the disk serves: reads go on where they can, and the next round of
// maintenance makes the index again.
TEST_F(EngineDamage, RotInTheIndexIsMendedWhileTheDiskServes) {
  fill_tables();
  ASSERT_TRUE(engine_->put_setting("catch-up/x", "17"));
  open();
  for (uint64_t damage = 1; damage <= 2; ++damage) {
    const std::string folder = folder_.path() + "/index" + (damage == 1 ? "" : ".rebuilt-1");
    ASSERT_GT(flip_bits_in_tables(folder), 0u);
    size_t read = 0;
    size_t not_read = 0;
    for (uint64_t n = 0; n < 20'000; ++n) {
      const auto done = verify(*engine_, make_id(n), 64);
      ++(done ? read : not_read);
      if (!done) ASSERT_EQ(done.error().code, ErrorCode::kUnavailable) << done.error().message;
    }
    EXPECT_GT(read, not_read);
    ASSERT_GT(not_read, 0u);
    EXPECT_EQ(engine_->status().state, DiskState::kReadOnly);
    EXPECT_EQ(put(*engine_, make_id(30'000 + damage), 64).error().code, ErrorCode::kUnavailable);
    ASSERT_TRUE(engine_->compact_once());
    EXPECT_EQ(engine_->status().state, DiskState::kOnline);
    EXPECT_EQ(engine_->status().blobs, 20'000u + damage - 1);
    EXPECT_EQ(engine_->doubts(), damage);
    EXPECT_EQ(engine_->get_setting("catch-up/x").value(), "17");
    EXPECT_TRUE(engine_->list_damaged(10).empty()) << "the blobs are well";
    ASSERT_TRUE(put(*engine_, make_id(30'000 + damage), 64));
    for (uint64_t n = 0; n < 20'000; n += 97) EXPECT_TRUE(verify(*engine_, make_id(n), 64)) << n;
  }
  const uint64_t live = engine_->status().live_bytes;
  open();
  EXPECT_EQ(engine_->status().live_bytes, live);
  EXPECT_EQ(engine_->doubts(), 2u);
  EXPECT_EQ(engine_->get_setting("catch-up/x").value(), "17");
  EXPECT_TRUE(verify(*engine_, make_id(30'001), 64));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/index.rebuilt-1"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/index.rebuilt-2"));
}

// The log with the puts stays, that with the orders is emptied and used again: then only the index
// that is damaged knows them.
TEST_F(EngineDamage, AnIndexThatIsMadeAgainWhileTheDiskServesKeepsOrders) {
  constexpr uint64_t kPurged = 60'000, kTrashed = 61'000, kRestored = 62'000, kEach = 20;
  for (const uint64_t first : {kPurged, kTrashed, kRestored}) put_some(first, first + kEach, 64);
  for (uint64_t n = 0; n < kEach; ++n) {
    ASSERT_TRUE(remove(*engine_, make_id(kRestored + n), {5, 1h, true}));
  }
  fill_tables();
  put_some(70'000, 70'060, kSmall);
  for (uint64_t n = 0; n < kEach; ++n) {
    ASSERT_TRUE(remove(*engine_, make_id(kPurged + n), {5, 0s, true}));
    ASSERT_TRUE(remove(*engine_, make_id(kTrashed + n), {5, 1h, true}));
    ASSERT_TRUE(engine_->restore({make_id(kRestored + n)}, 7));
  }
  uint64_t m = 80'000;
  for (int round = 0; round < 8; ++round) {
    put_some(m, m + 70, kSmall);
    remove_some(m, m + 70);
    m += 70;
    compact(5);
  }
  open();
  ASSERT_GT(flip_bits_in_tables(folder_.path() + "/index"), 0u);
  for (uint64_t n = 0; n < 20'000; ++n) (void)verify(*engine_, make_id(n), 64);
  ASSERT_EQ(engine_->status().state, DiskState::kReadOnly);
  ASSERT_TRUE(engine_->compact_once());
  ASSERT_EQ(engine_->status().state, DiskState::kOnline);

  uint64_t purged = 0, trashed = 0, restored = 0;
  for (uint64_t n = 0; n < kEach; ++n) {
    purged += engine_->removal_of(make_id(kPurged + n)).value_or(0) == 5;
    trashed += engine_->removal_of(make_id(kTrashed + n)).value_or(0) == 5;
    const auto entry = engine_->stat(make_id(kRestored + n));
    restored += entry && !entry->trashed && entry->order == 7;
  }
  EXPECT_EQ(purged, kEach) << "their marks can be read";
  // What lies in a damaged block is not known.
  EXPECT_GE(trashed, kEach - 4);
  EXPECT_GE(restored, kEach - 4);
}

TEST_F(EngineDamage, AnIndexThatIsMadeAgainKnowsWhatWasBeingWritten) {
  fill_tables();
  open();
  put_some(40'000, 40'010, kLarge);
  auto unfinished =
      engine_->start_large_put({make_id(50'000), 1, real_clock().now(), {}}, kLarge).value();
  ASSERT_GT(flip_bits_in_tables(folder_.path() + "/index"), 0u);
  for (uint64_t n = 0; n < 20'000; ++n) (void)verify(*engine_, make_id(n), 64);
  ASSERT_TRUE(engine_->compact_once());
  const ByteSlice bytes = make_bytes(make_id(50'000), kLarge);
  for (size_t at = 0; at < kLarge; at += model::kPieceBytes) {
    const ByteSlice piece = bytes.sub(at, model::kPieceBytes);
    ASSERT_TRUE(unfinished->append(
        piece, hash::block_digests(make_id(50'000), static_cast<uint32_t>(at / model::kBlockBytes),
                                   piece.view())));
  }
  Waiter<void> waiter;
  unfinished->finish_async(hash::blob_digest(hash::block_digests(make_id(50'000), 0, bytes.view())),
                           waiter.callback());
  ASSERT_TRUE(waiter.wait());
  remove_some(40'000, 40'005);
  compact(10);
  open();
  EXPECT_TRUE(verify(*engine_, make_id(50'000), kLarge));
  for (uint64_t n = 40'005; n < 40'010; ++n) EXPECT_TRUE(verify(*engine_, make_id(n), kLarge)) << n;
}

// --- Logs and headers.

TEST_F(EngineDamage, AnUnreadableSectorInALogCostsWhatItHolds) {
  put_some(0, 20, kSmall);
  open(true);
  put_some(20, 40, kSmall);
  engine_.reset();  // A crash: the log is read again.
  const auto [path, at] = place_of(30, kSmall);
  fs_.set({Operation::kRead, Fault::kError, path, at, at + 512});
  open();
  EXPECT_GT(engine_->doubts(), 0u);
  EXPECT_GT(engine_->status().corrupt_reads, 0u);
  for (uint64_t n = 0; n < 40; ++n) {
    if (n != 30) EXPECT_TRUE(verify(*engine_, make_id(n), kSmall)) << n;
  }
  EXPECT_FALSE(verify(*engine_, make_id(30), kSmall));
  ASSERT_TRUE(put(*engine_, make_id(30), kSmall));
  EXPECT_TRUE(verify(*engine_, make_id(30), kSmall));
}

TEST_F(EngineDamage, AHeaderOfASegmentThatIsGoneCostsNothing) {
  put_some(0, 70, kSmall);     // Two logs,
  put_some(100, 105, kLarge);  // two segments of extents.
  const auto segments = disk_.list("/disk/segments").value();
  ASSERT_GE(segments.size(), 4u);
  for (const bool lose_index : {false, true}) {
    for (const Fault fault : {Fault::kError, Fault::kZeros, Fault::kFlip, Fault::kShort}) {
      for (const std::string& name : segments) {
        SCOPED_TRACE(name + " fault " + std::to_string(static_cast<int>(fault)) +
                     (lose_index ? " without index" : ""));
        engine_.reset();
        if (lose_index) std::filesystem::remove_all(folder_.path() + "/index");
        fs_.set({Operation::kRead, fault, name, 17, 4096});
        if (fault == Fault::kZeros) fs_.set({Operation::kRead, fault, name, 0, 4096});
        open();
        EXPECT_GT(fs_.hits(), 0u);
        for (uint64_t n = 0; n < 70; ++n) EXPECT_TRUE(verify(*engine_, make_id(n), kSmall)) << n;
        for (uint64_t n = 100; n < 105; ++n) EXPECT_TRUE(verify(*engine_, make_id(n), kLarge)) << n;
        fs_.clear();
      }
    }
  }
}

// What was acknowledged and not in the index's tables when the power went lies behind a header that
// cannot be read.
TEST_F(EngineDamage, BatchesBehindALostHeaderAreReplayed) {
  open(true);
  put_some(0, 10, 5000);
  engine_.reset();
  fs_.set({Operation::kRead, Fault::kError, kFirstSegment, 0, 4096});
  open();
  for (uint64_t n = 0; n < 10; ++n) EXPECT_TRUE(verify(*engine_, make_id(n), 5000)) << n;
  EXPECT_GT(engine_->doubts(), 0u);
}

// Made and not yet allocated when the power went: it must not run out of space in the middle of a
// record.
TEST_F(EngineDamage, ASegmentThatIsTooShortIsAllocatedBeforeItIsWritten) {
  engine_.reset();
  {
    auto made = disk_.open(kFirstSegment, {.create = true, .writable = true}).value();
  }
  disk_.set_capacity(12ull << 20);  // Less than a segment.
  open();
  EXPECT_EQ(put(*engine_, make_id(1), 1000).error().code, ErrorCode::kStorageFull);
  EXPECT_NE(engine_->status().state, DiskState::kReadOnly);
  disk_.set_capacity(1ull << 40);
  ASSERT_TRUE(engine_->compact_once());
  ASSERT_TRUE(put(*engine_, make_id(1), 1000));
  EXPECT_EQ(disk_.open(kFirstSegment, {}).value()->size().value(), options().segment_bytes);
}

TEST_F(EngineDamage, OneSuperblockIsEnough) {
  ASSERT_TRUE(put(*engine_, make_id(1), 1000));
  const auto disk = engine_->disk_id();
  for (const std::string file : {"/disk/superblock", "/disk/superblock.copy"}) {
    engine_.reset();
    disk_.flip_bit(file, 20, 1);
    open();
    EXPECT_EQ(engine_->disk_id(), disk);
    EXPECT_TRUE(verify(*engine_, make_id(1), 1000));
    engine_.reset();
    disk_.flip_bit(file, 20, 1);
  }
}

TEST_F(EngineDamage, SegmentsWithoutASuperblockAreNotANewDisk) {
  ASSERT_TRUE(put(*engine_, make_id(1), 1000));
  engine_.reset();
  ASSERT_TRUE(disk_.remove("/disk/superblock") && disk_.remove("/disk/superblock.copy"));
  const auto opened = Engine::open(fs_, options());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kCorruption);
}

// Sectors are one thing, a disk that gives nothing at all another: nothing may follow from what was
// not found on it.
TEST_F(EngineDamage, ADiskThatGivesNothingIsNotEmpty) {
  put_some(0, 10, 5000);
  engine_.reset();
  std::filesystem::remove_all(folder_.path() + "/index");
  fs_.set({Operation::kRead, Fault::kError, "/disk/", 0, UINT64_MAX});
  EXPECT_FALSE(Engine::open(fs_, options()));
  fs_.set({Operation::kRead, Fault::kError, ".seg", 0, UINT64_MAX});
  {
    const auto opened = Engine::open(fs_, options());
  }
  fs_.clear();
  open();
  for (uint64_t n = 0; n < 10; ++n) {
    EXPECT_TRUE(verify(*engine_, make_id(n), 5000) || engine_->doubts() > 0) << n;
  }
}

// --- What is found damaged is remembered until it is replaced.

TEST_F(EngineDamage, WhatIsDamagedIsRememberedAcrossRestartsAndTheLossOfTheIndex) {
  put_some(1, 5, 5000);
  const auto [path, at] = place_of(2, 5000);
  disk_.flip_bit(path, at + 100, 1);
  EXPECT_EQ(verify(*engine_, make_id(2), 5000).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(engine_->status().damaged_blobs, 1u);
  engine_.reset();
  disk_.restart();  // The power goes.
  open();
  EXPECT_EQ(listed(), std::set{make_id(2)});
  engine_.reset();
  std::filesystem::remove_all(folder_.path() + "/index");
  disk_.flip_bit(path, at + 100, 1);  // (Or the log would not have it.)
  open();
  EXPECT_EQ(listed(), std::set{make_id(2)});
  ASSERT_TRUE(put(*engine_, make_id(2), 5000));
  EXPECT_TRUE(listed().empty());
  ASSERT_TRUE(engine_->compact_once());
  open();
  EXPECT_TRUE(listed().empty());
  EXPECT_TRUE(verify(*engine_, make_id(2), 5000));
}

TEST_F(EngineDamage, ARewriteThatIsRefusedIsNotTakenForOneThatWasDone) {
  put_some(0, 60, kSmall);
  const auto [path, at] = place_of(3, kSmall);
  disk_.flip_bit(path, at + 100, 1);
  EXPECT_FALSE(verify(*engine_, make_id(3), kSmall));
  fs_.set({Operation::kAllocate, Fault::kFull, ".seg"});
  uint64_t n = 100;
  while (put(*engine_, make_id(n), kSmall)) {
    ++n;
  }  // The log is full and there is no other segment.
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(put(*engine_, make_id(3), kSmall).error().code, ErrorCode::kStorageFull);
  }
  EXPECT_EQ(listed(), std::set{make_id(3)});
  fs_.clear();
  ASSERT_TRUE(engine_->compact_once());
  ASSERT_TRUE(put(*engine_, make_id(3), kSmall));
  EXPECT_TRUE(verify(*engine_, make_id(3), kSmall)) << "acknowledged as if it were there";
  EXPECT_TRUE(listed().empty());
}

TEST_F(EngineDamage, TheListIsAskedForInTurn) {
  put_some(0, 10, 5000);
  fs_.set({Operation::kRead, Fault::kError, ".seg", 0, UINT64_MAX});
  for (uint64_t n = 0; n < 10; ++n) EXPECT_FALSE(verify(*engine_, make_id(n), 5000));
  fs_.clear();
  std::set<model::BlobId> seen;
  for (int i = 0; i < 4; ++i) {
    for (const BlobEntry& blob : engine_->list_damaged(3)) seen.insert(blob.id);
  }
  EXPECT_EQ(seen.size(), 10u) << "blobs that nobody can replace must not hide the others";
}

// --- Compaction.

TEST_F(EngineDamage, AnUnreadableSectorDoesNotStopCompaction) {
  put_some(0, 130, kSmall);  // Two logs and a part of a third.
  remove_some(0, 56);        // The first is nearly empty,
  remove_some(70, 110);      // the second more than half.
  const auto [path, at] = place_of(58, kSmall);
  ASSERT_EQ(path, kFirstSegment);
  fs_.set({Operation::kRead, Fault::kError, path, at, at + 512});
  const auto before = engine_->status();
  compact(20);
  const auto after = engine_->status();
  EXPECT_LT(after.segments_sealed, before.segments_sealed) << "the second log is given back";
  EXPECT_EQ(listed(), std::set{make_id(58)}) << "counted, and mended by whoever asks for the list";
  EXPECT_GT(after.corrupt_reads, before.corrupt_reads);
  for (uint64_t n = 56; n < 62; ++n) {
    if (n != 58) EXPECT_TRUE(verify(*engine_, make_id(n), kSmall)) << n;
  }
  ASSERT_TRUE(put(*engine_, make_id(58), kSmall));
  ASSERT_TRUE(engine_->compact_once());
  EXPECT_TRUE(verify(*engine_, make_id(58), kSmall));
  EXPECT_LT(engine_->status().segments_sealed, after.segments_sealed)
      << "the first one too, once nothing is left in it";
}

// A batch whose head is damaged still holds records that can be read one by one.
TEST_F(EngineDamage, CompactionMovesWhatAnIndexEntryStillFinds) {
  put_some(0, 70, kSmall);
  remove_some(0, 50);
  const auto [path, at] = place_of(55, kSmall);
  const uint64_t batch = (at - 128 - 8ull * 4) / 4096 * 4096;
  disk_.flip_bit(path, batch + 1, 0);
  compact(3);
  EXPECT_TRUE(listed().empty());
  for (uint64_t n = 50; n < 70; ++n) EXPECT_TRUE(verify(*engine_, make_id(n), kSmall)) << n;
  EXPECT_EQ(engine_->status().segments_free, 19u) << "the first log is given back";
}

TEST_F(EngineDamage, CompactionGoesOnBehindADamagedExtent) {
  put_some(0, 6, kLarge);  // Three to a segment.
  remove_some(1, 2);
  uint64_t next = 10;

  struct Case {
    const char* what;
    uint64_t offset;  // From the first byte of blob 0, whose header lies before it.
  };

  for (const auto& [what, offset] :
       {Case{"header", 0}, Case{"bytes", 4096 + 70'000}, Case{"trailer", 4096 + kLarge}}) {
    SCOPED_TRACE(what);
    const auto [path, at] = place_of(0, kLarge);
    fs_.set({Operation::kRead, Fault::kError, path, at - 4096 + offset, at - 4096 + offset + 512});
    compact(3);
    EXPECT_TRUE(verify(*engine_, make_id(2), kLarge));
    const bool lost = !verify(*engine_, make_id(0), kLarge);
    EXPECT_EQ(lost, !listed().empty());
    EXPECT_EQ(lost, offset != 0) << "the header is not needed";
    fs_.clear();
    if (lost) ASSERT_TRUE(put(*engine_, make_id(0), kLarge));
    EXPECT_TRUE(listed().empty());
    compact(3);
    // As before: a sealed segment with blob 0, a removed one and blob 2. (What was removed does not
    // come back.)
    put_some(next, next + 7, kLarge);
    remove_some(next, next + 7);
    next += 7;
  }
}

}  // namespace
}  // namespace rondel::engine
