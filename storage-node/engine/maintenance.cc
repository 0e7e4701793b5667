// Giving space back: purging what has left the trash, moving what is left in sparse segments,
// freeing empty ones.
#include <algorithm>
#include <functional>

#include "common/log/log.h"
#include "storage-node/engine/await_callback.h"
#include "storage-node/engine/disk_engine.h"
#include "storage-node/segment/extent_reader.h"
#include "storage-node/segment/log_reader.h"

namespace rondel::engine {

using segment::kBlock;

namespace {

using namespace std::chrono_literals;

constexpr double kRatioWhenFull = 0.05;
constexpr size_t kPurgeBatch = 4096;
constexpr size_t kMoveBatch = 128;
// A segment that could not be emptied (damage in it) is left alone this long,
constexpr auto kPassOver = 10min;
constexpr auto kPassOverFull = 5s;  // one whose blobs found no room elsewhere that long.
constexpr size_t kEntriesBatch = 1024;
constexpr size_t kOrdersBatch = 1024;

}  // namespace

// False: it lasted `most`.
bool DiskEngine::sleep_until_stopped(Duration most) {
  const SteadyTime until = std::chrono::steady_clock::now() + most;
  MutexLock lock(stop_mutex_);
  while (!stopping_ && stop_.wait_until(stop_mutex_, until)) continue;
  return stopping_;
}

void DiskEngine::maintain_loop() {
  for (;;) {
    if (sleep_until_stopped(options_.maintenance_period)) return;
    if (read_only_) continue;
    if (auto done = compact_once(); !done && !stopping_) {
      log::warn("engine", "maintenance failed",
                {{"disk", options_.disk.to_hex()}, {"error", done.error().message}});
    }
  }
}

Result<uint64_t> DiskEngine::compact_once() {
  MutexLock lock(maintain_mutex_);
  if (index_damaged_ && !read_only_) TRY_VOID(replace_index());
  keep_clock_when_due();
  save_damaged();
  TRY_VOID(purge());
  TRY_VOID(trim_journal());
  TRY_VOID(drop_removals());
  TRY(uint64_t freed, release_empty());
  const SteadyTime now = options_.clock->steady_now();
  if (const auto sparse = segments_->find_garbage(garbage_ratio(), now)) {
    const auto done = compact(*sparse);
    // Whatever it was, the other segments are not to wait for it.
    const bool full = !done && done.error().code == ErrorCode::kStorageFull;
    if (!segments_->is_empty(sparse->segment)) {
      segments_->pass_over(sparse->segment,
                           now + (full ? Duration(kPassOverFull) : Duration(kPassOver)));
    }
    TRY(const uint64_t more, release_empty());
    freed += more;
    TRY_VOID(done);
  }
  measure_space();
  return freed;
}

// A disk whose clock cannot be kept goes on: after a crash the trash only lasts longer.
void DiskEngine::keep_clock_when_due() {
  const auto kept = elapsed_.keep_when_due();
  if (kept && !*kept) return;
  note_clock();
  if (!kept) {
    log::warn("engine", "the disk's clock is not kept",
              {{"disk", options_.disk.to_hex()}, {"error", kept.error().message}});
  }
}

// In the index too: the file may be lost.
void DiskEngine::note_clock() {
  std::string raw(8, '\0');
  store_be(reinterpret_cast<std::byte*>(raw.data()), elapsed_us());
  (void)index_->note_setting(kElapsed, raw);
}

// What has been in the trash for its time by the wall clock and by the time that the disk was in
// use since.
Result<uint64_t> DiskEngine::purge() {
  uint64_t purged = 0;
  for (;;) {
    if (options_.may_purge && !options_.may_purge(options_.disk)) return purged;
    CommitItem judged;
    judged.kind = CommitItem::Kind::kPurge;
    judged.entry.purge_at_us = now_us();
    judged.entry.purge_elapsed_us = elapsed_us();
    TRY(index::TrashPage page,
        index_->purgeable(judged.entry.purge_at_us, judged.entry.purge_elapsed_us, trash_position_,
                          kPurgeBatch));
    std::vector<CommitItem> items;
    for (const model::BlobId& id : page.ids) {
      CommitItem& item = items.emplace_back();
      item.kind = judged.kind;
      item.entry = judged.entry;
      item.entry.id = id;
    }
    if (!items.empty()) {
      TRY(const uint64_t done, submit_all(std::move(items)));
      purged += done;
    }
    trash_position_ = std::move(page.next);
    // The next round goes on where this one came to, so that what is due by one clock alone is not
    // looked at each time.
    if (page.ids.size() < kPurgeBatch) return purged;
  }
}

Result<void> DiskEngine::trim_journal() {
  const auto period = static_cast<uint64_t>(std::max<int64_t>(
      0, std::chrono::duration_cast<std::chrono::microseconds>(options_.journal_period).count()));
  // A wall clock that stands at its beginning drops nothing.
  const auto before = [period](uint64_t now) { return now - std::min(now, period); };
  return index_->drop_journal(before(now_us()), before(elapsed_us()));
}

// The index must not fall back, after a crash, to places that are written anew, nor to a log that
// is gone: it is flushed after the segments were found empty and before any is given back.
Result<uint64_t> DiskEngine::release_empty() {
  const SteadyTime now = options_.clock->steady_now();
  std::vector<segment::SegmentHeader> empty;
  for (const segment::SegmentHeader& header : segments_->find_empty(now)) {
    TRY(const bool repeated, repeat_orders(header));
    if (repeated) empty.push_back(header);
    if (!repeated) segments_->keep_empty(header.segment, now + kPassOver);
  }
  if (empty.empty()) return 0;
  TRY_VOID(index_->flush());
  for (const segment::SegmentHeader& header : empty) {
    if (auto released = segments_->release(header.segment); !released) {
      become_read_only(released.error());
      return std::unexpected(released.error());
    }
  }
  return empty.size() * options_.segment_bytes;
}

// What was ordered of blobs may stand in a log that is empty else: it goes to where the log goes
// on, for a lost index would bring back what was removed once the segment is used again. False:
// there is so much of it that the log is worth keeping, as it is for compaction.
Result<bool> DiskEngine::repeat_orders(const segment::SegmentHeader& header) {
  if (header.kind != segment::SegmentKind::kLog) return true;
  uint64_t kept = 0;
  TRY_VOID(visit_orders(header, [&](const model::BlobId&) -> Result<void> {
    kept += segment::kRecordHeaderBytes;
    return {};
  }));
  if (kept == 0) return true;
  if (static_cast<double>(kept) >
      static_cast<double>(options_.segment_bytes) * (1 - garbage_ratio())) {
    return false;
  }

  // There may be millions: they are read again rather than held.
  std::vector<CommitItem> items;
  const auto submit_some = [&](size_t at_least) -> Result<void> {
    if (items.empty() || items.size() < at_least) return {};
    const auto done = submit_all(std::exchange(items, {}));
    return done ? Result<void>{} : std::unexpected(done.error());
  };
  auto done = visit_orders(header, [&](const model::BlobId& id) -> Result<void> {
    TRY(items.emplace_back(), repeated(id));
    return submit_some(kOrdersBatch);
  });
  if (done) done = submit_some(1);
  // A disk that has no room for them needs the segment more.
  if (!done && done.error().code != ErrorCode::kResourceExhausted &&
      done.error().code != ErrorCode::kStorageFull) {
    return std::unexpected(done.error());
  }
  return true;
}

// The blobs whose last order stands in this log.
Result<void> DiskEngine::visit_orders(
    const segment::SegmentHeader& header,
    const std::function<Result<void>(const model::BlobId&)>& visit) {
  const auto file = segments_->file(header.segment, header.generation);
  if (!file) return {};
  segment::LogReader reader(*file, header, options_.segment_bytes);
  for (;;) {
    if (stopping_) return fail(ErrorCode::kUnavailable, "the disk is closed");
    TRY(const segment::LogBatch* batch, reader.next());
    if (batch == nullptr) return {};
    for (const segment::LogRecord& record : batch->records) {
      TRY(const bool last, is_last_order(record.header));
      if (last) TRY_VOID(visit(record.header.id));
    }
  }
}

Result<bool> DiskEngine::is_last_order(const segment::RecordHeader& record) {
  using segment::RecordKind;
  if (record.kind == RecordKind::kPut || record.kind == RecordKind::kLarge) return false;
  TRY(const auto entry, index_->find(record.id));
  if (entry && record.kind == RecordKind::kHandoff) {
    return !entry->trashed() && entry->handoff_for == record.handoff_for;
  }
  if (entry) return entry->order == record.order;
  if (record.kind != RecordKind::kRemove) return false;
  TRY(const auto removal, index_->find_removal(record.id));
  return removal && removal->order == record.order;
}

Result<CommitItem> DiskEngine::repeated(const model::BlobId& id) {
  CommitItem item;
  item.kind = CommitItem::Kind::kRepeat;
  item.entry.id = id;
  TRY(const auto removal, index_->find_removal(id));  // Counts where the blob is not here.
  if (removal) {
    item.entry.order = removal->order;
    item.entry.purge_at_us = removal->marked_us;
    item.entry.purge_elapsed_us = removal->elapsed_us;
  }
  return item;
}

// A full disk cannot afford garbage.
double DiskEngine::garbage_ratio() const {
  const double ratio = options_.compaction_garbage_ratio;
  return space_ == Space::kEnough ? ratio : std::min(ratio, kRatioWhenFull);
}

Result<void> DiskEngine::compact(const segment::SegmentHeader& header) {
  ++compactions_;
  TRY_VOID(header.kind == segment::SegmentKind::kLog ? compact_log(header) : compact_bulk(header));
  // What the walk along the segment did not find lies behind damage.
  if (stopping_ || segments_->is_empty(header.segment)) return {};
  return compact_by_entries(header);
}

Result<void> DiskEngine::compact_log(const segment::SegmentHeader& header) {
  const auto file = segments_->file(header.segment, header.generation);
  if (!file) return {};
  segment::LogReader reader(*file, header, options_.segment_bytes);
  std::vector<CommitItem> moves;
  const auto move_all = [&]() -> Result<void> {
    TRY(const uint64_t moved, submit_all(std::exchange(moves, {})));
    (void)moved;
    return {};
  };
  while (!stopping_) {
    TRY(const segment::LogBatch* batch, reader.next());
    if (batch == nullptr) break;
    for (const segment::LogRecord& record : batch->records) {
      if (record.header.kind != segment::RecordKind::kPut) continue;
      TRY(const auto entry, index_->find(record.header.id));
      if (!entry || entry->at.segment != header.segment ||
          entry->at.generation != header.generation || entry->at.offset != record.offset) {
        continue;
      }
      const uint64_t digest_bytes = 8ull * record.header.blocks;
      CommitItem item;
      item.entry = *entry;
      item.moved_from = entry->at;
      item.digests =
          segment::decode_digests(record.bytes.subspan(segment::kRecordHeaderBytes, digest_bytes));
      item.bytes =
          ByteSlice::copy_of(record.bytes.subspan(segment::kRecordHeaderBytes + digest_bytes));
      compacted_bytes_ += item.bytes.size();
      moves.push_back(std::move(item));
      if (moves.size() >= kMoveBatch) TRY_VOID(move_all());
    }
  }
  if (!moves.empty()) TRY_VOID(move_all());
  return {};
}

Result<void> DiskEngine::compact_bulk(const segment::SegmentHeader& header) {
  const auto file = segments_->file(header.segment, header.generation);
  if (!file) return {};
  segment::ExtentReader reader(*file, header, options_.segment_bytes);
  while (!stopping_) {
    TRY(const auto extent, reader.next());
    if (!extent) break;
    TRY(const auto entry, index_->find(extent->header.id));
    if (!entry || entry->at.segment != header.segment ||
        entry->at.generation != header.generation || entry->at.offset != extent->offset) {
      continue;
    }
    if (auto moved = move_extent(*entry); !moved && moved.error().code != ErrorCode::kCorruption) {
      return moved;
    }
  }
  return {};
}

// Goes through the whole index: only for a segment that is damaged. What can be read by itself is
// moved, the rest is listed.
Result<void> DiskEngine::compact_by_entries(const segment::SegmentHeader& header) {
  model::BlobId after;
  for (bool more = true; more && !stopping_;) {
    std::vector<index::Entry> entries;
    TRY_VOID(index_->visit(0, after, [&](const index::Entry& entry) {
      after = entry.id;
      if (entry.at.segment == header.segment && entry.at.generation == header.generation) {
        entries.push_back(entry);
      }
      return entries.size() < kEntriesBatch && !stopping_;
    }));
    more = entries.size() == kEntriesBatch;
    for (const index::Entry& entry : entries) {
      if (damaged_->contains(entry.id)) continue;
      const auto moved = move_entry(entry);
      if (moved) continue;
      if (moved.error().code != ErrorCode::kCorruption) return moved;
      // Read again past the page cache, and listed if it is damage.
      (void)read(entry.id, 0, entry.length);
    }
  }
  return {};
}

Result<void> DiskEngine::move_entry(const index::Entry& entry) {
  if (entry.at.large) return move_extent(entry);
  TRY(auto blob, read_entry(entry, 0, entry.length, false));
  std::vector<CommitItem> items(1);
  items[0].entry = entry;
  items[0].moved_from = entry.at;
  items[0].digests = std::move(blob.digests);
  items[0].bytes = std::move(blob.bytes);
  compacted_bytes_ += entry.length;
  TRY(const uint64_t moved, submit_all(std::move(items)));
  (void)moved;
  return {};
}

Result<void> DiskEngine::move_extent(const index::Entry& entry) {
  TRY(auto extent, allocate_extent(entry, true));
  extent->moved_from = entry.at;
  uint64_t at = 0;
  while (at < entry.length) {
    const uint64_t count = std::min<uint64_t>(model::kPieceBytes, entry.length - at);
    auto piece = read_entry(entry, at, count, false);
    if (!piece) {
      drop_extent(extent);
      return std::unexpected(piece.error());
    }
    auto queued = queue_piece(extent, piece->bytes, kBlock + at);
    if (!queued && queued.error().code == ErrorCode::kResourceExhausted) {
      std::this_thread::sleep_for(1ms);
      if (stopping_)
        queued = fail(ErrorCode::kUnavailable, "the disk is closed");
      else
        continue;
    }
    if (!queued) {
      drop_extent(extent);
      return queued;
    }
    extent->digests.insert(extent->digests.end(), piece->digests.begin(), piece->digests.end());
    at += count;
  }
  compacted_bytes_ += entry.length;
  TRY_VOID(await_callback<bool>([&](auto done) { finish_extent(extent, std::move(done)); }));
  return {};
}

}  // namespace rondel::engine
