// An index that is lost or damaged: put aside and made again from the segments, when the disk is
// opened or while it serves.
#include <filesystem>
#include <ranges>

#include "common/log/log.h"
#include "storage-node/engine/disk_engine.h"
#include "storage-node/segment/extent_reader.h"

namespace rondel::engine {
namespace {

constexpr size_t kDropBatch = 1024;
constexpr size_t kSettleBatch = 1024;
constexpr uint64_t kSlices = 256;  // Of the ring: damage in the old index hides the rest of one.

// One that is made while the disk serves lies here until the disk is opened again.
std::string replacement_path(const std::string& path, uint64_t number) {
  return path + ".rebuilt-" + std::to_string(number);
}

// Of the replacements that an earlier process made, the last one is the index.
void settle_folders(const std::string& path) {
  std::error_code error;
  for (uint64_t number = CurrentIndex::kReplacementsMax; number > 0; --number) {
    const std::string replacement = replacement_path(path, number);
    if (!std::filesystem::exists(replacement, error)) continue;
    std::filesystem::remove_all(path, error);
    std::filesystem::rename(replacement, path, error);
    for (uint64_t older = number - 1; older > 0; --older) {
      std::filesystem::remove_all(replacement_path(path, older), error);
    }
    return;
  }
}

}  // namespace

index::Entry trashed_by(const index::Removal& removal, index::Entry entry) {
  entry.purge_at_us = removal.marked_us;
  entry.purge_elapsed_us = removal.elapsed_us;
  entry.order = removal.order;
  return entry;
}

Result<std::unique_ptr<index::Index>> DiskEngine::open_index_at(const std::string& path,
                                                                uint64_t number) {
  index::IndexOptions options;
  options.path = path;
  options.memtable_bytes = options_.memtable_bytes;
  options.block_cache_bytes = options_.block_cache_bytes;
  options.lose_unflushed_at_close = options_.lose_unflushed_index;
  options.watch = &watch_;
  options.on_damage = [this, number](const std::string& what) { lose_index(number, what); };
  return index::Index::open(options);
}

Result<void> DiskEngine::open_index() {
  {
    const fs::IoWatch::Call call(&watch_);
    settle_folders(index_path());
  }
  auto opened = open_index_at(index_path(), index_number_);
  if (!opened && opened.error().code == ErrorCode::kCorruption) {
    lose_index(index_number_, opened.error().message);
    return put_index_aside();
  }
  TRY(auto index, std::move(opened));
  index_.open(std::move(index));
  return {};
}

// recover() makes it again.
Result<void> DiskEngine::put_index_aside() {
  index_.close();
  const std::string path = index_path();
  {
    const fs::IoWatch::Call call(&watch_);
    std::error_code error;
    std::filesystem::remove_all(path + ".damaged", error);
    std::filesystem::rename(path, path + ".damaged", error);
    if (error) {
      return fail(ErrorCode::kInternal,
                  "the damaged index cannot be put aside: " + error.message());
    }
  }
  TRY(auto index, open_index_at(path, ++index_number_));
  index_.open(std::move(index));
  index_damaged_ = false;
  return {};
}

// From any thread. Of an index that was replaced nothing matters any longer.
void DiskEngine::lose_index(uint64_t number, const std::string& what) {
  if (number != index_number_ || index_damaged_.exchange(true)) return;
  log::error("engine", "the index is damaged and made again",
             {{"disk", options_.disk.to_hex()}, {"error", what}});
}

// The logs tell what they know; large blobs whose log is gone, or that were moved since, are found
// by their trailers. What was removed may come back: the reconcile scan finds it. Of orders whose
// records are gone the old index tells, where there is one, and the removals that are kept.
Result<void> DiskEngine::rebuild(index::Index& index, index::Index* old) {
  const auto logs = segments_->logs_and_freed();
  uint64_t mark = 0;
  for (size_t i = 0; i < logs.size(); ++i) {
    if (logs[i].first_sequence > 0) sequence_ = std::max(sequence_, logs[i].first_sequence - 1);
    const uint64_t end = i + 1 < logs.size() ? logs[i + 1].first_sequence : UINT64_MAX;
    TRY_VOID(replay(index, logs[i], end, mark, 0, true));
  }
  sequence_ = std::max(sequence_, mark);
  journal_end_ = journal_token(sequence_ + 1, 0) - 1;

  // The newest first: where a blob lies twice that one counts.
  for (const segment::SegmentHeader& header : segments_->bulks() | std::views::reverse) {
    TRY_VOID(rebuild_bulk(index, header));
  }
  TRY_VOID(drop_places_that_are_gone(index));
  if (old != nullptr) TRY_VOID(take_orders(index, *old));
  TRY_VOID(follow_removals(index));
  TRY_VOID(keep_trash(index));

  auto changes = index.new_batch();
  changes->mark(sequence_);
  changes->raise_order(highest_order_);
  TRY_VOID(index.apply(*changes));
  TRY_VOID(index.forget_journal(journal_end_));
  return note_doubt(index);
}

// Records of orders may be gone with their log: the old index knows them, as far as it can be read.
Result<void> DiskEngine::take_orders(index::Index& index, index::Index& old) {
  std::vector<index::Entry> known;
  const auto take = [&]() -> Result<void> {
    auto changes = index.new_batch();
    for (const index::Entry& entry : known) {
      TRY(const auto found, index.find(entry.id));
      // A higher order is that of a batch that the old index did not take any more.
      if (!found || found->digest != entry.digest || found->order > entry.order) continue;
      index::Entry now = *found;
      now.order = entry.order;
      now.purge_at_us = entry.purge_at_us;
      now.purge_elapsed_us = entry.purge_elapsed_us;
      now.dropped = entry.dropped;
      if (now != *found) changes->store(now, found);
    }
    known.clear();
    return index.apply(*changes);
  };

  constexpr uint64_t kSlice = UINT64_MAX / kSlices + 1;
  for (uint64_t slice = 0; slice < kSlices; ++slice) {
    if (stopping_) return fail(ErrorCode::kUnavailable, "the disk is closed");
    Result<void> taken;
    const auto read = old.visit(slice * kSlice, {}, [&](const index::Entry& entry) {
      if (entry.id.ring_hash() / kSlice != slice) return false;
      if (entry.order > 0 || entry.trashed()) known.push_back(entry);
      if (known.size() >= kSettleBatch) taken = take();
      return taken.has_value();
    });
    TRY_VOID(std::move(taken));
    if (!read && read.error().code != ErrorCode::kCorruption) return read;
    TRY_VOID(take());
  }
  return {};
}

// What is live by an order below that of a removal which is kept was removed: the record of that is
// gone. A live blob of a higher order ends the removal.
Result<void> DiskEngine::follow_removals(index::Index& index) {
  model::BlobId after;
  for (;;) {
    TRY(const auto removals, index.list_removals(after, kSettleBatch));
    auto changes = index.new_batch();
    for (const index::Removal& removal : removals) {
      TRY(const auto found, index.find(removal.id));
      if (!found || found->order >= removal.order) continue;
      index::Entry now = trashed_by(removal, *found);
      now.dropped = false;
      changes->store(now, found);
    }
    TRY_VOID(index.apply(*changes));
    if (removals.size() < kSettleBatch) return {};
    after = removals.back().id;
  }
}

// The record of a restore may be gone, and that of the removal before it not: nothing is purged
// before the comparison with the peers has had its time, in which a higher order comes back.
Result<void> DiskEngine::keep_trash(index::Index& index) {
  const auto period = static_cast<uint64_t>(std::max<int64_t>(
      0, std::chrono::duration_cast<std::chrono::microseconds>(options_.journal_period).count()));
  const uint64_t purge_at = now_us() + period, purge_elapsed = elapsed_us() + period;
  model::BlobId after;
  for (;;) {
    std::vector<index::Entry> trash;
    TRY_VOID(index.visit(0, after, [&](const index::Entry& entry) {
      after = entry.id;
      if (entry.trashed()) trash.push_back(entry);
      return trash.size() < kSettleBatch;
    }));
    auto changes = index.new_batch();
    for (const index::Entry& entry : trash) {
      index::Entry now = entry;
      now.purge_at_us = std::max(now.purge_at_us, purge_at);
      now.purge_elapsed_us = std::max(now.purge_elapsed_us, purge_elapsed);
      changes->store(now, entry);
    }
    TRY_VOID(index.apply(*changes));
    if (trash.size() < kSettleBatch) return {};
  }
}

Result<void> DiskEngine::rebuild_bulk(index::Index& index, const segment::SegmentHeader& header) {
  const auto file = segments_->file(header.segment, header.generation);
  if (!file) return {};
  segment::ExtentReader reader(*file, header, options_.segment_bytes);
  for (;;) {
    if (stopping_) return fail(ErrorCode::kUnavailable, "the disk is closed");
    TRY(const auto extent, reader.next());
    if (!extent) break;
    if (!extent->complete) continue;
    const segment::RecordHeader& h = extent->header;
    index::Entry found{
        h.id, {}, h.length, h.digest, h.ring_epoch, h.created_us, h.received_us, h.handoff_for, 0};
    found.at = {header.segment, header.generation, extent->offset, segment::extent_bytes(h.length),
                true};
    TRY(const auto known, index.find(h.id));
    TRY(const auto removal,
        known ? Result<std::optional<index::Removal>>() : index.find_removal(h.id));
    if (removal) found = trashed_by(*removal, found);
    if (known && !is_better_place(*known, found)) continue;
    index::Entry now = known.value_or(found);
    now.at = found.at;
    auto changes = index.new_batch();
    changes->store(now, known);
    TRY_VOID(index.apply(*changes));
  }
  unreadable_ += reader.unreadable();
  return {};
}

// The records of a move may be gone with their log: then an older one names a place that is used
// otherwise by now.
bool DiskEngine::is_better_place(const index::Entry& known, const index::Entry& found) {
  if (!known.at.large || known.at == found.at) return false;
  if (known.length != found.length || known.digest != found.digest) return false;
  return !verifies(known) && verifies(found);
}

bool DiskEngine::verifies(const index::Entry& entry) {
  for (uint64_t at = 0; at < entry.length; at += model::kPieceBytes) {
    if (!read_entry(entry, at, std::min<uint64_t>(model::kPieceBytes, entry.length - at), false)) {
      return false;
    }
  }
  return true;
}

// A blob whose segment is used otherwise is not here: peers, who are asked because of the doubt,
// have it.
Result<void> DiskEngine::drop_places_that_are_gone(index::Index& index) {
  model::BlobId after;
  for (;;) {
    std::vector<index::Entry> gone;
    TRY_VOID(index.visit(0, after, [&](const index::Entry& entry) {
      after = entry.id;
      if (!segments_->is_current(entry.at)) gone.push_back(entry);
      return gone.size() < kDropBatch;
    }));
    if (gone.empty()) return {};
    auto changes = index.new_batch();
    for (const index::Entry& entry : gone) {
      changes->erase(entry);
      const bool removed = entry.trashed() && !entry.dropped;
      if (removed) {
        changes->keep_removal({entry.id, entry.order, entry.purge_at_us, entry.purge_elapsed_us});
      }
    }
    TRY_VOID(index.apply(*changes));
    corrupt_reads_ += gone.size();
    log::error("engine", "blobs are lost with the index",
               {{"disk", options_.disk.to_hex()}, {"blobs", gone.size()}});
    if (gone.size() < kDropBatch) return {};
  }
}

// While the disk serves: reads go on with the index that is damaged, where it can still be read. Of
// maintenance.
Result<void> DiskEngine::replace_index() {
  if (index_.replacements() >= CurrentIndex::kReplacementsMax) {
    return fail(ErrorCode::kUnavailable,
                "the index was damaged too often: it is made again when the disk is opened");
  }
  TRY_VOID(await_committer());
  const uint64_t number = index_number_ + 1;
  const std::string path = replacement_path(index_path(), index_.replacements() + 1);
  {
    const fs::IoWatch::Call call(&watch_);
    std::error_code error;
    std::filesystem::remove_all(path, error);
  }
  TRY(auto fresh, open_index_at(path, number));
  // What the segments do not tell: settings (doubts go on rising), removals, what is wanted.
  TRY_VOID(fresh->take_rest(*index_, kIndexOwner));
  unreadable_ = 0;
  TRY_VOID(rebuild(*fresh, &*index_));
  if (unreadable_ > 0) TRY_VOID(medium_answers());
  TRY_VOID(fresh->put_setting(kIndexOwner, options_.disk.to_hex()));

  segments_->forget_counts();
  TRY_VOID(count_blobs(*fresh));
  recent_.forget(now_us());
  removed_.forget(now_us());
  index_.replace(std::move(fresh));
  index_number_ = number;
  index_damaged_ = false;
  log::info("engine", "the index is made again",
            {{"disk", options_.disk.to_hex()}, {"blobs", blobs_.load()}});
  return {};
}

// Nothing is committed while the index is damaged: only the batch that is under way has to end.
Result<void> DiskEngine::await_committer() {
  MutexLock lock(commit_mutex_);
  while (!stopping_ && committing_) commit_idle_.wait(commit_mutex_);
  if (stopping_) return fail(ErrorCode::kUnavailable, "the disk is closed");
  return {};
}

uint64_t DiskEngine::doubts() {
  const auto stored = index_->get_setting(kDoubts);
  return stored && stored->size() == 8 ? load_be<uint64_t>(as_bytes(*stored).data()) : 0;
}

Result<void> DiskEngine::note_doubt(index::Index& index) {
  const auto stored = index.get_setting(kDoubts);
  const uint64_t before =
      stored && stored->size() == 8 ? load_be<uint64_t>(as_bytes(*stored).data()) : 0;
  std::string raw(8, '\0');
  store_be(reinterpret_cast<std::byte*>(raw.data()), before + 1);
  return index.put_setting(kDoubts, raw);
}

}  // namespace rondel::engine
