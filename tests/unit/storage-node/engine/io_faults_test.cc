// Every call to the disk, with every fault: what is lost is told, what is not concerned is read,
// and nothing that others wait for hangs.
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <thread>

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

constexpr size_t kSmall = 80'000;
constexpr size_t kLarge = 300 << 10;
constexpr uint64_t kBlobs = 16;

// Blobs: even ones are small, odd ones large.
size_t size_of(uint64_t n) { return n % 2 == 0 ? kSmall : kLarge; }

class IoFaults : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(disk_->make_directory("/disk")); }

  void TearDown() override {
    fs_->clear();
    engine_.reset();
  }

  EngineOptions options() {
    auto made = small_options(folder_->path() + "/index");
    made.clock = &clock_;
    return made;
  }

  bool open(bool forgetful = false) {
    engine_.reset();
    auto chosen = options();
    chosen.lose_unflushed_index = forgetful;
    auto opened = Engine::open(*fs_, chosen);
    if (!opened) return false;
    engine_ = std::move(*opened);
    return true;
  }

  // A disk of its own for each case.
  void begin_anew() {
    fs_->clear();
    engine_.reset();
    folder_ = std::make_unique<TemporaryFolder>();
    fs_.reset();
    disk_ = std::make_unique<fs::SimulatedFileSystem>(1);
    fs_ = std::make_unique<fakes::FaultyFileSystem>(*disk_);
    ASSERT_TRUE(disk_->make_directory("/disk"));
  }

  // The first half is in the tables of the index, the second in its memory alone.
  void fill() {
    ASSERT_TRUE(open());
    for (uint64_t n = 0; n < kBlobs / 2; ++n) ASSERT_TRUE(put(*engine_, make_id(n), size_of(n)));
    ASSERT_TRUE(open(true));
    for (uint64_t n = kBlobs / 2; n < kBlobs; ++n) {
      ASSERT_TRUE(put(*engine_, make_id(n), size_of(n)));
    }
  }

  // Where a blob lies: path and offset of its first byte.
  std::pair<std::string, uint64_t> place_of(uint64_t n) {
    const auto bytes = make_bytes(make_id(n), size_of(n));
    for (const std::string& name : disk_->list("/disk/segments").value()) {
      const std::string path = "/disk/segments/" + name;
      auto file = disk_->open(path, {}).value();
      std::string text(file->size().value(), '\0');
      EXPECT_TRUE(file->read_at(0, {reinterpret_cast<std::byte*>(text.data()), text.size()}));
      const size_t at = text.find(as_text(bytes.view().first(64)));
      if (at != std::string::npos) return {path, at};
    }
    return {};
  }

  bool is_listed(uint64_t n) {
    for (const BlobEntry& blob : engine_->list_damaged(1000)) {
      if (blob.id == make_id(n)) return true;
    }
    return false;
  }

  fakes::ManualClock clock_{real_clock().now()};
  std::unique_ptr<TemporaryFolder> folder_ = std::make_unique<TemporaryFolder>();
  std::unique_ptr<fs::SimulatedFileSystem> disk_ = std::make_unique<fs::SimulatedFileSystem>(1);
  std::unique_ptr<fakes::FaultyFileSystem> fs_ = std::make_unique<fakes::FaultyFileSystem>(*disk_);
  std::unique_ptr<Engine> engine_;
};

// --- Reads.

struct ReadSite {
  const char* what;
  uint64_t blob;   // The one whose bytes are concerned.
  int64_t offset;  // Of the damage, from the blob's first byte.
  uint64_t bytes;
};

