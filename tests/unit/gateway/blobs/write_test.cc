// Writing: law 3 (two flushed copies in two failure domains before the acknowledgement), hand-off,
// bounds.
#include <iostream>

#include "tests/fakes/manual_clock.h"
#include "tests/unit/gateway/blobs/blobs_fixture.h"

namespace rondel::blobs {
namespace {

using Write = BlobsTest;

TEST_F(Write, EverySizeComesBackAndLiesOnItsOwners) {
  for (const size_t size :
       {size_t{1}, size_t{65'537}, size_t{model::kPieceBytes}, size_t{model::kPieceBytes + 1},
        size_t{model::kChunkBytes}, size_t{model::kChunkBytes + 1}, size_t{20'000'000}}) {
    const std::string text = make_text(size);
    for (const bool hint : {false, true}) {
      const auto written = write(text, hint ? std::optional<uint64_t>(size) : std::nullopt);
      ASSERT_TRUE(written) << size << ": " << written.error().message;
      EXPECT_EQ(written->size, size);
      EXPECT_EQ(written->ring_epoch, 5u);
      EXPECT_TRUE(read(*written).value() == text) << size;
      for (uint32_t chunk = 0; chunk < model::chunk_count(size); ++chunk) {
        std::set<model::DiskId> expected;
        for (const ring::Disk& disk : owners({written->id, chunk})) expected.insert(disk.id);
        EXPECT_EQ(cluster_.holders({written->id, chunk}), expected);
      }
    }
  }
  EXPECT_EQ(store_->health().buffer_bytes_in_use, 0u);
}

TEST_F(Write, AnEmptyStreamWritesNothing) {
  const auto written = write("");
  ASSERT_TRUE(written);
  EXPECT_EQ(written->size, 0u);
  EXPECT_TRUE(cluster_.blobs().empty());
  EXPECT_EQ(read(*written).value(), "");
}

TEST_F(Write, OtherSizesThanAnnouncedAreRefused) {
  EXPECT_EQ(write("abc", 2).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(write("abc", 4).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(write("", 1).error().code, ErrorCode::kInvalidArgument);
}

// What the client is told, and what lies on the disks at that moment.
struct Acknowledgement {
  Result<WrittenStream> written;
  std::vector<std::set<model::DiskId>> holders;
};

class WriteUnderFaults : public BlobsTest, public ::testing::WithParamInterface<size_t> {
 protected:
  async::Task<Acknowledgement> write_and_look(std::string text) {
    auto written = co_await write_task(std::move(text));
    std::vector<std::set<model::DiskId>> holders;
    for (uint32_t chunk = 0; written && chunk < model::chunk_count(written->size); ++chunk) {
      holders.push_back(cluster_.holders({written->id, chunk}));
    }
    co_return Acknowledgement{std::move(written), std::move(holders)};
  }
};

TEST_P(WriteUnderFaults, AcknowledgedMeansTwoCopiesInTwoZones) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  for (int round = 0; round < 30; ++round) {
    std::set<std::string> healthy;
    bool full_alone = true;  // No disk has another fault.
    std::string story;
    for (const ring::Disk& disk : disks_) {
      transfer::DiskFaults faults;
      switch (random() % 9) {
        case 0: faults.unreachable = true; break;
        case 1: faults.silent = true; break;
        case 2: faults.full = true; break;
        case 3: faults.loses_answers = true; break;
        case 4: faults.delay = 3ms; [[fallthrough]];
        default: healthy.insert(disk.zone);
      }
      story += " " + disk.zone +
               (faults.unreachable     ? "-gone"
                : faults.silent        ? "-silent"
                : faults.full          ? "-full"
                : faults.loses_answers ? "-mute"
                                       : "");
      full_alone &= !faults.unreachable && !faults.silent && !faults.loses_answers;
      cluster_.set_faults(disk.id, faults);
    }
    auto options = quick();
    options.write_deadline = 60s;  // Every candidate has its turn.
    if (healthy.size() < 2) options.write_deadline = 150ms;
    reopen(options);
    const Acknowledgement said = run(write_and_look(make_text(GetParam(), round)));
    if (healthy.size() >= 2) {
      EXPECT_TRUE(said.written) << "round " << round << story;
    } else {
      ASSERT_FALSE(said.written) << "round " << round << story;
      // On a busy machine a full disk may not have said so within the deadline.
      if (!full_alone || said.written.error().code != ErrorCode::kStorageFull) {
        EXPECT_EQ(said.written.error().code, ErrorCode::kUnavailable) << story;
      }
    }
    for (const auto& holders : said.holders) {
      EXPECT_GE(holders.size(), 2u) << "round " << round << story;
      EXPECT_GE(zones(holders).size(), 2u) << "round " << round << story;
    }
    EXPECT_EQ(store_->health().buffer_bytes_in_use, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, WriteUnderFaults,
                         ::testing::Values(100, 1'000'000, model::kChunkBytes + 1000));

TEST_F(Write, TwoCopiesInOneZoneAreNoQuorum) {
  fault_zone("z1", {.unreachable = true});
  fault_zone("z2", {.unreachable = true});
  EXPECT_EQ(write("abc").error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(store_->quorum_possible());
  EXPECT_GT(store_->health().quorum_failures, 0u);
}

// Zones of two disks; of four zones some disks own nothing of a chunk and are hand-offs.
TEST_F(Write, OnlySpaceThatLacksIsAFullStorage) {
  using Faults = transfer::DiskFaults;
  constexpr Faults kGood, kFull{.full = true}, kGone{.unreachable = true};

  struct Row {
    std::vector<Faults> zones;
    std::optional<ErrorCode> refused;
  };

  const std::vector<Row> rows = {
      {{kFull, kFull, kFull}, ErrorCode::kStorageFull},
      {{kFull, kFull, kGood}, ErrorCode::kStorageFull},
      {{kFull, kGood, kGood}, std::nullopt},
      {{kFull, kGone, kFull}, ErrorCode::kUnavailable},
      {{kFull, kGone, kGood}, ErrorCode::kUnavailable},
      {{kGone, kGone, kGood}, ErrorCode::kUnavailable},
      {{kFull, kFull, kFull, kGood}, ErrorCode::kStorageFull},
      {{kFull, kFull, kGood, kGood}, std::nullopt},
      {{kFull, kGone, kGood, kGood}, std::nullopt},
  };
  for (const Row& row : rows) {
    build(static_cast<int>(row.zones.size()), 2);
    auto options = patient();
    options.handoffs = disks_.size();
    for (const size_t size : {size_t{100}, size_t{1'000'000}, model::kChunkBytes + 1000}) {
      reopen(options);
      for (size_t zone = 0; zone < row.zones.size(); ++zone) {
        fault_zone("z" + std::to_string(zone), row.zones[zone]);
      }
      // What is remembered of the first write changes no answer to those behind it.
      for (int time = 0; time < 4; ++time) {
        const auto written = write(make_text(size, static_cast<uint64_t>(time)));
        const auto told = written ? std::nullopt : std::optional(written.error().code);
        EXPECT_EQ(told, row.refused) << &row - rows.data() << " " << size << " " << time;
      }
      EXPECT_EQ(store_->health().full_failures > 0, row.refused == ErrorCode::kStorageFull);
      EXPECT_EQ(store_->health().quorum_failures > 0, row.refused == ErrorCode::kUnavailable);

      fault_all(kGood);
      if (row.refused != ErrorCode::kUnavailable) EXPECT_TRUE(write(make_text(size, 9)));
    }
  }
}

TEST_F(Write, FullDisksAreReachableAndReadFrom) {
  const std::string text = make_text(300'000);
  const auto written = write(text);
  ASSERT_TRUE(written);
  fault_all({.full = true});
  EXPECT_EQ(write("abc").error().code, ErrorCode::kStorageFull);
  EXPECT_TRUE(store_->quorum_possible());
  for (const DiskHealth& disk : store_->health().disks) EXPECT_FALSE(disk.avoided);
  EXPECT_EQ(read(*written).value_or(""), text);
}

// Others are asked first, so that a full disk costs a write no refusal.
TEST_F(Write, AFullDiskIsAskedAfterOthersForAWhile) {
  build(3, 2);
  auto options = patient();
  options.breaker_max = 1h;
  reopen(options);
  fault_zone("z0", {.full = true});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(write(make_text(1000, static_cast<uint64_t>(i))));
  EXPECT_LE(store_->health().copies_failed, 2u) << "each of them said so once";
}

TEST_F(Write, FencedEverywhereIsUnavailable) {
  cluster_.fence(6);
  EXPECT_EQ(write("abc").error().code, ErrorCode::kUnavailable);
}

TEST_F(Write, WithoutARingNothingIsWritten) {
  topology_.set({});
  EXPECT_EQ(write("abc").error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(store_->quorum_possible());
}

TEST_F(Write, AFactorOfOneNeedsOneCopy) {
  build(1, 3, 1);
  EXPECT_TRUE(store_->quorum_possible());
  const auto written = write("abc");
  ASSERT_TRUE(written);
  EXPECT_EQ(cluster_.holders({written->id, 0}).size(), 1u);
  fault_all({.unreachable = true});
  EXPECT_EQ(write("abc").error().code, ErrorCode::kUnavailable);
}

TEST_F(Write, AHandoffUsesAZoneThatNoOwnerUsesAndSaysWhoseCopyItIs) {
  build(4, 2);
  for (int i = 0; i < 20; ++i) {
    const ring::Disk& down = disks_[static_cast<size_t>(i) % disks_.size()];
    fault_all({.delay = 3ms});  // After the quorum nobody is replaced: the refusal comes first.
    cluster_.set_faults(down.id, {.full = true});
    reopen(patient());
    const auto written = write(make_text(1000, static_cast<uint64_t>(i)));
    ASSERT_TRUE(written);
    const model::BlobId blob{written->id, 0};
    const auto owner_list = owners(blob);
    const bool owned = std::ranges::any_of(
        owner_list, [&](const ring::Disk& owner) { return owner.id == down.id; });
    const auto holders = cluster_.holders(blob);
    EXPECT_EQ(holders.size(), 3u);
    EXPECT_EQ(zones(holders).size(), 3u);
    std::set<model::DiskId> owner_ids;
    for (const ring::Disk& owner : owner_list) owner_ids.insert(owner.id);
    for (const model::DiskId& holder : holders) {
      const model::DiskId expected = owner_ids.contains(holder) ? model::DiskId{} : down.id;
      EXPECT_EQ(cluster_.find(holder, blob)->handoff_for, expected);
    }
    EXPECT_EQ(store_->health().handoff_copies, owned ? 1u : 0u);
  }
}

TEST_F(Write, WithoutAFreeZoneTheThirdCopySharesOne) {
  fault_all({.delay = 3ms});
  fault_zone("z2", {.unreachable = true});
  const auto written = write("abc");
  ASSERT_TRUE(written);
  const auto holders = cluster_.holders({written->id, 0});
  EXPECT_EQ(zones(holders), (std::set<std::string>{"z0", "z1"}));
  EXPECT_EQ(holders.size(), 3u);
}

TEST_F(Write, ADiskThatFailsIsLeftAloneUntilAProbeFindsItWell) {
  const ring::Disk& sick = disks_[0];
  cluster_.set_faults(sick.id, {.unreachable = true});
  while (cluster_.puts(sick.id) == 0) ASSERT_TRUE(write("abc"));
  const uint64_t asked = cluster_.puts(sick.id);
  cluster_.set_faults(sick.id, {});
  // Later writes ask whether it serves, and use it again then.
  const Deadline limit = deadline_in(60s);
  while (cluster_.puts(sick.id) == asked && std::chrono::steady_clock::now() < limit) {
    ASSERT_TRUE(write("abc"));
  }
  EXPECT_GT(cluster_.puts(sick.id), asked);
  EXPECT_GT(cluster_.stats(sick.id), 0u);
  EXPECT_GT(store_->health().probes, 0u);
}

TEST_F(Write, TheOldestEpochOfAStreamIsTheOneThatIsCommitted) {
  auto next = std::make_shared<const ring::Ring>(ring_->change(disks_).value());
  const auto two_epochs =
      [this](std::shared_ptr<const ring::Ring> newer) -> async::Task<Result<WrittenStream>> {
    auto writer = store_->open_writer(std::nullopt, deadline_in(60s));
    const std::string chunk = make_text(model::kChunkBytes);
    CO_TRY_VOID(co_await writer->write(as_bytes(chunk)));
    topology_.set({newer, ring_});
    CO_TRY_VOID(co_await writer->write(as_bytes(chunk)));
    co_return co_await writer->finish();
  };
  const auto written = run(two_epochs(next));
  ASSERT_TRUE(written);
  EXPECT_EQ(written->ring_epoch, 5u);
  EXPECT_EQ(read(*written)->size(), 2 * model::kChunkBytes);
}

// By the one clock that is given, whatever the machine's shows; none is older than the first time.
TEST_F(Write, BlobsAreStampedByTheGivenClock) {
  fakes::ManualClock clock(SystemTime(1'000'000s));
  auto options = patient();
  options.clock = &clock;
  reopen(options);
  const auto slowly = [&](std::chrono::microseconds pause) -> async::Task<Result<WrittenStream>> {
    auto writer = store_->open_writer(std::nullopt, deadline_in(60s));
    const std::string chunk = make_text(model::kChunkBytes);
    for (int i = 0; i < 3; ++i) {
      CO_TRY_VOID(co_await writer->write(as_bytes(chunk)));
      i == 1 ? clock.set(clock.now() + pause) : clock.set(clock.now() + 1s);
    }
    co_return co_await writer->finish();
  };
  for (const std::chrono::microseconds pause :
       {std::chrono::microseconds(1h), std::chrono::microseconds(-1h)}) {
    const SystemTime begun = clock.now();
    const auto written = run(slowly(pause));
    ASSERT_TRUE(written);
    EXPECT_EQ(written->first_time, std::min(begun, begun + 1s + pause))
        << "also when the clock was set back";
    for (uint32_t number = 0; number < 3; ++number) {
      const model::BlobId blob{written->id, number};
      const ring::Disk owner = owners(blob).front();
      const auto stat = run(cluster_.stat({owner.node, owner.id}, blob, deadline_in(60s)));
      ASSERT_TRUE(stat);
      EXPECT_EQ(stat->created_at, begun + (number > 0 ? 1s : 0s) + (number > 1 ? pause : 0s))
          << number;
    }
  }
}

async::Task<bool> all_at_once(ReplicatedBlobStore& store, int streams, size_t size,
                              std::vector<Result<WrittenStream>>& out) {
  int open = streams;
  bool bounded = true;
  auto one = [](ReplicatedBlobStore& s, size_t bytes, int& left,
                std::vector<Result<WrittenStream>>& results) -> async::Task<void> {
    auto writer = s.open_writer(std::nullopt, deadline_in(60s));
    const std::string piece = make_text(model::kPieceBytes);
    Result<void> taken;
    for (size_t at = 0; taken && at < bytes; at += piece.size()) {
      taken = co_await writer->write(as_bytes(piece));
    }
    if (taken) {
      results.push_back(co_await writer->finish());
    } else {
      results.push_back(std::unexpected(taken.error()));
    }
    --left;
  };
  for (int i = 0; i < streams; ++i) {
    async::spawn(*async::EventLoop::current(), one(store, size, open, out));
  }
  while (open > 0) {
    const BlobHealth health = store.health();
    bounded = bounded && health.buffer_bytes_in_use <= health.buffer_bytes_max;
    co_await async::sleep_for(1ms);
  }
  co_return bounded;
}

TEST_F(Write, ManyStreamsShareOneBoundedBudget) {
  auto options = patient();
  options.buffer_bytes = 64ull << 20;  // Five chunks on their way in.
  reopen(options);
  fault_all({.delay = 1ms});
  std::vector<Result<WrittenStream>> results;
  EXPECT_TRUE(run(all_at_once(*store_, 12, 3 * model::kChunkBytes, results)));
  for (const auto& result : results) EXPECT_TRUE(result) << result.error().message;
  EXPECT_EQ(store_->health().buffer_bytes_in_use, 0u);
}

TEST_F(Write, WithoutABufferInTimeTheAnswerIsResourceExhausted) {
  auto options = quick();
  options.buffer_bytes = 16ull << 20;  // Little more than a chunk on its way in.
  reopen(options);
  fault_all({.silent = true});
  const auto two = [this]() -> async::Task<Result<void>> {
    const std::string many = make_text(100'000);
    auto first = store_->open_writer(std::nullopt, deadline_in(60s));
    CO_TRY_VOID(co_await first->write(as_bytes(many)));
    auto second = store_->open_writer(std::nullopt, deadline_in(50ms));
    co_return co_await second->write(as_bytes(many));
  };
  EXPECT_EQ(run(two()).error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(store_->health().buffer_bytes_in_use, 0u)
      << "an abandoned writer gives its buffer back";
}

struct Stalled {
  const char* what;
  std::optional<uint64_t> size;  // Announced.
  uint64_t sent;
  uint64_t held_max;  // Of each.
};

// Many that have sent little and say no more hold little, and others do not wait for them.
TEST_F(Write, MemoryIsTakenAsBytesCome) {
  admission::Parties parties;
  const Stalled cases[] = {
      {"a byte of a large one", 1ull << 30, 1, 2 << 10},
      {"a byte of who knows", std::nullopt, 1, 2 << 10},
      {"a byte of a chunk", model::kChunkBytes, 1, 2 << 10},
      {"a byte of a small one", 200'000, 1, 2 << 10},
      {"a byte of a tiny one", 1000, 1, 1000},
      {"2 KiB and a byte", 1ull << 30, (2 << 10) + 1, 16 << 10},
      {"the first few", 1ull << 30, 16 << 10, 16 << 10},
  };
  for (const Stalled& c : cases) {
    SCOPED_TRACE(c.what);
    auto options = patient();
    options.buffer_bytes = 64ull << 20;
    reopen(options);
    const auto work = [&]() -> async::Task<Result<WrittenStream>> {
      std::vector<std::unique_ptr<StreamWriter>> stalled;
      const std::string sent = make_text(c.sent);
      for (int i = 0; i < 100; ++i) {
        stalled.push_back(
            store_->open_writer(c.size, deadline_in(60s), parties.account("attacker")));
        EXPECT_TRUE(co_await stalled.back()->write(as_bytes(sent)));
      }
      EXPECT_LE(store_->health().buffer_bytes_in_use, 100 * c.held_max);
      for (const size_t size : {size_t{100}, size_t{100'000}, size_t{9'000'000}}) {
        auto writer = store_->open_writer(size, deadline_in(60s), parties.account("victim"));
        const std::string text = make_text(size);
        for (size_t at = 0; at < size; at += 50'000) {
          const Result<void> taken = co_await writer->write(
              as_bytes(text).subspan(at, std::min<size_t>(50'000, size - at)));
          EXPECT_TRUE(taken) << size;
        }
        EXPECT_TRUE(co_await writer->finish()) << size;
      }
      stalled.clear();
      auto last = store_->open_writer(std::nullopt, deadline_in(60s));
      co_return co_await last->finish();
    };
    EXPECT_TRUE(run(work()));
    EXPECT_EQ(store_->health().buffer_bytes_in_use, 0u);
  }
}

// Bytes that really came, and then no more: who brings some takes their place, and they are told.
TEST_F(Write, WhatCameToAHaltGivesWay) {
  admission::Parties parties;
  auto options = patient();
  options.buffer_bytes = 64ull << 20;  // Five chunks on their way in.
  options.writer_patience = 1ms;
  reopen(options);
  const auto work = [&]() -> async::Task<Result<WrittenStream>> {
    const std::string most = make_text(model::kChunkBytes - 1);
    std::vector<std::unique_ptr<StreamWriter>> halted;
    for (const char* name : {"a", "b", "c", "d", "e"}) {  // In league: each within its share.
      halted.push_back(store_->open_writer(std::nullopt, deadline_in(60s), parties.account(name)));
      EXPECT_TRUE(co_await halted.back()->write(as_bytes(most)));
    }
    auto writer = store_->open_writer(std::nullopt, deadline_in(60s), parties.account("victim"));
    const std::string chunk = make_text(model::kChunkBytes);
    CO_TRY_VOID(co_await writer->write(as_bytes(chunk)));
    auto written = co_await writer->finish();
    int gave_way = 0;
    for (const auto& one : halted) {
      const Result<void> more = co_await one->write(as_bytes("x"));
      if (!more) ++gave_way;
      if (!more) EXPECT_EQ(more.error().code, ErrorCode::kResourceExhausted);
      if (!more) EXPECT_FALSE(co_await one->finish());
    }
    EXPECT_GE(gave_way, 1);
    co_return written;
  };
  const auto written = run(work());
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(*read(*written), make_text(model::kChunkBytes));
}

// A disk that hangs would otherwise hold the buffers of everything that is written meanwhile.
TEST_F(Write, ASlowThirdCopyLosesItsBuffer) {
  for (const size_t size : {size_t{1000}, size_t{3'000'000}}) {
    auto options = quick();
    options.write_deadline = std::chrono::hours(1);
    reopen(options);
    fault_all({});
    fault_zone("z1", {.silent = true});
    const auto written = run(write_task(make_text(size), std::nullopt, std::chrono::hours(1)));
    ASSERT_TRUE(written);
    EXPECT_EQ(store_->health().buffer_bytes_in_use, 0u);
    EXPECT_EQ(store_->health().background_tasks, 0u);
    EXPECT_GE(zones(cluster_.holders({written->id, 0})).size(), 2u);
  }
}

}  // namespace
}  // namespace rondel::blobs
