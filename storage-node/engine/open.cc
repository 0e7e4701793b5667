// Opening a disk: identity, recovery from the log, counting.
#include "common/log/log.h"
#include "storage-node/engine/disk_engine.h"
#include "storage-node/engine/superblock.h"
#include "storage-node/segment/log_reader.h"

namespace rondel::engine {
namespace {

constexpr uint64_t kSegmentsMin = 16;
constexpr uint64_t kSegmentBytesMin = 16ull << 20;

// Kept for its period from the end of the trash on.
index::Removal kept_removal(const segment::RecordHeader& header, uint64_t elapsed_us) {
  return {header.id, header.order, std::max(header.received_us, header.purge_at_us), elapsed_us};
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(fs::FileSystem& fs, EngineOptions options) {
  auto engine = std::make_unique<DiskEngine>(fs, std::move(options));
  TRY_VOID(engine->start());
  return engine;
}

DiskEngine::DiskEngine(fs::FileSystem& fs, EngineOptions options)
    : options_(std::move(options)),
      watch_(*options_.clock),
      fs_(fs, watch_),
      elapsed_(fs_, options_.path, *options_.clock) {}

Result<void> DiskEngine::start() {
  TRY_VOID(open_identity());
  damaged_ = std::make_unique<DamagedList>(fs_, options_.path + "/damaged");
  const auto listed = damaged_->load();
  TRY_VOID(open_index());
  const auto remembered = index_->get_setting(kElapsed);
  elapsed_.open(
      remembered && remembered->size() == 8 ? load_be<uint64_t>(as_bytes(*remembered).data()) : 0);
  auto recovered = recover();
  // A block of a table is read when it is needed: what opened well may still be damaged.
  if (index_damaged_) {
    TRY_VOID(put_index_aside());
    recovered = recover();
  }
  TRY_VOID(std::move(recovered));
  if (!listed) {
    log::error("engine", "the list of damaged blobs is lost",
               {{"disk", options_.disk.to_hex()}, {"error", listed.error().message}});
    TRY_VOID(note_doubt(*index_));
  }
  threads_.emplace_back([this] { commit_loop(); });
  threads_.emplace_back([this] { prepare_loop(); });
  threads_.emplace_back([this] { bulk_loop(); });
  threads_.emplace_back([this] { flush_loop(); });
  if (options_.maintenance_period > Duration::zero()) {
    threads_.emplace_back([this] { maintain_loop(); });
  }
  return {};
}

DiskEngine::~DiskEngine() {
  stopping_ = true;
  // Each waiter tests it under its own mutex: who has tested it before waits now, and is woken.
  for (Mutex* const mutex : {&commit_mutex_, &bulk_mutex_, &stop_mutex_, &prepare_mutex_}) {
    MutexLock lock(*mutex);
  }
  for (auto* condition : {&commit_ready_, &commit_idle_, &bulk_ready_, &flush_ready_, &stop_,
                          &prepare_ready_, &prepared_}) {
    condition->notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  if (threads_.empty() || options_.lose_unflushed_index || read_only_) return;
  if (auto kept = elapsed_.keep(); !kept) {
    log::warn("engine", "the disk's clock is not kept", {{"error", kept.error().message}});
  }
  note_clock();
}

Result<void> DiskEngine::open_identity() {
  TRY_VOID(fs_.make_directory(options_.path));
  TRY_VOID(fs_.make_directory(options_.path + "/segments"));
  TRY(lock_, fs_.lock(options_.path + "/lock"));
  if (options_.capacity_bytes == 0) {
    TRY(const fs::Space space, fs_.space(options_.path));
    options_.capacity_bytes = space.total_bytes;
  }
  auto superblock = read_superblock(fs_, options_.path);
  if (!superblock && superblock.error().code != ErrorCode::kNotFound) {
    return std::unexpected(superblock.error());
  }
  if (!superblock && !options_.disk.is_zero()) {
    return fail(ErrorCode::kPrecondition, options_.path + " should hold disk " +
                                              options_.disk.to_hex() +
                                              " and is empty: is it mounted?");
  }
  if (!superblock && !options_.may_make) {
    return fail(
        ErrorCode::kPrecondition,
        options_.path + " holds no disk: is it mounted? A new one is made when the node starts");
  }
  if (!superblock) {
    TRY(const auto segments, fs_.list(options_.path + "/segments"));
    if (!segments.empty()) {
      return fail(ErrorCode::kCorruption, options_.path + " has segments and no superblock");
    }
    const uint64_t fitting = options_.capacity_bytes / kSegmentsMin / (1 << 20) * (1 << 20);
    options_.segment_bytes = std::max(kSegmentBytesMin, std::min(options_.segment_bytes, fitting));
    options_.disk = model::DiskId::random();
    return write_superblock(fs_, options_.path,
                            {options_.cluster, options_.disk, options_.segment_bytes});
  }
  if (!options_.disk.is_zero() && options_.disk != superblock->disk) {
    return fail(ErrorCode::kPrecondition, options_.path + " holds disk " +
                                              superblock->disk.to_hex() + ", not " +
                                              options_.disk.to_hex());
  }
  if (!options_.cluster.is_zero() && !superblock->cluster.is_zero() &&
      options_.cluster != superblock->cluster) {
    return fail(ErrorCode::kPrecondition, options_.path + " belongs to another cluster");
  }
  options_.disk = superblock->disk;
  options_.segment_bytes = superblock->segment_bytes;
  if (superblock->cluster.is_zero() && !options_.cluster.is_zero()) {
    superblock->cluster = options_.cluster;
    return write_superblock(fs_, options_.path, *superblock);
  }
  return {};
}

Result<void> DiskEngine::recover() {
  const size_t segments_max = std::max<uint64_t>(options_.capacity_bytes / options_.segment_bytes,
                                                 SegmentTable::kReserved + 2);
  segments_ = std::make_unique<SegmentTable>(fs_, options_.path + "/segments", options_.disk,
                                             options_.segment_bytes, segments_max);
  unreadable_ = 0;
  TRY_VOID(segments_->load());
  const auto owner = index_->get_setting(kIndexOwner);
  if (!owner && owner.error().code != ErrorCode::kNotFound) return std::unexpected(owner.error());
  if (owner && *owner != options_.disk.to_hex()) {
    return fail(ErrorCode::kPrecondition, options_.path + ": the index is that of disk " + *owner);
  }
  TRY(highest_order_, index_->highest_order());
  if (!owner && segments_->any_used()) {
    log::error("engine", "the index is lost and made again from the segments",
               {{"disk", options_.disk.to_hex()}});
    TRY_VOID(rebuild(*index_));
  } else {
    TRY(sequence_, replay_behind_mark());
    journal_end_ = journal_token(sequence_ + 1, 0) - 1;
  }
  if (const uint64_t headers = segments_->damaged_headers(); headers > 0) {
    log::error("engine", "headers of segments are damaged",
               {{"disk", options_.disk.to_hex()}, {"segments", headers}});
    corrupt_reads_ += headers;
    TRY_VOID(note_doubt(*index_));
  }
  if (unreadable_ + segments_->damaged_headers() > 0) TRY_VOID(medium_answers());
  TRY_VOID(index_->flush());
  if (!owner) TRY_VOID(index_->put_setting(kIndexOwner, options_.disk.to_hex()));
  TRY_VOID(count_blobs(*index_));
  segments_->settle();
  measure_space();
  return {};
}

// Some sectors cannot be read, or the whole disk is gone: then nothing may follow from what was not
// found on it.
Result<void> DiskEngine::medium_answers() {
  TRY(const Superblock superblock, read_superblock(fs_, options_.path));
  if (superblock.disk != options_.disk) {
    return fail(ErrorCode::kCorruption, options_.path + " is damaged");
  }
  return {};
}

// To the last sequence.
Result<uint64_t> DiskEngine::replay_behind_mark() {
  TRY(const uint64_t applied, index_->mark());
  TRY(const uint64_t told, index_->journal_mark());
  uint64_t mark = std::min(applied, told);
  const auto logs = segments_->logs();
  uint64_t last = 0;
  for (size_t i = 0; i < logs.size(); ++i) {
    if (logs[i].first_sequence > 0) last = std::max(last, logs[i].first_sequence - 1);
    // Everything in this log lies below the mark when the next one begins at or below it.
    if (i + 1 < logs.size() && logs[i + 1].first_sequence <= mark + 1) continue;
    // A log is begun behind the last batch that was acknowledged, and given back only below the
    // mark: no sequence lacks.
    if (mark + 1 < logs[i].first_sequence) {
      log::error(
          "engine", "acknowledged batches are damaged",
          {{"disk", options_.disk.to_hex()}, {"batches", logs[i].first_sequence - 1 - mark}});
      corrupt_reads_ += logs[i].first_sequence - 1 - mark;
      TRY_VOID(note_doubt(*index_));
    }
    const uint64_t end = i + 1 < logs.size() ? logs[i + 1].first_sequence : UINT64_MAX;
    TRY_VOID(replay(*index_, logs[i], end, mark, applied, false));
  }
  return std::max({mark, applied, last});
}

// What a record makes of the entry of its blob; none when it says nothing of a blob that is not
// here.
Result<std::optional<index::Entry>> DiskEngine::replayed(index::Index& index,
                                                         const segment::SegmentHeader& header,
                                                         const segment::LogRecord& record,
                                                         const std::optional<index::Entry>& before,
                                                         bool rebuilding) {
  const segment::RecordHeader& h = record.header;
  index::Entry now = before.value_or(index::Entry{});
  now.id = h.id;
  switch (h.kind) {
    case segment::RecordKind::kPut:
    case segment::RecordKind::kLarge:
      now = {h.id,          {}, h.length, h.digest, h.ring_epoch, h.created_us, h.received_us,
             h.handoff_for, 0};
      now.at = h.kind == segment::RecordKind::kPut
                   ? index::Location{header.segment, header.generation, record.offset,
                                     segment::round_up(h.bytes, segment::kRecordAlignment), false}
                   : index::Location{h.extent_segment, h.extent_generation, h.extent_offset,
                                     segment::extent_bytes(h.length), true};
      if (h.moved && before) {
        now.purge_at_us = before->purge_at_us;
        now.purge_elapsed_us = before->purge_elapsed_us;
        now.order = before->order;
      }
      if (h.moved && !before && !rebuilding) return std::nullopt;
      if (h.moved && !before) {
        // Its own record is gone, that of its removal may be not.
        TRY(const auto removal, index.find_removal(h.id));
        if (removal) now = trashed_by(*removal, now);
      }
      break;
    case segment::RecordKind::kRemove:
      now.purge_at_us = h.purge_at_us;
      now.purge_elapsed_us = h.purge_elapsed_us;
      // A clock that begins anew would come to that number a second time only after years.
      if (elapsed_.forgotten()) {
        now.purge_elapsed_us =
            elapsed_us() + h.purge_at_us - std::min(h.purge_at_us, h.received_us);
      }
      now.order = h.order;
      now.dropped = h.dropped;
      break;
    case segment::RecordKind::kRestore:
      if (!before) return std::nullopt;
      now.purge_at_us = now.purge_elapsed_us = 0;
      now.order = h.order;
      now.dropped = false;
      now.handoff_for = h.handoff_for;
      break;
    case segment::RecordKind::kHandoff:
      if (!before) return std::nullopt;
      now.handoff_for = h.handoff_for;
      break;
  }
  return now;
}

// `only_tell`: the index has the batch, and its journal may lack it.
Result<void> DiskEngine::replay_batch(index::Index& index, const segment::SegmentHeader& header,
                                      const segment::LogBatch& batch, bool only_tell,
                                      bool rebuilding) {
  const bool freed = segment::is_freed(header.kind);
  auto changes = index.new_batch();
  // Changes of this batch are not in the index yet.
  std::unordered_map<model::BlobId, std::optional<index::Entry>> seen;
  for (size_t i = 0; i < batch.records.size(); ++i) {
    const segment::LogRecord& record = batch.records[i];
    const segment::RecordHeader& h = record.header;
    // What a freed log stored is gone, or lies elsewhere by now.
    if (freed && (h.kind == segment::RecordKind::kPut || h.kind == segment::RecordKind::kLarge)) {
      continue;
    }
    if (!seen.contains(h.id)) {
      TRY(seen[h.id], index.find(h.id));
    }
    std::optional<index::Entry>& before = seen[h.id];
    TRY(const std::optional<index::Entry> now, replayed(index, header, record, before, rebuilding));
    if (!now) continue;

    if (!only_tell && h.order > highest_order_) changes->raise_order(highest_order_ = h.order);
    // Removed while it was not here.
    const bool absent = h.kind == segment::RecordKind::kRemove && !before;
    if (absent && h.dropped) continue;
    if (absent && !only_tell) {
      const index::Removal removal = kept_removal(h, now->purge_elapsed_us);
      // The old index may have told of a higher one already.
      TRY(const auto kept, index.find_removal(h.id));
      if (!kept || kept->order <= removal.order) changes->keep_removal(removal);
    }
    if (!absent && !only_tell) changes->store(*now, before);
    if (!h.moved && !h.dropped && h.kind != segment::RecordKind::kHandoff) {
      changes->append_journal({journal_token(batch.sequence, i),
                               h.kind == segment::RecordKind::kRemove, *now, h.received_us,
                               elapsed_us()});
    }
    if (!absent) before = now;
  }
  only_tell ? changes->mark_journal(batch.sequence) : changes->mark(batch.sequence);
  return index.apply(*changes);
}

// Applies what the index may have lost, up to the sequence `end`, where the next log begins: what
// follows here was not readable once, and its numbers were given again. Up to `applied` only the
// journal may have lost something: the rest may know of what came later. Applying a batch twice
// changes nothing.
Result<void> DiskEngine::replay(index::Index& index, const segment::SegmentHeader& header,
                                uint64_t end, uint64_t& mark, uint64_t applied, bool rebuilding) {
  const uint64_t mark_before = mark;
  const auto file = segments_->log_file(header);
  if (!file) return {};
  segment::LogReader reader(*file, header, options_.segment_bytes);
  for (;;) {
    if (stopping_) return fail(ErrorCode::kUnavailable, "the disk is closed");
    TRY(const segment::LogBatch* batch, reader.next());
    if (batch == nullptr || batch->sequence >= end) break;
    if (batch->sequence <= mark) continue;
    TRY_VOID(replay_batch(index, header, *batch, batch->sequence <= applied, rebuilding));
    mark = batch->sequence;
  }

  if (reader.damaged() > 0) {
    log::error("engine", "acknowledged batches are damaged",
               {{"disk", options_.disk.to_hex()}, {"batches", reader.damaged()}});
    corrupt_reads_ += reader.damaged();
  }
  unreadable_ += reader.unreadable();
  // At the end of a log it is not known whether there was a batch.
  if (reader.unreadable_at_end() > 0) corrupt_reads_ += reader.unreadable_at_end();
  if (reader.damaged_above(mark_before) || reader.unreadable_at_end() > 0) {
    TRY_VOID(note_doubt(index));
  }
  return {};
}

void DiskEngine::count(const index::Entry& entry, int sign) {
  segments_->add(entry.at, entry.trashed(), sign);
  if (entry.trashed()) return;
  blobs_ += static_cast<uint64_t>(sign);
  if (entry.handoff_for.is_zero()) return;
  handoff_blobs_ += static_cast<uint64_t>(sign);
  handoff_bytes_ += static_cast<uint64_t>(sign) * entry.length;
}

Result<void> DiskEngine::count_blobs(index::Index& index) {
  blobs_ = handoff_blobs_ = handoff_bytes_ = 0;
  return index.visit(0, {}, [this](const index::Entry& entry) {
    count(entry, 1);
    return true;
  });
}

}  // namespace rondel::engine
