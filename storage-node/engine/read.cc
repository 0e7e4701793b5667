// Reading: look-up, bytes, verification; what compaction moved meanwhile is looked up again.
#include <algorithm>

#include "common/log/log.h"
#include "storage-node/engine/disk_engine.h"

namespace rondel::engine {

using segment::kBlock;
using segment::kRecordHeaderBytes;

namespace {

constexpr int kAttempts = 4;

struct Buffer {
  std::shared_ptr<std::byte[]> memory;
  std::span<std::byte> bytes;

  explicit Buffer(size_t size)
      : memory(std::make_shared_for_overwrite<std::byte[]>(size)), bytes(memory.get(), size) {}
};

Result<void> fill(fs::File& file, uint64_t offset, std::span<std::byte> out, bool cached) {
  auto read = cached ? file.read_cached_at(offset, out) : file.read_at(offset, out);
  // A sector that cannot be read is as good as a damaged one: another copy replaces it.
  if (!read && read.error().code == ErrorCode::kInternal) {
    return fail(ErrorCode::kCorruption, read.error().message);
  }
  TRY(const size_t got, std::move(read));
  if (got != out.size()) {
    return fail(cached ? ErrorCode::kUnavailable : ErrorCode::kCorruption,
                "the segment ends early");
  }
  return {};
}

// The header with its digests, if they are those of the entry.
std::optional<std::vector<hash::BlockDigest>> checked_digests(const index::Entry& entry,
                                                              uint64_t salt,
                                                              ByteView header_and_digests) {
  const auto header = segment::decode_record_header(header_and_digests, salt);
  const uint32_t blocks = segment::block_count(entry.length);
  if (!header || header->id != entry.id || header->length != entry.length ||
      header->blocks != blocks) {
    return std::nullopt;
  }
  auto digests =
      segment::decode_digests(header_and_digests.subspan(kRecordHeaderBytes, 8ull * blocks));
  if (hash::blob_digest(digests) != entry.digest) return std::nullopt;
  return digests;
}

std::unexpected<Error> damaged(const index::Entry& entry) {
  return fail(ErrorCode::kCorruption, "blob " + entry.id.to_hex() + " is damaged on the disk");
}

}  // namespace

Result<ReadResult> DiskEngine::read(const model::BlobId& id, uint64_t offset, uint64_t length) {
  return read_with(id, offset, length, false);
}

Result<ReadResult> DiskEngine::read_cached(const model::BlobId& id, uint64_t offset,
                                           uint64_t length) {
  return read_with(id, offset, length, true);
}

Result<ReadResult> DiskEngine::read_with(const model::BlobId& id, uint64_t offset, uint64_t length,
                                         bool cached) {
  std::optional<index::Entry> last;
  for (int i = 0; i < kAttempts; ++i) {
    const auto found = cached ? index_->find_cached(id) : index_->find(id);
    // Nothing is known to be wrong with the blob.
    if (!found) return fail(ErrorCode::kUnavailable, found.error().message);
    const auto& entry = *found;
    if (!entry) return fail(ErrorCode::kNotFound, "no such blob");
    if (offset > entry->length || length > entry->length - offset || length == 0) {
      return fail(ErrorCode::kOutOfRange, "the range lies outside the blob");
    }
    auto result = read_entry(*entry, offset, length, cached);
    if (result || result.error().code != ErrorCode::kCorruption) return result;
    if (cached) return fail(ErrorCode::kUnavailable, "to be read from the disk");
    // Only the same place twice is damage: otherwise it was moved under us. Rot in the page cache
    // is not rot on the disk.
    if (last && last->at == entry->at) {
      note_damage(id);
      return result;
    }
    if (const auto file = segments_->file(entry->at.segment, entry->at.generation)) {
      file->drop_cache(entry->at.offset / kBlock * kBlock,
                       segment::round_up(entry->at.bytes + kBlock, kBlock));
    }
    last = entry;
  }
  return fail(ErrorCode::kUnavailable, "the blob is being moved");
}

Result<ReadResult> DiskEngine::read_entry(const index::Entry& entry, uint64_t offset,
                                          uint64_t length, bool cached) {
  const auto file = segments_->file(entry.at.segment, entry.at.generation);
  if (!file) return damaged(entry);
  const uint64_t first = offset / model::kBlockBytes;
  const uint64_t end =
      std::min(entry.length, segment::round_up(offset + length, model::kBlockBytes));
  const uint64_t begin = first * model::kBlockBytes;
  const uint64_t digest_bytes = 8ull * segment::block_count(entry.length);
  const uint64_t salt = segment::salt_of(options_.disk, entry.at.generation);

  ReadResult result;
  result.offset = begin;
  result.blob_length = entry.length;
  std::optional<std::vector<hash::BlockDigest>> digests;
  if (entry.at.large) {
    std::vector<std::byte> trailer(kRecordHeaderBytes + digest_bytes);
    const uint64_t trailer_at = entry.at.offset + kBlock + segment::round_up(entry.length, kBlock);
    TRY_VOID(fill(*file, trailer_at, trailer, cached));
    digests = checked_digests(entry, salt, trailer);
    const Buffer buffer(end - begin);
    TRY_VOID(fill(*file, entry.at.offset + kBlock + begin, buffer.bytes, cached));
    result.bytes = ByteSlice(buffer.memory, buffer.bytes);
  } else {
    const uint64_t data_at = kRecordHeaderBytes + digest_bytes;
    const Buffer buffer(data_at + end);
    TRY_VOID(fill(*file, entry.at.offset, buffer.bytes, cached));
    digests = checked_digests(entry, salt, buffer.bytes.first(data_at));
    result.bytes = ByteSlice(buffer.memory, buffer.bytes.subspan(data_at + begin));
  }
  if (!digests) return damaged(entry);
  const uint64_t blocks = (end - begin + model::kBlockBytes - 1) / model::kBlockBytes;
  result.digests.assign(digests->begin() + static_cast<ptrdiff_t>(first),
                        digests->begin() + static_cast<ptrdiff_t>(first + blocks));
  if (hash::block_digests(entry.id, static_cast<uint32_t>(first), result.bytes.view()) !=
      result.digests) {
    return damaged(entry);
  }
  return result;
}

Error read_only_error() {
  return {ErrorCode::kUnavailable, "the disk is read-only after an I/O error"};
}

BlobEntry to_blob_entry(const index::Entry& entry) {
  return {entry.id,
          entry.length,
          entry.digest,
          entry.ring_epoch,
          SystemTime(std::chrono::microseconds(entry.created_us)),
          SystemTime(std::chrono::microseconds(entry.received_us)),
          entry.handoff_for,
          entry.trashed(),
          SystemTime(std::chrono::microseconds(entry.purge_at_us)),
          entry.order,
          entry.dropped};
}

Result<BlobEntry> DiskEngine::stat(const model::BlobId& id) {
  TRY(const auto entry, index_->find(id));
  if (!entry) return fail(ErrorCode::kNotFound, "no such blob");
  return to_blob_entry(*entry);
}

Result<bool> DiskEngine::has(const model::BlobId& id) {
  if (recent_.contains(id) && !removed_.contains(id)) return true;
  TRY(const auto entry, index_->find(id));
  return entry.has_value() && !entry->dropped;
}

Result<uint64_t> DiskEngine::removal_of(const model::BlobId& id) {
  TRY(const auto entry, index_->find(id));
  if (entry && entry->trashed() && !entry->dropped) return entry->order;
  if (entry && !entry->trashed()) return fail(ErrorCode::kNotFound, "the blob is live");
  TRY(const auto removal, index_->find_removal(id));
  if (removal) return removal->order;
  return fail(ErrorCode::kNotFound, "no removal is known");
}

Result<std::vector<BlobEntry>> DiskEngine::list(uint64_t from_hash, uint64_t to_hash,
                                                const model::BlobId& after, size_t max) {
  std::vector<BlobEntry> entries;
  TRY_VOID(index_->visit(from_hash, after, [&](const index::Entry& entry) {
    if (entries.size() >= max || entry.id.ring_hash() > to_hash) return false;
    entries.push_back(to_blob_entry(entry));
    return true;
  }));
  return entries;
}

Result<std::vector<BlobEntry>> DiskEngine::list_handoffs(size_t max, const BlobEntry& after) {
  std::vector<BlobEntry> entries;
  auto after_us = static_cast<uint64_t>(after.received_at.time_since_epoch().count());
  model::BlobId last = after.id;
  while (entries.size() < max) {
    const size_t asked = max - entries.size();
    TRY(const auto ids, index_->handoffs(after_us, last, asked));
    for (const model::BlobId& id : ids) {
      TRY(const auto entry, index_->find(id));
      if (!entry) continue;
      after_us = entry->received_us;
      last = id;
      if (!entry->trashed() && !entry->handoff_for.is_zero()) {
        entries.push_back(to_blob_entry(*entry));
      }
    }
    if (ids.size() < asked || last != ids.back()) break;
  }
  return entries;
}

void DiskEngine::note_damage(const model::BlobId& id) {
  ++corrupt_reads_;
  if (!damaged_->add(id)) return;
  log::error("engine", "a blob is damaged",
             {{"disk", options_.disk.to_hex()}, {"blob", id.to_hex()}});
  save_damaged();
}

void DiskEngine::save_damaged() {
  if (read_only_) return;
  if (auto saved = damaged_->save(); !saved) {
    log::warn("engine", "the list of damaged blobs cannot be written",
              {{"disk", options_.disk.to_hex()}, {"error", saved.error().message}});
  }
}

std::vector<BlobEntry> DiskEngine::list_damaged(size_t max) {
  std::vector<BlobEntry> entries;
  for (const model::BlobId& id : damaged_->some(max)) {
    if (auto entry = stat(id)) {
      entries.push_back(*std::move(entry));
    } else if (entry.error().code == ErrorCode::kNotFound && !index_damaged_) {
      damaged_->remove(id);
    }
  }
  return entries;
}

bool is_far_behind(JournalToken token, JournalToken other) {
  constexpr uint64_t kBatches = 1024;
  return other > token + (kBatches << kJournalPositionBits);
}

Result<JournalPage> DiskEngine::journal_after(JournalToken token, size_t max) {
  JournalPage page;
  // Records may be dropped between a look at the oldest and a look at what follows the token: then
  // both are looked at again.
  std::vector<index::JournalRecord> records;
  for (uint64_t dropped = 0, dropped_after = 1; dropped != dropped_after;) {
    TRY(dropped, index_->journal_dropped());
    // A token from the future was given before the disk lost its newest records: what came since is
    // not known to the reader.
    page.truncated = token < dropped || token > journal_end_;
    page.next = page.truncated ? dropped : token;
    TRY(records, index_->journal_after(page.next, max));
    TRY(dropped_after, index_->journal_dropped());
  }
  for (const index::JournalRecord& record : records) {
    page.entries.push_back(
        {record.removed ? JournalEntry::Operation::kDelete : JournalEntry::Operation::kPut,
         record.token, to_blob_entry(record.entry),
         SystemTime(std::chrono::microseconds(record.flushed_us))});
    page.next = record.token;
  }
  page.caught_up = records.size() < max;
  return page;
}

void DiskEngine::on_journal_growth(std::function<void()> callback) {
  MutexLock lock(journal_growth_mutex_);
  journal_growth_ = std::move(callback);
}

EngineStatus DiskEngine::status() {
  const SegmentTotals totals = segments_->totals();
  EngineStatus status;
  status.capacity_bytes = options_.capacity_bytes;
  status.live_bytes = totals.live_bytes;
  status.trash_bytes = totals.trash_bytes;
  status.dead_bytes = totals.dead_bytes;
  status.free_bytes = totals.free_bytes;
  status.segments_active = totals.active;
  status.segments_free = totals.free;
  status.segments_sealed = totals.sealed;
  status.blobs = blobs_;
  status.handoff_blobs = handoff_blobs_;
  status.handoff_bytes = handoff_bytes_;
  status.corrupt_reads = corrupt_reads_;
  status.compactions = compactions_;
  status.compacted_bytes = compacted_bytes_;
  status.queue_bytes = queue_bytes_;
  status.large_puts = large_puts;
  status.damaged_blobs = damaged_->size();
  if (stalled()) {
    status.state = DiskState::kFailed;
  } else if (read_only_ || index_damaged_) {
    status.state = DiskState::kReadOnly;
  } else if (space_ != Space::kEnough || segments_->full()) {
    status.state = DiskState::kFull;
  }
  return status;
}

}  // namespace rondel::engine
