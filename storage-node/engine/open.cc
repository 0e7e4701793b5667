// Opening a disk: identity, recovery from the log, counting.
#include <filesystem>

#include "common/log/log.h"
#include "storage-node/engine/disk_engine.h"
#include "storage-node/engine/superblock.h"
#include "storage-node/segment/log_reader.h"

namespace rondel::engine {
namespace {

constexpr uint64_t kSegmentsMin = 16;
constexpr uint64_t kSegmentBytesMin = 16ull << 20;
// Settings of the index.
constexpr const char* kIndexOwner = "disk";
constexpr const char* kDoubts = "doubts";

uint64_t journal_token(uint64_t sequence, size_t position) { return (sequence << 12) | position; }

// Kept for its period from the end of the trash on.
index::Removal kept_removal(const segment::RecordHeader& header, uint64_t elapsed_us) {
  return {header.id, header.order, std::max(header.received_us, header.purge_at_us), elapsed_us};
}

index::Entry trashed_by(const index::Removal& removal, index::Entry entry) {
  entry.purge_at_us = removal.marked_us;
  entry.purge_elapsed_us = removal.elapsed_us;
  entry.order = removal.order;
  return entry;
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(fs::FileSystem& fs, EngineOptions options) {
  auto engine = std::make_unique<DiskEngine>(fs, std::move(options));
  TRY_VOID(engine->start());
  return engine;
}

DiskEngine::DiskEngine(fs::FileSystem& fs, EngineOptions options) : fs_(fs), options_(std::move(options)), elapsed_(fs_, options_.path, *options_.clock) {}

Result<void> DiskEngine::start() {
  TRY_VOID(open_identity());
  TRY_VOID(open_index());
  const auto remembered = index_->get_setting(kElapsed);
  elapsed_.open(remembered && remembered->size() == 8 ? load_be<uint64_t>(as_bytes(*remembered).data()) : 0);
  TRY_VOID(recover());
  threads_.emplace_back([this] { commit_loop(); });
  threads_.emplace_back([this] { prepare_loop(); });
  threads_.emplace_back([this] { bulk_loop(); });
  threads_.emplace_back([this] { flush_loop(); });
  if (options_.maintenance_period > Duration::zero()) threads_.emplace_back([this] { maintain_loop(); });
  return {};
}

DiskEngine::~DiskEngine() {
  {
    // Each waiter tests stopping_ under its own mutex.
    std::scoped_lock lock(commit_mutex_, bulk_mutex_, stop_mutex_, prepare_mutex_);
    stopping_ = true;
  }
  for (auto* condition : {&commit_ready_, &bulk_ready_, &flush_ready_, &stop_, &prepare_ready_, &prepared_}) condition->notify_all();
  for (std::thread& thread : threads_) thread.join();
  if (threads_.empty() || options_.lose_unflushed_index || read_only_) return;
  if (auto kept = elapsed_.keep(); !kept) log::warn("engine", "the disk's clock is not kept", {{"error", kept.error().message}});
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
  if (!superblock && superblock.error().code != ErrorCode::kNotFound) return std::unexpected(superblock.error());
  if (!superblock && !options_.disk.is_zero()) {
    return fail(ErrorCode::kPrecondition, options_.path + " should hold disk " + options_.disk.to_hex() + " and is empty: is it mounted?");
  }
  if (!superblock) {
    const uint64_t fitting = options_.capacity_bytes / kSegmentsMin / (1 << 20) * (1 << 20);
    options_.segment_bytes = std::max(kSegmentBytesMin, std::min(options_.segment_bytes, fitting));
    options_.disk = model::DiskId::random();
    return write_superblock(fs_, options_.path, {options_.cluster, options_.disk, options_.segment_bytes});
  }
  if (!options_.disk.is_zero() && options_.disk != superblock->disk) {
    return fail(ErrorCode::kPrecondition, options_.path + " holds disk " + superblock->disk.to_hex() + ", not " + options_.disk.to_hex());
  }
  if (!options_.cluster.is_zero() && !superblock->cluster.is_zero() && options_.cluster != superblock->cluster) {
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

// A damaged index is put aside: recover() makes it again.
Result<void> DiskEngine::open_index() {
  index::IndexOptions options;
  options.path = options_.index_path.empty() ? options_.path + "/index" : options_.index_path;
  options.memtable_bytes = options_.memtable_bytes;
  options.block_cache_bytes = options_.block_cache_bytes;
  options.lose_unflushed_at_close = options_.lose_unflushed_index;
  auto opened = index::Index::open(options);
  if (!opened && opened.error().code == ErrorCode::kCorruption) {
    log::error("engine", "the index is damaged and made again", {{"disk", options_.disk.to_hex()}, {"error", opened.error().message}});
    std::error_code error;
    std::filesystem::remove_all(options.path + ".damaged", error);
    std::filesystem::rename(options.path, options.path + ".damaged", error);
    if (error) return std::unexpected(opened.error());
    opened = index::Index::open(options);
  }
  TRY(index_, std::move(opened));
  return {};
}

Result<void> DiskEngine::recover() {
  const size_t segments_max = std::max<uint64_t>(options_.capacity_bytes / options_.segment_bytes, SegmentTable::kReserved + 2);
  segments_ = std::make_unique<SegmentTable>(fs_, options_.path + "/segments", options_.disk, options_.segment_bytes, segments_max);
  TRY_VOID(segments_->load());
  const auto owner = index_->get_setting(kIndexOwner);
  if (!owner && owner.error().code != ErrorCode::kNotFound) return std::unexpected(owner.error());
  if (owner && *owner != options_.disk.to_hex()) return fail(ErrorCode::kPrecondition, options_.path + ": the index is that of disk " + *owner);
  const bool lost = !owner && segments_->any_used();
  TRY(uint64_t mark, index_->mark());
  TRY(highest_order_, index_->highest_order());
  const auto logs = segments_->logs();
  for (size_t i = 0; i < logs.size(); ++i) {
    // Everything in this log lies below the mark when the next one begins at or below it.
    if (!lost && i + 1 < logs.size() && logs[i + 1].first_sequence <= mark + 1) continue;
    // A log is begun behind the last batch that was acknowledged, and given back only below the mark: no sequence lacks.
    if (!lost && mark + 1 < logs[i].first_sequence) {
      log::error("engine", "acknowledged batches are damaged",
                 {{"disk", options_.disk.to_hex()}, {"batches", logs[i].first_sequence - 1 - mark}});
      corrupt_reads_ += logs[i].first_sequence - 1 - mark;
      TRY_VOID(note_doubt());
    }
    TRY_VOID(replay(logs[i], mark, lost));
  }
  sequence_ = mark;
  for (const auto& header : logs) sequence_ = std::max(sequence_, header.first_sequence > 0 ? header.first_sequence - 1 : 0);
  journal_end_ = journal_token(sequence_ + 1, 0) - 1;
  if (lost) TRY_VOID(rebuild());
  TRY_VOID(index_->flush());
  if (!owner) TRY_VOID(index_->put_setting(kIndexOwner, options_.disk.to_hex()));
  TRY_VOID(count_blobs());
  segments_->settle();
  measure_space();
  return {};
}

// The index was lost: the logs have told what they know; large blobs whose log is gone are found by their trailers. What was
// removed may come back: the reconcile scan finds it.
Result<void> DiskEngine::rebuild() {
  log::error("engine", "the index is lost and made again from the segments", {{"disk", options_.disk.to_hex()}});
  for (const segment::SegmentHeader& header : segments_->bulks()) TRY_VOID(rebuild_bulk(header));
  auto changes = index_->new_batch();
  changes->mark(sequence_);
  TRY_VOID(index_->apply(*changes));
  TRY_VOID(index_->forget_journal(journal_end_));
  return note_doubt();
}

Result<void> DiskEngine::rebuild_bulk(const segment::SegmentHeader& header) {
  const auto file = segments_->file(header.segment, header.generation);
  const uint64_t salt = segment::salt_of(options_.disk, header.generation);
  const auto read = [&](uint64_t at, size_t bytes) -> Result<std::vector<std::byte>> {
    std::vector<std::byte> out(bytes);
    TRY(const size_t got, file->read_at(at, out));
    out.resize(got);
    return out;
  };
  for (uint64_t at = segment::kBlock; at + segment::kBlock <= options_.segment_bytes;) {
    TRY(const auto front, read(at, segment::kRecordHeaderBytes));
    const auto extent = segment::decode_record_header(front, salt);
    if (!extent || extent->length == 0 || extent->length > model::kChunkBytes) {
      at += segment::kBlock;
      continue;
    }
    const uint32_t blocks = segment::block_count(extent->length);
    TRY(const auto back, read(at + segment::kBlock + segment::round_up(extent->length, segment::kBlock), segment::kRecordHeaderBytes + 8ull * blocks));
    const auto trailer = segment::decode_record_header(back, salt);
    TRY(const auto known, index_->find(extent->id));
    if (!known && trailer && trailer->id == extent->id && trailer->length == extent->length && trailer->blocks == blocks &&
        hash::blob_digest(segment::decode_digests(ByteView(back).subspan(segment::kRecordHeaderBytes))) == trailer->digest) {
      auto changes = index_->new_batch();
      changes->store({trailer->id, {header.segment, header.generation, at, segment::extent_bytes(trailer->length), true}, trailer->length,
                      trailer->digest, trailer->ring_epoch, trailer->created_us, trailer->received_us, trailer->handoff_for, 0}, std::nullopt);
      TRY_VOID(index_->apply(*changes));
    }
    at += segment::extent_bytes(extent->length);
  }
  return {};
}

uint64_t DiskEngine::doubts() {
  const auto stored = index_->get_setting(kDoubts);
  return stored && stored->size() == 8 ? load_be<uint64_t>(as_bytes(*stored).data()) : 0;
}

Result<void> DiskEngine::note_doubt() {
  std::string raw(8, '\0');
  store_be(reinterpret_cast<std::byte*>(raw.data()), doubts() + 1);
  return index_->put_setting(kDoubts, raw);
}

// Applies what the index may have lost. Applying a batch twice changes nothing.
Result<void> DiskEngine::replay(const segment::SegmentHeader& header, uint64_t& mark, bool rebuilding) {
  const uint64_t mark_before = mark;
  const auto file = segments_->file(header.segment, header.generation);
  segment::LogReader reader(*file, header, options_.segment_bytes);
  for (;;) {
    TRY(const segment::LogBatch* batch, reader.next());
    if (batch == nullptr) break;
    if (batch->sequence <= mark) continue;
    auto changes = index_->new_batch();
    std::unordered_map<model::BlobId, std::optional<index::Entry>> seen;  // Changes of this batch are not in the index yet.
    for (size_t i = 0; i < batch->records.size(); ++i) {
      const segment::LogRecord& record = batch->records[i];
      const segment::RecordHeader& h = record.header;
      if (!seen.contains(h.id)) {
        TRY(seen[h.id], index_->find(h.id));
      }
      std::optional<index::Entry>& before = seen[h.id];
      index::Entry now = before.value_or(index::Entry{});
      now.id = h.id;
      switch (h.kind) {
        case segment::RecordKind::kPut:
        case segment::RecordKind::kLarge:
          now = {h.id, {}, h.length, h.digest, h.ring_epoch, h.created_us, h.received_us, h.handoff_for, 0};
          now.at = h.kind == segment::RecordKind::kPut
                       ? index::Location{header.segment, header.generation, record.offset,
                                         segment::round_up(h.bytes, segment::kRecordAlignment), false}
                       : index::Location{h.extent_segment, h.extent_generation, h.extent_offset, segment::extent_bytes(h.length), true};
          if (h.moved && before) {
            now.purge_at_us = before->purge_at_us;
            now.purge_elapsed_us = before->purge_elapsed_us;
            now.order = before->order;
          }
          if (h.moved && !before && !rebuilding) continue;
          if (h.moved && !before) {
            // Its own record is gone, that of its removal may be not.
            TRY(const auto removal, index_->find_removal(h.id));
            if (removal) now = trashed_by(*removal, now);
          }
          break;
        case segment::RecordKind::kRemove:
          now.purge_at_us = h.purge_at_us;
          now.purge_elapsed_us = h.purge_elapsed_us;
          // A clock that begins anew would come to that number a second time only after years.
          if (elapsed_.forgotten()) now.purge_elapsed_us = elapsed_us() + h.purge_at_us - std::min(h.purge_at_us, h.received_us);
          now.order = h.order;
          now.dropped = h.dropped;
          break;
        case segment::RecordKind::kRestore:
          if (!before) continue;
          now.purge_at_us = now.purge_elapsed_us = 0;
          now.order = h.order;
          now.dropped = false;
          now.handoff_for = h.handoff_for;
          break;
        case segment::RecordKind::kHandoff:
          if (!before) continue;
          now.handoff_for = h.handoff_for;
          break;
      }
      if (h.order > highest_order_) changes->raise_order(highest_order_ = h.order);
      const bool absent = h.kind == segment::RecordKind::kRemove && !before;   // Removed while it was not here.
      if (absent && h.dropped) continue;
      if (absent) changes->keep_removal(kept_removal(h, now.purge_elapsed_us));
      if (!absent) changes->store(now, before);
      if (!h.moved && !h.dropped && h.kind != segment::RecordKind::kHandoff) {
        changes->append_journal({journal_token(batch->sequence, i), h.kind == segment::RecordKind::kRemove, now, h.received_us, elapsed_us()});
      }
      if (!absent) before = now;
    }
    changes->mark(batch->sequence);
    TRY_VOID(index_->apply(*changes));
    mark = batch->sequence;
  }
  if (reader.damaged() > 0) {
    log::error("engine", "acknowledged batches are damaged", {{"disk", options_.disk.to_hex()}, {"batches", reader.damaged()}});
    corrupt_reads_ += reader.damaged();
    if (reader.damaged_above(mark_before)) TRY_VOID(note_doubt());
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

Result<void> DiskEngine::count_blobs() {
  return index_->visit(0, {}, [this](const index::Entry& entry) {
    count(entry, 1);
    return true;
  });
}

}  // namespace rondel::engine
