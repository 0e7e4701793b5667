// What a look-up reads, and what a crash leaves, on a RocksDB of our own.
#include <gtest/gtest.h>
#include <rocksdb/perf_context.h>
#include <rocksdb/perf_level.h>
#include <stdlib.h>

#include <filesystem>
#include <iostream>
#include <map>
#include <random>
#include <thread>

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

// The mark of a removal ends with the batch that stores a live entry of a higher order, whether it
// lies in the tables or comes with the same batch.
TEST_F(IndexTest, ALiveEntryOfAHigherOrderEndsARemoval) {
  struct Case {
    uint64_t before, now;  // Orders of the entry; before 0: there was none.
    bool trashed, stays;
  };

  for (const Case& one :
       {Case{0, 7, false, false}, Case{3, 7, false, false}, Case{0, 5, false, true},
        Case{0, 4, false, true}, Case{0, 0, false, true}, Case{3, 7, true, true}}) {
    for (const bool same_batch : {false, true}) {
      SCOPED_TRACE(std::to_string(one.before) + " " + std::to_string(one.now));
      open({});
      Entry now;
      now.id = {model::StreamId::random(), 1};
      now.order = one.now;
      now.purge_at_us = one.trashed ? 1 : 0;
      std::optional<Entry> before;
      if (one.before > 0) {
        before = now;
        before->order = one.before;
      }
      auto batch = index_->new_batch();
      batch->keep_removal({now.id, 5, 1, 1});
      if (!same_batch) {
        ASSERT_TRUE(index_->apply(*batch));
        batch = index_->new_batch();
      }
      batch->store(now, before);
      ASSERT_TRUE(index_->apply(*batch));
      EXPECT_EQ(index_->find_removal(now.id).value().has_value(), one.stays);
    }
  }
}

// Removals that are looked at in pages: all that are over go, and what is kept anew stays.
TEST_F(IndexTest, RemovalsAreDroppedPageByPage) {
  open({});
  const auto stream = model::StreamId::random();
  auto batch = index_->new_batch();
  for (uint32_t n = 0; n < 100; ++n) batch->keep_removal({{stream, n}, 1, n % 2 ? 10u : 100u, 10});
  ASSERT_TRUE(index_->apply(*batch));
  model::BlobId after;
  size_t pages = 0;
  do {
    after = index_->drop_removals(after, 50, 50, 10).value();
    ++pages;
  } while (after != model::BlobId{});
  EXPECT_EQ(pages, 10u);
  const auto left = index_->list_removals({}, 1000).value();
  ASSERT_EQ(left.size(), 50u);
  for (const Removal& removal : left) EXPECT_EQ(removal.marked_us, 100u);
  EXPECT_EQ(index_->list_removals(left[9].id, 7).value().front(), left[10]);
}

// Every put asks whether the blob is here: with filters that do not stay in memory that is a read
// of a whole filter.
TEST_F(IndexTest, AskingForABlobThatIsNotHereReadsNothingOnceFiltersAreInMemory) {
  open({.memtable_bytes = 1 << 20, .block_cache_bytes = 2 << 20});
  const auto stream = model::StreamId::random();
  for (uint32_t from = 0; from < kBlobs; from += 1000) store(stream, from, from + 1000);
  ASSERT_TRUE(index_->flush());
  const auto ask = [&] {
    for (uint32_t number = 0; number < 5000; ++number) {
      EXPECT_FALSE(index_->find({stream, kBlobs + number})->has_value());
    }
  };
  ask();
  rocksdb::SetPerfLevel(rocksdb::kEnableCount);
  rocksdb::get_perf_context()->Reset();
  ask();
  EXPECT_LT(rocksdb::get_perf_context()->block_read_count, 500u)
      << "a filter answers wrongly for one in a hundred";
  rocksdb::SetPerfLevel(rocksdb::kDisable);
}