// Structures around a small blob (in a batch of its own) and around a large one.
constexpr ReadSite kReadSites[] = {
    {"batch header, in the index", 4, -224, 64},
    {"record header, in the index", 4, -160, 64},
    {"bytes of a record, in the index", 4, 70'000, 512},
    {"batch header, not in the index", 10, -224, 64},
    {"record header, not in the index", 10, -160, 64},
    {"bytes of a record, not in the index", 10, 70'000, 512},
    {"last batch of the log", 14, -224, 64},
    {"bytes of the last batch", 14, 1000, 512},
    {"extent header, in the index", 5, -4096, 128},
    {"bytes of an extent", 5, 70'000, 512},
    {"extent trailer, in the index", 5, kLarge, 128},
    {"extent header, not in the index", 11, -4096, 128},
    {"extent trailer, not in the index", 11, kLarge, 128},
};

// After a crash, after the loss of the index, and by compaction.
enum class When { kReplay, kRebuild, kCompaction };

TEST_F(IoFaults, WhatCannotBeReadCostsWhatItHoldsAndIsTold) {
  for (const When when : {When::kReplay, When::kRebuild, When::kCompaction}) {
    for (const ReadSite& site : kReadSites) {
      for (const Fault fault : {Fault::kError, Fault::kZeros, Fault::kFlip, Fault::kShort}) {
        // Other bytes than were written are one thing to the reader: all kinds of them once is
        // enough.
        if (when != When::kReplay && (fault == Fault::kZeros || fault == Fault::kShort)) continue;
        SCOPED_TRACE(std::string(site.what) + ", fault " + std::to_string(static_cast<int>(fault)) +
                     ", when " + std::to_string(static_cast<int>(when)));
        begin_anew();
        fill();
        const auto [path, at] = place_of(site.blob);
        ASSERT_FALSE(path.empty());
        const uint64_t from = at + static_cast<uint64_t>(site.offset);
        if (when == When::kCompaction) {
          for (uint64_t n = 0; n < kBlobs; ++n) {
            if (n != site.blob && n % 4 < 2) ASSERT_TRUE(remove(*engine_, make_id(n), 0s));
          }
          ASSERT_TRUE(open());
        }
        engine_.reset();
        if (when == When::kRebuild) std::filesystem::remove_all(folder_->path() + "/index");
        fs_->set({Operation::kRead, fault, path, from, from + site.bytes});
        ASSERT_TRUE(open());
        clock_.advance(1s);
        if (when == When::kCompaction) {
          for (int i = 0; i < 6; ++i) (void)engine_->compact_once();
        }
        if (const auto read = verify(*engine_, make_id(site.blob), size_of(site.blob)); !read) {
          EXPECT_TRUE(is_listed(site.blob) || engine_->doubts() > 0)
              << "lost in silence: " << read.error().message;
        }
        // Compaction may have moved others to the place; what is written anew can be read.
        if (when == When::kCompaction) fs_->clear();
        for (uint64_t n = 0; n < kBlobs; ++n) {
          const bool stored = when != When::kCompaction || n % 4 >= 2;
          if (!stored || n == site.blob) continue;
          const auto read = verify(*engine_, make_id(n), size_of(n));
          EXPECT_TRUE(read) << "blob " << n << " is not concerned: " << read.error().message;
        }
        // A new copy takes its place, whatever was found.
        fs_->clear();
        ASSERT_TRUE(put(*engine_, make_id(site.blob), size_of(site.blob)));
        EXPECT_TRUE(verify(*engine_, make_id(site.blob), size_of(site.blob)));
        EXPECT_FALSE(is_listed(site.blob));
      }
    }
  }
}

TEST_F(IoFaults, WhatTheFileSystemRefusesWhileADiskIsOpenedIsAnErrorOrCostsNothing) {
  const FaultRule rules[] = {
      {Operation::kList, Fault::kError, "segments"},
      {Operation::kOpen, Fault::kError, "00000000.seg"},
      {Operation::kSize, Fault::kError, ".seg"},
      {Operation::kSpace, Fault::kError, ""},
      {Operation::kOpen, Fault::kError, "superblock.copy"},
      {Operation::kRead, Fault::kError, "/damaged"},
      {Operation::kOpen, Fault::kError, "/damaged"},
  };
  for (const FaultRule& rule : rules) {
    SCOPED_TRACE("operation " + std::to_string(static_cast<int>(rule.operation)) + " of " +
                 rule.path);
    begin_anew();
    fill();
    fs_->set(rule);
    const bool opened = open();
    fs_->clear();
    // A segment that cannot be opened holds what it held; nothing is written over it.
    if (opened) {
      for (uint64_t n = 100; n < 130; ++n) (void)put(*engine_, make_id(n), kLarge);
      for (int i = 0; i < 3; ++i) (void)engine_->compact_once();
    }
    ASSERT_TRUE(open());
    for (uint64_t n = 0; n < kBlobs; ++n) {
      EXPECT_TRUE(verify(*engine_, make_id(n), size_of(n))) << n;
    }
  }
}

// --- Writes.

struct WriteSite {
  const char* what;
  FaultRule rule;
  bool large;  // It is met by a large put, else by small ones.
};

const WriteSite kWriteSites[] = {
    {"write of the log",
     {Operation::kWrite, Fault::kNone, ".seg", 4096, UINT64_MAX, Handle::kDurable},
     false},
    {"preparing the log",
     {Operation::kWrite, Fault::kNone, ".seg", 4096, UINT64_MAX, Handle::kPlain},
     false},
    {"opening the log", {Operation::kOpen, Fault::kNone, "00000000.seg"}, false},
    {"making a segment", {Operation::kAllocate, Fault::kNone, ".seg"}, false},
    {"header of a segment",
     {Operation::kWrite, Fault::kNone, ".seg", 0, 4096, Handle::kPlain},
     false},
    {"flush of a segment",
     {Operation::kFlush, Fault::kNone, ".seg", 0, UINT64_MAX, Handle::kPlain},
     false},
    {"flush of the folder", {Operation::kFlushDirectory, Fault::kNone, "segments"}, false},
    {"space of the file system", {Operation::kSpace, Fault::kNone, "segments"}, false},
    {"write of an extent",
     {Operation::kWrite, Fault::kNone, ".seg", 0, UINT64_MAX, Handle::kDirect},
     true},
    {"flush of an extent",
     {Operation::kFlush, Fault::kNone, ".seg", 0, UINT64_MAX, Handle::kDirect},
     true},
    {"making a segment for extents", {Operation::kAllocate, Fault::kNone, ".seg"}, true},
    {"header of a segment for extents",
     {Operation::kWrite, Fault::kNone, ".seg", 0, 4096, Handle::kPlain},
     true},
};

TEST_F(IoFaults, AWriteThatFailsIsNeverAcknowledged) {
  for (const WriteSite& site : kWriteSites) {
    for (const Fault fault : {Fault::kError, Fault::kFull}) {
      SCOPED_TRACE(std::string(site.what) + ", fault " + std::to_string(static_cast<int>(fault)));
      begin_anew();
      ASSERT_TRUE(open());
      FaultRule rule = site.rule;
      rule.fault = fault;
      fs_->set(rule);
      const bool stored = put(*engine_, make_id(1), site.large ? kLarge : kSmall).has_value();
      EXPECT_GT(fs_->hits(), 0u);
      EXPECT_FALSE(stored);
      fs_->clear();
      ASSERT_TRUE(open());
      EXPECT_TRUE(put(*engine_, make_id(2), site.large ? kLarge : kSmall))
          << "the disk works again after a restart";
      EXPECT_TRUE(verify(*engine_, make_id(2), site.large ? kLarge : kSmall));
    }
  }
}

// Heartbeats ask for the status, streams for what is in memory, metrics for both: none of them
// waits for the disk.
TEST_F(IoFaults, NobodyWaitsForACallThatHangs) {
  for (const WriteSite& site : kWriteSites) {
    SCOPED_TRACE(site.what);
    begin_anew();
    ASSERT_TRUE(open());
    // Of what is read both kinds are there; the disk has no segment open.
    if (site.rule.operation != Operation::kOpen) ASSERT_TRUE(put(*engine_, make_id(0), 1000));
    ASSERT_TRUE(open());
    FaultRule rule = site.rule;
    rule.fault = Fault::kHang;
    fs_->set(rule);
    std::thread writer([&] { (void)put(*engine_, make_id(1), site.large ? kLarge : kSmall); });
    fs_->await_hit();
    auto answers = std::async(std::launch::async, [&] {
      EXPECT_NE(engine_->status().state, DiskState::kFailed);
      (void)engine_->read_cached(make_id(0), 0, 1000);
      (void)engine_->list_damaged(10);
      (void)engine_->doubts();
      // A put and an upload are queued, not waited for.
      const ByteSlice bytes = make_bytes(make_id(3), 100);
      engine_->put_async({make_id(3), 1, clock_.now(), {}}, bytes,
                         hash::block_digests(make_id(3), 0, bytes.view()), [](Result<void>) {});
      {
        const auto upload = engine_->start_large_put({make_id(5), 1, clock_.now(), {}}, kLarge);
      }
      clock_.advance(11s);
      EXPECT_EQ(engine_->status().state, DiskState::kFailed) << "the stall is seen";
      EXPECT_EQ(engine_->start_large_put({make_id(7), 1, clock_.now(), {}}, kLarge).error().code,
                ErrorCode::kUnavailable);
    });
    EXPECT_EQ(answers.wait_for(60s), std::future_status::ready) << "somebody waits for the disk";
    fs_->clear();
    answers.wait();
    writer.join();
    // What was queued behind it began before the clock went on, and ends in its own time.
    const Deadline end = deadline_in(60s);
    while (engine_->status().state == DiskState::kFailed &&
           std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(1ms);
    }
    EXPECT_NE(engine_->status().state, DiskState::kFailed) << "it answers again";
  }
}

// Reads that hang are seen as well, and hold up nobody else.
TEST_F(IoFaults, AReadThatHangsIsSeen) {
  fill();
  ASSERT_TRUE(open());
  fs_->set({Operation::kRead, Fault::kHang, ".seg"});
  std::thread reader([&] { (void)engine_->read(make_id(5), 0, kLarge); });
  fs_->await_hit();
  EXPECT_EQ(engine_->status().state, DiskState::kOnline);
  clock_.advance(11s);
  EXPECT_EQ(engine_->status().state, DiskState::kFailed);
  fs_->clear();
  reader.join();
  EXPECT_EQ(engine_->status().state, DiskState::kOnline);
}

}  // namespace
}  // namespace rondel::engine
