// Opening a disk: identity, recovery from the log, counting.
#include "common/log/log.h"
#include "storage-node/engine/disk_engine.h"
#include "storage-node/engine/superblock.h"
#include "storage-node/segment/log_reader.h"

namespace rondel::engine {
namespace {

constexpr uint64_t kSegmentsMin = 16;
constexpr uint64_t kSegmentBytesMin = 16ull << 20;

uint64_t journal_token(uint64_t sequence, size_t position) { return (sequence << 12) | position; }

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(fs::FileSystem& fs, EngineOptions options) {
  auto engine = std::make_unique<DiskEngine>(fs, std::move(options));
  TRY_VOID(engine->start());
  return engine;
}

DiskEngine::DiskEngine(fs::FileSystem& fs, EngineOptions options) : fs_(fs), options_(std::move(options)) {}

Result<void> DiskEngine::start() {
  TRY_VOID(open_identity());
  index::IndexOptions index_options;
  index_options.path = options_.index_path.empty() ? options_.path + "/index" : options_.index_path;
  index_options.memtable_bytes = options_.memtable_bytes;
  index_options.block_cache_bytes = options_.block_cache_bytes;
  index_options.lose_unflushed_at_close = options_.lose_unflushed_index;
  TRY(index_, index::Index::open(index_options));
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
  if (!superblock) {
    const uint64_t fitting = options_.capacity_bytes / kSegmentsMin / (1 << 20) * (1 << 20);
    options_.segment_bytes = std::max(kSegmentBytesMin, std::min(options_.segment_bytes, fitting));
    if (options_.disk.is_zero()) options_.disk = model::DiskId::random();
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

Result<void> DiskEngine::recover() {
  const size_t segments_max = std::max<uint64_t>(options_.capacity_bytes / options_.segment_bytes, SegmentTable::kReserved + 2);
  segments_ = std::make_unique<SegmentTable>(fs_, options_.path + "/segments", options_.disk, options_.segment_bytes, segments_max);
  TRY_VOID(segments_->load());
  TRY(uint64_t mark, index_->mark());
  const auto logs = segments_->logs();
  for (size_t i = 0; i < logs.size(); ++i) {
    // Everything in this log lies below the mark when the next one begins at or below it.
    if (i + 1 < logs.size() && logs[i + 1].first_sequence <= mark + 1) continue;
    TRY_VOID(replay(logs[i], mark));
  }
  sequence_ = mark;
  for (const auto& header : logs) sequence_ = std::max(sequence_, header.first_sequence > 0 ? header.first_sequence - 1 : 0);
  TRY_VOID(index_->flush());
  return count_blobs();
}

// Applies what the index may have lost. Applying a batch twice changes nothing.
Result<void> DiskEngine::replay(const segment::SegmentHeader& header, uint64_t& mark) {
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
          if (h.moved && before) now.purge_at_us = before->purge_at_us;
          if (h.moved && !before) continue;
          break;
        case segment::RecordKind::kRemove:
          if (!before) continue;
          now.purge_at_us = h.extent_offset;
          break;
        case segment::RecordKind::kRestore:
          if (!before) continue;
          now.purge_at_us = 0;
          break;
        case segment::RecordKind::kHandoff:
          if (!before) continue;
          now.handoff_for = h.handoff_for;
          break;
      }
      changes->store(now, before);
      if (!h.moved && h.kind != segment::RecordKind::kHandoff) {
        changes->append_journal({journal_token(batch->sequence, i), h.kind == segment::RecordKind::kRemove, now, h.received_us});
      }
      before = now;
    }
    changes->mark(batch->sequence);
    TRY_VOID(index_->apply(*changes));
    mark = batch->sequence;
  }
  if (reader.damaged() > 0) {
    log::error("engine", "acknowledged batches are damaged", {{"disk", options_.disk.to_hex()}, {"batches", reader.damaged()}});
    corrupt_reads_ += reader.damaged();
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