TEST_F(IndexTest, ACrashLeavesBlobsAndJournalAsTheirMarksSay) {
  open({.memtable_bytes = 256 << 10, .lose_unflushed_at_close = true});
  const auto stream = model::StreamId::random();
  for (uint32_t from = 0; from < 20'000; from += 100) store(stream, from, from + 100);
  open({});
  const uint64_t mark = *index_->mark();
  EXPECT_GT(mark, 0u) << "full memtables are written";
  EXPECT_GT(*index_->journal_mark(), 0u);
  EXPECT_EQ(index_->journal_after(0, 100'000)->size(), *index_->journal_mark());
  uint64_t blobs = 0;
  ASSERT_TRUE(index_->visit(0, {}, [&](const Entry&) { return ++blobs, true; }));
  EXPECT_EQ(blobs, mark);
}

TEST_F(IndexTest, AnEntryOfTheTrashIsDueByBothClocksAndHoldsUpNoOther) {
  open({});
  const auto stream = model::StreamId::random();
  constexpr uint32_t kWaiting = 40'000;
  auto batch = index_->new_batch();
  for (uint32_t number = 0; number <= kWaiting; ++number) {
    Entry entry;
    entry.id = {stream, number};
    entry.purge_at_us = 1000 + number;
    entry.purge_elapsed_us = number < kWaiting ? 500 : 5;
    batch->store(entry, std::nullopt);
  }
  ASSERT_TRUE(index_->apply(*batch));
  EXPECT_TRUE(index_->purgeable(999, UINT64_MAX, {}, 10)->ids.empty());
  EXPECT_TRUE(index_->purgeable(1'000'000, 4, {}, 10)->ids.empty());
  // One that is due by both lies behind all the others: it is come to in pages.
  std::vector<model::BlobId> due;
  size_t pages = 0;
  for (TrashPage page; pages == 0 || !page.next.empty(); ++pages) {
    page = index_->purgeable(1'000'000, 499, page.next, 10).value();
    due.insert(due.end(), page.ids.begin(), page.ids.end());
  }
  EXPECT_EQ(due, (std::vector<model::BlobId>{{stream, kWaiting}}));
  EXPECT_EQ(pages, 3u) << "each of at most 16,384";
  // In order, none twice, none left out.
  const auto first = index_->purgeable(1002, 500, {}, 2).value();
  EXPECT_EQ(first.ids, (std::vector<model::BlobId>{{stream, 0}, {stream, 1}}));
  const auto second = index_->purgeable(1002, 500, first.next, 2).value();
  EXPECT_EQ(second.ids, (std::vector<model::BlobId>{{stream, 2}}));
  EXPECT_TRUE(second.next.empty());
}

TEST_F(IndexTest, TheJournalIsDroppedByBothClocks) {
  open({});
  Entry entry;
  entry.id = {model::StreamId::random(), 0};
  const auto left = [&](uint64_t flushed_before, uint64_t elapsed_before) {
    EXPECT_TRUE(index_->drop_journal(flushed_before, elapsed_before));
    return index_->journal_after(0, 100)->size();
  };
  auto batch = index_->new_batch();
  for (uint64_t token = 1; token <= 10; ++token) {
    batch->append_journal({token, false, entry, 100 + token, 10 + token});
  }
  ASSERT_TRUE(index_->apply(*batch));
  EXPECT_EQ(left(1000, 0), 10u);
  EXPECT_EQ(left(0, 1000), 10u);
  EXPECT_EQ(left(104, 1000), 7u);
  EXPECT_EQ(left(1000, 17), 4u);
  EXPECT_EQ(*index_->journal_dropped(), 6u);
}

TEST_F(IndexTest, ABatchThatIsAppliedTwiceChangesNothing) {
  open({});
  const auto stream = model::StreamId::random();
  for (int times = 0; times < 2; ++times) store(stream, 0, 10);
  EXPECT_EQ(index_->journal_after(0, 1000)->size(), 10u);
  ASSERT_TRUE(index_->flush());
  EXPECT_EQ(index_->journal_after(0, 1000)->size(), 10u);
}

TEST_F(IndexTest, WhatIsForgottenOfTheJournalMayStillHaveWaited) {
  const auto stream = model::StreamId::random();
  for (const bool flush : {false, true}) {
    open({.lose_unflushed_at_close = true});
    store(stream, 0, 50);
    ASSERT_TRUE(index_->forget_journal(20));
    EXPECT_EQ(index_->journal_after(0, 1000)->size(), 30u);
    auto erasing = index_->new_batch();
    erasing->erase(*index_->find({stream, 3}).value());
    store(stream, 50, 100);
    ASSERT_TRUE(index_->apply(*erasing));
    if (flush) ASSERT_TRUE(index_->flush());
    store(stream, 100, 150);
    open({.lose_unflushed_at_close = true});
    EXPECT_EQ(*index_->mark(), flush ? 100u : 0u);
    EXPECT_EQ(*index_->journal_dropped(), flush ? 20u : 0u);
    EXPECT_EQ(index_->journal_after(0, 1000)->size(), flush ? 80u : 0u);
    EXPECT_FALSE(index_->find({stream, 3})->has_value());
    EXPECT_EQ(index_->find({stream, 4})->has_value(), flush);
    EXPECT_FALSE(index_->find({stream, 120})->has_value());
  }
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

struct Step {
  std::optional<Entry> now, before;
};

// What the index should hold after the first so many batches.
struct Model {
  std::map<std::pair<uint64_t, std::string>, Entry> blobs;  // In the order of the ring.
  std::vector<uint64_t> tokens;

  static std::pair<uint64_t, std::string> key(const model::BlobId& id) {
    return {id.ring_hash(), std::string(as_text(id.bytes()))};
  }

  void take(const std::vector<Step>& batch, uint64_t number) {
    for (size_t i = 0; i < batch.size(); ++i) {
      const auto& [now, before] = batch[i];
      if (now) blobs.insert_or_assign(key(now->id), *now);
      if (!now) blobs.erase(key(before->id));
      tokens.push_back(number << 12 | i);
    }
  }
};

class IndexModelTest : public IndexTest {
 protected:
  Entry fresh() {
    Entry entry;
    entry.id = {stream_, ++made_};
    entry.received_us = made_;
    entry.length = random_() % 1000;
    return entry;
  }

  // New blobs; in one of some batches also blobs that are known: into the trash, out of it, as
  // hand-off copies, gone.
  std::vector<Step> next_batch() {
    std::vector<Step> batch;
    for (uint64_t left = 1 + random_() % 700; left > 0; --left) {
      batch.push_back({fresh(), std::nullopt});
    }
    if (random_() % 6 == 0) batch.back().now->handoff_for = model::DiskId::random();
    if (model_.blobs.empty() || random_() % 3 != 0) return batch;
    std::map<uint32_t, Entry> chosen;
    for (uint64_t left = 1 + random_() % 20; left > 0; --left) {
      const auto found =
          std::next(model_.blobs.begin(), static_cast<ptrdiff_t>(random_() % model_.blobs.size()));
      chosen.emplace(found->second.id.chunk, found->second);
    }
    for (const auto& [chunk, before] : chosen) {
      std::optional<Entry> now = before;
      if (const auto what = random_() % 4; what == 0)
        now.reset();
      else if (what == 1)
        now->purge_at_us = before.trashed() ? 0 : 1 + random_() % 1000;
      else if (what == 2)
        now->at.offset += 4096;
      else
        now->handoff_for = before.handoff_for.is_zero() ? model::DiskId::random() : model::DiskId{};
      batch.push_back({now, before});
    }
    return batch;
  }

  void apply(const std::vector<Step>& steps) {
    history_.push_back(steps);
    apply(history_.size(), false);
    model_.take(steps, history_.size());
  }

  void apply(uint64_t number, bool only_journal) {
    const std::vector<Step>& steps = history_[number - 1];
    auto batch = index_->new_batch();
    for (size_t i = 0; i < steps.size(); ++i) {
      if (!only_journal) {
        steps[i].now ? batch->store(*steps[i].now, steps[i].before)
                     : batch->erase(*steps[i].before);
      }
      batch->append_journal({number << 12 | i, !steps[i].now,
                             steps[i].now.value_or(steps[i].before.value_or(Entry{})), number});
    }
    only_journal ? batch->mark_journal(number) : batch->mark(number);
    ASSERT_TRUE(index_->apply(*batch));
  }

  // Each family is as its own mark says; then what one of them lacks is applied again, as from the
  // log.
  void crash() {
    open({.memtable_bytes = 256 << 10, .lose_unflushed_at_close = true});
    const uint64_t mark = *index_->mark(), told = *index_->journal_mark();
    const uint64_t end = std::max(mark, told);
    ASSERT_LE(end, history_.size());
    history_.resize(end);
    model_ = {};
    for (uint64_t number = 1; number <= told; ++number) model_.take(history_[number - 1], number);
    const std::vector<uint64_t> tokens = model_.tokens;
    model_ = {};
    for (uint64_t number = 1; number <= mark; ++number) model_.take(history_[number - 1], number);
    model_.tokens = tokens;
    compare_all();
    model_ = {};
    for (uint64_t number = 1; number <= end; ++number) {
      model_.take(history_[number - 1], number);
      if (number > std::min(mark, told)) apply(number, number <= mark);
    }
    EXPECT_EQ(*index_->journal_mark(), end);
  }

  void compare() {
    EXPECT_EQ(*index_->mark(), history_.size());
    compare_all();
  }

  void compare_all() {
    std::vector<Entry> expected, seen;
    std::multimap<uint64_t, model::BlobId> handoffs, trash;
    for (const auto& [key, entry] : model_.blobs) {
      expected.push_back(entry);
      if (entry.trashed()) trash.emplace(entry.purge_at_us, entry.id);
      if (!entry.trashed() && !entry.handoff_for.is_zero()) {
        handoffs.emplace(entry.received_us, entry.id);
      }
    }
    model::BlobId after;
    for (bool more = true; more;) {  // In pages, as peers ask.
      more = false;
      size_t page = 0;
      ASSERT_TRUE(index_->visit(0, after, [&](const Entry& entry) {
        seen.push_back(entry);
        after = entry.id;
        return !(more = ++page == 1000);
      }));
    }
    EXPECT_TRUE(seen == expected) << seen.size() << " and " << expected.size();
    EXPECT_EQ(index_->handoffs(0, {}, 1 << 20)->size(), handoffs.size());
    EXPECT_EQ(index_->purgeable(UINT64_MAX, UINT64_MAX, {}, 1 << 20)->ids.size(), trash.size());
    std::vector<uint64_t> tokens;
    for (uint64_t token = 0;;) {
      const auto page = index_->journal_after(token, 777).value();
      if (page.empty()) break;
      for (const JournalRecord& record : page) tokens.push_back(token = record.token);
    }
    EXPECT_TRUE(tokens == model_.tokens) << tokens.size() << " and " << model_.tokens.size();
    for (uint32_t chunk = 1; chunk <= made_; chunk += 97) {
      const auto found = model_.blobs.find(Model::key({stream_, chunk}));
      const auto expected_entry =
          found == model_.blobs.end() ? std::nullopt : std::optional(found->second);
      EXPECT_TRUE(index_->find({stream_, chunk}).value() == expected_entry) << chunk;
    }
  }

  std::mt19937_64 random_;
  const model::StreamId stream_ = model::StreamId::random();
  uint32_t made_ = 0;
  Model model_;
  std::vector<std::vector<Step>> history_;
};

TEST_F(IndexModelTest, RandomChangesFlushesAndCrashesLeaveWhatTheMarkSays) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  random_.seed(seed);
  crash();
  for (int round = 0; round < 12 && !HasFatalFailure(); ++round) {
    for (uint64_t batches = random_() % 25; batches > 0 && !HasFatalFailure(); --batches) {
      apply(next_batch());
    }
    compare();
    if (random_() % 3 == 0) ASSERT_TRUE(index_->flush());
    if (random_() % 2 == 0) crash();
    compare();
  }
}

// Who follows the journal while it grows misses nothing and finds every blob that it names.
TEST_F(IndexModelTest, AFollowerOfTheJournalMissesNothing) {
  open({.memtable_bytes = 256 << 10});
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int batch = 0; batch < 200; ++batch) apply(next_batch());
    done = true;
  });
  std::vector<uint64_t> tokens;
  for (uint64_t token = 0;;) {
    const bool last = done;
    const auto page = index_->journal_after(token, 500).value();
    if (page.empty() && last) break;
    for (const JournalRecord& record : page) {
      tokens.push_back(token = record.token);
      if (record.token % 16 == 0 && !record.removed && !index_->find(record.entry.id).value()) {
        EXPECT_TRUE(index_->mark().value() > record.token >> 12)
            << "only a later batch may have erased it";
      }
    }
  }
  writer.join();
  EXPECT_TRUE(tokens == model_.tokens) << tokens.size() << " and " << model_.tokens.size();
}

}  // namespace
}  // namespace rondel::index
