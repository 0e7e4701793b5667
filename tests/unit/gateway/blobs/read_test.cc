// Reading: verified, failing over, believing "not found" only when everybody says so, repairing
// what was damaged.
#include "common/async/task_group.h"
#include "gateway/blobs/core.h"
#include "tests/unit/gateway/blobs/blobs_fixture.h"

namespace rondel::blobs {
namespace {

class Read : public BlobsTest {
 protected:
  void SetUp() override {
    BlobsTest::SetUp();
    text_ = make_text(kSize);
    stream_ = write(text_).value();
    reopen();
  }

  model::BlobId blob(uint32_t chunk = 0) const { return {stream_.id, chunk}; }

  // The owner of the first chunk that was asked last.
  void silence_who_serves() {
    for (const ring::Disk& owner : owners(blob())) {
      if (cluster_.gets(owner.id) > std::exchange(asked_[owner.id], cluster_.gets(owner.id))) {
        cluster_.set_faults(owner.id, {.silent = true});
      }
    }
  }

  static constexpr size_t kSize = model::kChunkBytes + 700'000;
  std::string text_;
  WrittenStream stream_;
  std::map<model::DiskId, uint64_t> asked_;
};

TEST_F(Read, RangesOfSeveralStreamsComeAsOneRun) {
  const std::string other_text = make_text(5000, 2);
  const WrittenStream other = write(other_text).value();
  const uint64_t seam = model::kChunkBytes;
  const auto text = run(read_task({{stream_.id, kSize, seam - 10, 20},
                                   {other.id, 5000, 0, 5000},
                                   {stream_.id, kSize, 0, 0},
                                   {stream_.id, kSize, kSize - 1, 1}}));
  EXPECT_EQ(text.value(), text_.substr(seam - 10, 20) + other_text + text_.substr(kSize - 1));
  EXPECT_EQ(run(read_task({})).value(), "");
}

TEST_F(Read, RandomRangesAreExact) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 40; ++i) {
    const uint64_t offset = random() % kSize;
    const uint64_t length =
        1 + random() % std::min<uint64_t>(kSize - offset, i % 2 == 0 ? 100'000 : kSize);
    ASSERT_TRUE(read(stream_, offset, length).value() == text_.substr(offset, length))
        << offset << " + " << length;
  }
}

TEST_F(Read, OneGoodCopyIsEnoughWhateverAilsTheOthers) {
  const auto list = owners(blob());
  const std::vector<transfer::DiskFaults> ailments{
      {.unreachable = true}, {.silent = true}, {.flips_bits = true}};
  for (size_t good = 0; good < list.size(); ++good) {
    for (const auto& first : ailments) {
      for (const auto& second : ailments) {
        fault_all({});
        cluster_.set_faults(list[(good + 1) % 3].id, first);
        cluster_.set_faults(list[(good + 2) % 3].id, second);
        reopen(quick());
        EXPECT_TRUE(read(stream_, 0, 1000).value() == text_.substr(0, 1000));
        EXPECT_TRUE(read(stream_, 0, 1'000'000).value() == text_.substr(0, 1'000'000));
        EXPECT_EQ(store_->health().repairs_done, store_->health().corrupt_copies)
            << "a silent disk does not keep others from being repaired";
      }
    }
  }
}

TEST_F(Read, AMissingCopyIsReadElsewhereAndCounted) {
  const auto list = owners(blob());
  cluster_.erase(list[0].id, blob());
  cluster_.erase(list[1].id, blob());
  EXPECT_TRUE(read(stream_, 0, 10));
  EXPECT_LE(store_->health().missing_copies, 2u);
  EXPECT_EQ(store_->health().missing_copies, store_->health().read_failovers);
}

TEST_F(Read, AHandoffCopyIsFound) {
  const std::string text = make_text(1000, 3);
  fault_all({.delay = 3ms});  // The refusal comes before the quorum.
  fault_zone("z2", {.unreachable = true});
  const auto written = write(text).value();
  fault_all({});
  reopen();
  // Only the stand-in has it.
  for (const ring::Disk& owner : owners({written.id, 0})) {
    if (cluster_.find(owner.id, {written.id, 0})) cluster_.erase(owner.id, {written.id, 0});
  }
  EXPECT_TRUE(read(written).value() == text);
}

TEST_F(Read, NotFoundIsBelievedOnlyWhenEverybodySaysSo) {
  for (const ring::Disk& owner : owners(blob())) cluster_.erase(owner.id, blob());
  EXPECT_EQ(read(stream_, 0, 10).error().code, ErrorCode::kNotFound);
  for (const ring::Disk& disk : disks_) {
    for (const transfer::DiskFaults& faults :
         {transfer::DiskFaults{.unreachable = true}, transfer::DiskFaults{.silent = true}}) {
      fault_all({});
      cluster_.set_faults(disk.id, faults);
      reopen(quick());
      EXPECT_EQ(read(stream_, 0, 10).error().code, ErrorCode::kUnavailable);
    }
  }
}

TEST_F(Read, WhenEveryCopyIsDamagedThatIsSaid) {
  for (const ring::Disk& owner : owners(blob())) cluster_.rot(owner.id, blob(), 5);
  EXPECT_EQ(read(stream_, 0, 10).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(store_->health().corrupt_copies, 3u);
  EXPECT_TRUE(read(stream_, 100'000, 10)) << "other blocks are whole";
}

// An owner was away during the write: its copy lies on a hand-off disk. Then a copy goes bad, or
// goes.
class ReadRepair : public BlobsTest {
 protected:
  void SetUp() override {
    BlobsTest::SetUp();
    text_ = make_text(1000, 9);
    fault_all({.delay = 3ms});  // The refusal comes before the quorum.
    fault_zone("z2", {.unreachable = true});
    stream_ = write(text_).value();
    fault_all({});
    auto options = patient();
    options.repair_settle = settle_;
    reopen(options);
  }

  model::BlobId blob() const { return {stream_.id, 0}; }

  std::optional<transfer::MemoryBlobCluster::Stored> at(const model::DiskId& disk) const {
    return cluster_.find(disk, blob());
  }

  std::vector<model::DiskId> holders(bool handoff) const {
    std::vector<model::DiskId> found;
    for (const model::DiskId& disk : cluster_.holders(blob())) {
      if (at(disk)->handoff_for.is_zero() != handoff) found.push_back(disk);
    }
    return found;
  }

  std::chrono::milliseconds settle_{0};
  std::string text_;
  WrittenStream stream_;
};

TEST_F(ReadRepair, CopiesAreMadeWholeOnOwnersAndKeepTheirMarkElsewhere) {
  for (const bool damaged : {true, false}) {
    for (const bool handoff : {false, true}) {
      SCOPED_TRACE(std::string(damaged ? "damaged" : "missing") +
                   (handoff ? " hand-off copy" : " copy of an owner"));
      SetUp();
      const auto standing_in = holders(true);
      ASSERT_EQ(standing_in.size(), 1u);
      const auto before = *at(standing_in.front());
      const auto kept = owners(blob());
      const model::DiskId target = handoff ? standing_in.front() : holders(false).front();
      if (damaged) cluster_.rot(target, blob(), 5);
      if (!damaged) cluster_.erase(target, blob());
      for (int i = 0; i < 4; ++i) EXPECT_TRUE(read(stream_).value() == text_);
      for (const ring::Disk& owner : kept) {
        ASSERT_TRUE(at(owner.id)) << "an owner that a read found without its copy gets it";
        EXPECT_TRUE(at(owner.id)->handoff_for.is_zero());
        EXPECT_EQ(at(owner.id)->created_at, before.created_at) << "the maker's time";
      }
      if (handoff) continue;  // Owners are asked first: nobody met it.
      EXPECT_TRUE(at(target)->bytes == text_);
      EXPECT_TRUE(at(target)->background);
    }
  }
}

TEST_F(ReadRepair, ADamagedHandOffCopyStaysOne) {
  std::vector<ring::DiskIndex> order;
  const auto place = [&] {
    order = ring_->handoffs(ring_->arc_of(blob().ring_hash()), 4);
    const auto id = [this](ring::DiskIndex disk) { return ring_->disks()[disk].id; };
    return static_cast<size_t>(std::ranges::find(order, holders(true).front(), id) - order.begin());
  };
  while (place() + 1 >= order.size()) SetUp();  // Another disk must come behind it.
  const model::DiskId holder = holders(true).front();
  const auto before = *at(holder);
  cluster_.rot(holder, blob(), 5);
  // A second one, behind it, is good; no owner has any.
  const ring::Disk& second = ring_->disks()[order[place() + 1]];
  const auto digests = hash::block_digests(blob(), 0, as_bytes(text_));
  const model::DiskId absent = owners(blob()).front().id;
  ASSERT_TRUE(run(cluster_.put({second.node, second.id}, blob(),
                               {.ring_epoch = 1,
                                .handoff_for = absent,
                                .created_at = before.created_at,
                                .deadline = deadline_in(60s)},
                               {ByteSlice::copy_of(as_bytes(text_)), 0, digests})));
  for (const model::DiskId& owner : holders(false)) cluster_.erase(owner, blob());
  EXPECT_TRUE(read(stream_).value() == text_);
  EXPECT_TRUE(at(holder)->bytes == text_);
  EXPECT_EQ(at(holder)->handoff_for, before.handoff_for) << "else it would stay as a stray";
  EXPECT_EQ(at(holder)->created_at, before.created_at);
}

TEST_F(ReadRepair, WhatWasRemovedStaysSo) {
  const model::DiskId gone = holders(false).front();
  cluster_.remove(gone, blob(), 5);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(read(stream_).value() == text_);
  EXPECT_FALSE(at(gone));
}

TEST_F(ReadRepair, AYoungCopyMayBeOnItsWay) {
  settle_ = 10min;
  SetUp();
  const auto before = cluster_.holders(blob());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(read(stream_).value() == text_);
  EXPECT_EQ(cluster_.holders(blob()), before);
}

// Answers to stat wait while it is held. Every repair begins with one, and nothing else asks.
class HeldStats final : public transfer::BlobTransport {
 public:
  explicit HeldStats(transfer::BlobTransport& below) : below_(below) {}

  bool held = true;

  async::Task<Result<void>> put(transfer::DiskAddress to, model::BlobId id,
                                transfer::PutOptions options, transfer::Piece whole) override {
    return below_.put(to, id, options, std::move(whole));
  }

  std::unique_ptr<transfer::BlobUpload> start_put(transfer::DiskAddress to, model::BlobId id,
                                                  uint64_t length,
                                                  transfer::PutOptions options) override {
    return below_.start_put(to, id, length, options);
  }

  std::unique_ptr<transfer::BlobDownload> start_get(transfer::DiskAddress from, model::BlobId id,
                                                    uint64_t offset, uint64_t length,
                                                    transfer::GetOptions options) override {
    return below_.start_get(from, id, offset, length, options);
  }

  async::Task<Result<transfer::BlobStat>> stat(transfer::DiskAddress at, model::BlobId id,
                                               Deadline deadline) override {
    while (held) co_await async::yield();
    co_return co_await below_.stat(at, id, deadline);
  }

 private:
  transfer::BlobTransport& below_;
};

// Streams of one blob, each with a flaw on the owner that reads ask first.
class BoundedRepair : public BlobsTest {
 protected:
  static constexpr uint64_t kMiB = 1 << 20;
  static constexpr const char* kNearZone = "z0";

  void open(uint64_t buffer_bytes) {
    auto options = patient();
    options.buffer_bytes = buffer_bytes;
    options.repair_settle = 0ms;
    options.zone = kNearZone;
    store_ = std::make_unique<ReplicatedBlobStore>(held_, topology_, std::move(options));
  }

  WrittenStream flawed(size_t size, Flaw flaw) {
    const WrittenStream stream = write(make_text(size)).value();
    const model::DiskId disk = asked_first({stream.id, 0});
    if (flaw == Flaw::kMissing) cluster_.erase(disk, {stream.id, 0});
    if (flaw == Flaw::kDamaged) cluster_.rot(disk, {stream.id, 0}, 5);
    puts_[disk] = cluster_.puts(disk);
    return stream;
  }

  // The owner in the reader's own zone goes before faster ones in others.
  model::DiskId asked_first(const model::BlobId& blob) const {
    const auto list = owners(blob);
    return std::ranges::find(list, kNearZone, &ring::Disk::zone)->id;
  }

  bool whole(const WrittenStream& stream) const {
    const auto copy = cluster_.find(asked_first({stream.id, 0}), {stream.id, 0});
    return copy && copy->bytes == make_text(stream.size);
  }

  uint64_t rewritten(const WrittenStream& stream) const {
    const model::DiskId disk = asked_first({stream.id, 0});
    return cluster_.puts(disk) - puts_.at(disk);
  }

  async::Task<void> read_first_bytes(WrittenStream stream) {
    const auto text = co_await read_task({{stream.id, stream.size, 0, 10}});
    EXPECT_TRUE(text && *text == make_text(stream.size).substr(0, 10));
  }

  async::Task<void> finish_repairs() {
    held_.held = false;
    while (store_->health().background_tasks > 0) co_await async::yield();
  }

  HeldStats held_{cluster_};
  std::map<model::DiskId, uint64_t> puts_;
};

TEST_F(BoundedRepair, ManyReadsOfOneFlawMakeOneRepair) {
  constexpr uint64_t kReads = 20;
  for (const Flaw flaw : {Flaw::kDamaged, Flaw::kMissing}) {
    for (const size_t size : {size_t{1000}, size_t{1'000'000}}) {
      const WrittenStream stream = flawed(size, flaw);
      open(256 * kMiB);
      held_.held = true;
      const auto work = [&]() -> async::Task<void> {
        async::TaskGroup group(*async::EventLoop::current());
        for (uint64_t i = 0; i < kReads; ++i) group.spawn(read_first_bytes(stream));
        co_await group.wait_idle();
        EXPECT_EQ(store_->health().background_tasks, 1u);
        EXPECT_EQ(store_->health().buffer_bytes_in_use, size) << "its bytes count";
        co_await finish_repairs();
      };
      async::block_on(work());
      const BlobHealth health = store_->health();
      EXPECT_EQ(health.repairs_done, 1u);
      EXPECT_EQ(health.repairs_joined, kReads - 1);
      EXPECT_EQ(health.buffer_bytes_in_use, 0u);
      EXPECT_EQ(rewritten(stream), 1u);
      EXPECT_TRUE(whole(stream));
    }
  }
}

TEST_F(BoundedRepair, BeginsOnlyWhereABufferIsFree) {
  for (const Flaw flaw : {Flaw::kDamaged, Flaw::kMissing}) {
    const std::string other = make_text(3'000'000);
    const WrittenStream full = write(other).value();
    const WrittenStream stream = flawed(1'000'000, flaw);
    open(16 * kMiB);  // 4 MiB for readers.
    const auto work = [&]() -> async::Task<void> {
      std::vector<std::unique_ptr<StreamReader>> readers;
      for (int i = 0; i < 3; ++i) {
        readers.push_back(
            store_->open_reader({{full.id, full.size, 0, full.size}}, deadline_in(60s)));
        EXPECT_TRUE(co_await readers.back()->next());
      }
      const uint64_t taken = store_->health().buffer_bytes_in_use;
      co_await read_first_bytes(stream);
      EXPECT_EQ(store_->health().background_tasks, 0u);
      EXPECT_EQ(store_->health().repairs_without_buffer, 1u);
      EXPECT_EQ(store_->health().buffer_bytes_in_use, taken);
      readers.clear();
      co_await read_first_bytes(stream);
      co_await finish_repairs();
    };
    async::block_on(work());
    EXPECT_EQ(store_->health().repairs_done, 1u);
    EXPECT_TRUE(whole(stream)) << "a later read found a buffer";
  }
}

TEST_F(BoundedRepair, TakesAtMostHalfOfWhatReadersHave) {
  std::vector<WrittenStream> streams;
  for (int i = 0; i < 5; ++i) streams.push_back(flawed(1'000'000, Flaw::kMissing));
  const WrittenStream chunk = flawed(model::kChunkBytes, Flaw::kMissing);
  open(16 * kMiB);  // 4 MiB for readers.
  const auto work = [&]() -> async::Task<void> {
    for (const WrittenStream& stream : streams) co_await read_first_bytes(stream);
    co_await read_first_bytes(chunk);
    EXPECT_EQ(store_->health().background_tasks, 2u);
    EXPECT_EQ(store_->health().buffer_bytes_in_use, 2'000'000u);
    co_await finish_repairs();
  };
  async::block_on(work());
  EXPECT_EQ(store_->health().repairs_done, 2u);
  EXPECT_EQ(store_->health().repairs_without_buffer, 4u);
  EXPECT_EQ(std::ranges::count_if(streams, [this](const auto& s) { return whole(s); }), 2);
  // The least that the setting allows is enough for a chunk.
  open(64 * kMiB);
  const auto again = [&]() -> async::Task<void> {
    co_await read_first_bytes(chunk);
    co_await finish_repairs();
  };
  async::block_on(again());
  EXPECT_TRUE(whole(chunk));
}

TEST_F(BoundedRepair, OfAYoungBlobReadsNoBytes) {
  const WrittenStream stream = flawed(1000, Flaw::kMissing);
  auto options = patient();
  options.repair_settle = 10min;
  options.zone = kNearZone;
  reopen(options);
  uint64_t before = 0;
  for (const ring::Disk& disk : disks_) before += cluster_.gets(disk.id);
  EXPECT_TRUE(read(stream));
  uint64_t after = 0;
  for (const ring::Disk& disk : disks_) after += cluster_.gets(disk.id);
  EXPECT_EQ(after - before, 2u) << "the read's own, at who lacks it and at who has it";
  EXPECT_EQ(store_->health().repairs_done, 0u);
}

TEST_F(Read, DamagedCopiesThatWereMetAreRewritten) {
  const auto list = owners(blob());
  cluster_.rot(list[0].id, blob(), 5);
  cluster_.rot(list[1].id, blob(), 300'000);
  EXPECT_TRUE(read(stream_).value() == text_);
  const BlobHealth health = store_->health();
  EXPECT_EQ(health.repairs_done, health.corrupt_copies);
  for (size_t i = 0; i < 2; ++i) {
    const auto stored = cluster_.find(list[i].id, blob());
    if (stored->background) EXPECT_TRUE(stored->bytes == text_.substr(0, model::kChunkBytes));
  }
  // Once each was asked first nothing damaged is left.
  for (int i = 0; i < 3; ++i) {
    reopen();
    for (const ring::Disk& owner : list) {
      fault_all({.unreachable = true});
      cluster_.set_faults(owner.id, {});
      cluster_.set_faults(list[2].id, {});
      EXPECT_TRUE(read(stream_, 0, model::kChunkBytes));
      fault_all({});
      (void)write("abc");
    }
  }
}

TEST_F(Read, OwnersOfEveryLiveEpochAreAsked) {
  // A new ring in which other disks own everything.
  std::vector<ring::Disk> fresh;
  for (int i = 0; i < 3; ++i) {
    fresh.push_back({model::DiskId::random(), model::NodeId::random(), "n" + std::to_string(i),
                     "y" + std::to_string(i), 1ull << 40});
    cluster_.add_disk({fresh.back().node, fresh.back().id});
  }
  auto next = std::make_shared<const ring::Ring>(ring_->change(fresh).value());
  topology_.set({next});
  EXPECT_EQ(read(stream_, 0, 10).error().code, ErrorCode::kNotFound);
  topology_.set({next, ring_});
  EXPECT_EQ(read(stream_, 0, 10).value(), text_.substr(0, 10));
}

TEST_F(Read, HandoffDisksOfEveryLiveEpochAreAsked) {
  const std::string text = make_text(1000, 3);
  fault_all({.delay = 3ms});  // The refusal comes before the quorum.
  fault_zone("z2", {.unreachable = true});
  const auto written = write(text).value();
  fault_all({});
  for (const ring::Disk& owner : owners({written.id, 0})) {
    if (cluster_.find(owner.id, {written.id, 0})) cluster_.erase(owner.id, {written.id, 0});
  }
  std::vector<ring::Disk> fresh;
  for (int i = 0; i < 3; ++i) {
    fresh.push_back({model::DiskId::random(), model::NodeId::random(), "n" + std::to_string(i),
                     "y" + std::to_string(i), 1ull << 40});
    cluster_.add_disk({fresh.back().node, fresh.back().id});
  }
  topology_.set({std::make_shared<const ring::Ring>(ring_->change(fresh).value()), ring_});
  reopen();
  EXPECT_TRUE(read(written).value_or("lost") == text);
}

TEST_F(Read, ADiskThatStopsInTheMiddleIsLeftForAnother) {
  reopen(quick());
  const auto slow_down = [this]() -> async::Task<Result<std::string>> {
    auto reader = store_->open_reader({{stream_.id, kSize, 0, kSize}}, deadline_in(60s));
    std::string text;
    for (int piece = 0;; ++piece) {
      CO_TRY(const ByteSlice bytes, co_await reader->next());
      if (bytes.empty()) co_return text;
      text += as_text(bytes.view());
      if (piece == 2 || piece == 5) silence_who_serves();
    }
  };
  EXPECT_TRUE(run(slow_down()).value() == text_);
}

TEST_F(Read, NothingIsHeldAfterwards) {
  EXPECT_TRUE(read(stream_));
  const auto abandoned = [this]() -> async::Task<Result<void>> {
    auto reader = store_->open_reader({{stream_.id, kSize, 0, kSize}}, deadline_in(60s));
    CO_TRY_VOID(co_await reader->next());
    co_return Result<void>{};
  };
  EXPECT_TRUE(run(abandoned()));
  EXPECT_EQ(store_->health().buffer_bytes_in_use, 0u);
}

TEST_F(Read, TheDeadlineBoundsEverything) {
  fault_all({.silent = true});
  auto options = quick();
  options.stall_min = options.stall_max = std::chrono::hours(1);
  reopen(options);
  EXPECT_FALSE(run(read_task({{stream_.id, kSize, 0, 10}}, 100ms)));
}

// Answers of one account that nobody reads.
TEST_F(BoundedRepair, OneAccountCannotHoldWhatAllReadersHave) {
  admission::Parties parties;
  for (const size_t size : {size_t{8'000'000}, size_t{200'000}}) {
    SCOPED_TRACE(size);
    const WrittenStream stream = write(make_text(size)).value();
    auto options = patient();
    options.buffer_bytes = 64 * kMiB;
    options.reader_patience = 1h;
    store_ = std::make_unique<ReplicatedBlobStore>(cluster_, topology_, options);
    const auto work = [&]() -> async::Task<bool> {
      std::vector<std::unique_ptr<StreamReader>> unread;
      for (;;) {
        // The last one waits so long in vain; the others need no time.
        auto reader = store_->open_reader({{stream.id, stream.size, 0, stream.size}},
                                          deadline_in(1s), parties.account("attacker"));
        if (const auto piece = co_await reader->next(); !piece) {
          EXPECT_EQ(piece.error().code, ErrorCode::kResourceExhausted);
          break;
        }
        unread.push_back(std::move(reader));
      }
      EXPECT_GE(unread.size(), 10u);
      EXPECT_GE(store_->health().buffer_bytes_in_use,
                unread.size() * std::min<size_t>(size, 256 << 10))
          << "what was handed out is held";
      auto victim = store_->open_reader({{stream.id, stream.size, 0, stream.size}},
                                        deadline_in(60s), parties.account("victim"));
      size_t got = 0;
      for (;;) {
        const auto piece = co_await victim->next();
        if (!piece || piece->empty()) break;
        got += piece->size();
      }
      EXPECT_EQ(got, size);
      co_return true;
    };
    EXPECT_TRUE(async::block_on(work()));
    EXPECT_EQ(store_->health().buffer_bytes_in_use, 0u);
  }
}

// In league they can; but not while somebody else wants to read.
TEST_F(BoundedRepair, AnswersThatNobodyReadsGiveWay) {
  admission::Parties parties;
  const WrittenStream stream = write(make_text(8'000'000)).value();
  auto options = patient();
  options.buffer_bytes = 64 * kMiB;
  options.reader_patience = 1ms;
  store_ = std::make_unique<ReplicatedBlobStore>(cluster_, topology_, options);
  const auto work = [&]() -> async::Task<bool> {
    int told = 0;
    std::vector<std::unique_ptr<StreamReader>> unread;
    for (int i = 0; i < 20; ++i) {
      unread.push_back(store_->open_reader({{stream.id, stream.size, 0, stream.size}},
                                           deadline_in(60s), parties.account(std::to_string(i))));
      unread.back()->on_give_way([&told] { ++told; });
      EXPECT_TRUE(co_await unread.back()->next()) << i;
    }
    co_await async::yield();
    EXPECT_GE(told, 20 - 13);
    int failed = 0;
    for (const auto& reader : unread) {
      const auto piece = co_await reader->next();
      if (!piece) ++failed;
      if (!piece) EXPECT_EQ(piece.error().code, ErrorCode::kResourceExhausted);
    }
    EXPECT_GE(failed, told);
    co_return true;
  };
  EXPECT_TRUE(async::block_on(work()));
}

}  // namespace
}  // namespace rondel::blobs
