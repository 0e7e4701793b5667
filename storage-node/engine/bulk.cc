// Large blobs: an extent each, written as the pieces come, flushed together with whatever else
// waits, then named by the log.
//
// An extent gets its place when the bulk writer comes to its first step: whoever brings a blob
// never waits for the disk. It holds its segment until the last of its steps is gone, so that bytes
// that come late, as those of an upload that was given up, never reach a segment that is used
// again.
#include <algorithm>

#include "storage-node/engine/aligned_buffer.h"
#include "storage-node/engine/disk_engine.h"

namespace rondel::engine {

using segment::kBlock;

namespace {

// A write takes so much of an extent when it waits: many small direct writes cost the processor and
// the disk more than one.
constexpr uint64_t kBulkWriteBytes = 1 << 20;

Error closed_error() { return {ErrorCode::kUnavailable, "the disk is closed"}; }

class ExtentPut final : public LargePut {
 public:
  ExtentPut(DiskEngine& engine, std::shared_ptr<Extent> extent)
      : engine_(engine), extent_(std::move(extent)) {
    ++engine_.large_puts;
  }

  ~ExtentPut() override {
    if (finished_) return;
    engine_.drop_extent(extent_);
    --engine_.large_puts;
  }

  Result<void> append(ByteSlice piece, std::vector<hash::BlockDigest> digests) override {
    const uint64_t at = extent_->received;
    if (at % model::kPieceBytes != 0 || piece.empty() || piece.size() > model::kPieceBytes ||
        at + piece.size() > extent_->entry.length) {
      return fail(ErrorCode::kInvalidArgument, "pieces are 256 KiB long but for the last");
    }
    const auto first = static_cast<uint32_t>(at / model::kBlockBytes);
    if (hash::block_digests(extent_->entry.id, first, piece.view()) != digests) {
      return fail(ErrorCode::kCorruption, "the bytes do not match their digests");
    }
    const uint64_t length = piece.size();
    TRY_VOID(engine_.queue_piece(extent_, std::move(piece), kBlock + at));
    extent_->received += length;
    extent_->digests.insert(extent_->digests.end(), digests.begin(), digests.end());
    return {};
  }

  void finish_async(hash::BlobDigest digest, PutCallback done) override {
    if (extent_->received != extent_->entry.length) {
      return done(fail(ErrorCode::kInvalidArgument, "bytes are missing"));
    }
    if (hash::blob_digest(extent_->digests) != digest) {
      return done(fail(ErrorCode::kCorruption, "the blob does not match its digest"));
    }
    extent_->entry.digest = digest;
    finished_ = true;
    --engine_.large_puts;
    auto callback = std::make_shared<PutCallback>(std::move(done));
    engine_.finish_extent(extent_, [callback](Result<bool> result) {
      (*callback)(result ? Result<void>{} : Result<void>(std::unexpected(result.error())));
    });
  }

 private:
  DiskEngine& engine_;
  std::shared_ptr<Extent> extent_;
  bool finished_ = false;
};

// Header of an extent; the trailer is the same with digests behind it.
std::string encode_extent_header(const model::DiskId& disk, const index::Entry& entry,
                                 size_t blocks, uint64_t bytes) {
  segment::RecordHeader header;
  header.kind = segment::RecordKind::kLarge;
  header.bytes = static_cast<uint32_t>(segment::kRecordHeaderBytes + 8 * blocks);
  header.blocks = static_cast<uint32_t>(blocks);
  header.id = entry.id;
  header.length = entry.length;
  header.ring_epoch = entry.ring_epoch;
  header.created_us = entry.created_us;
  header.received_us = entry.received_us;
  header.digest = entry.digest;
  header.handoff_for = entry.handoff_for;
  header.extent_segment = entry.at.segment;
  header.extent_generation = entry.at.generation;
  header.extent_offset = entry.at.offset;
  std::string out(bytes, '\0');
  segment::encode(header, segment::salt_of(disk, entry.at.generation),
                  {reinterpret_cast<std::byte*>(out.data()), out.size()});
  return out;
}

std::string encode_trailer(const model::DiskId& disk, const Extent& extent) {
  std::string out = encode_extent_header(disk, extent.entry, extent.digests.size(),
                                         segment::trailer_bytes(extent.entry.length));
  segment::encode_digests(extent.digests,
                          reinterpret_cast<std::byte*>(out.data()) + segment::kRecordHeaderBytes);
  return out;
}

}  // namespace

Result<std::unique_ptr<LargePut>> DiskEngine::start_large_put(PutRequest request, uint64_t length) {
  if (length == 0 || length > model::kChunkBytes) {
    return fail(ErrorCode::kInvalidArgument, "a blob has 1 byte to 8 MiB");
  }
  TRY_VOID(check_order(request.order));
  TRY_VOID(take_more(request.background));
  index::Entry entry{request.id,
                     {},
                     length,
                     {},
                     request.ring_epoch,
                     static_cast<uint64_t>(request.created_at.time_since_epoch().count()),
                     now_us(),
                     request.handoff_for,
                     0};
  entry.order = request.order;
  TRY(auto extent, allocate_extent(std::move(entry), false));
  return std::make_unique<ExtentPut>(*this, std::move(extent));
}

Result<std::shared_ptr<Extent>> DiskEngine::allocate_extent(index::Entry entry, bool from_reserve) {
  TRY_VOID(may_write());
  // What is not placed yet counts when it is: a disk that fills up meanwhile says so at the end.
  if (segment::extent_bytes(entry.length) > bulk_room_ && !segments_->can_start(from_reserve)) {
    return fail(ErrorCode::kStorageFull, "the disk is full");
  }
  auto extent = std::make_shared<Extent>();
  extent->entry = std::move(entry);
  extent->from_reserve = from_reserve;
  TRY_VOID(queue_step({extent, BulkStep::Kind::kHeader, {}, 0, kBlock, nullptr}));
  return extent;
}

// Of the bulk writer.
Result<void> DiskEngine::place(Extent& extent) {
  if (extent.file) return {};
  const uint64_t bytes = segment::extent_bytes(extent.entry.length);
  if (!bulk_ || bulk_position_ + bytes > options_.segment_bytes) {
    TRY_VOID(start_bulk_segment(extent.from_reserve));
  }
  extent.entry.at = {bulk_->segment, bulk_->generation, bulk_position_, bytes, true};
  extent.hold = bulk_hold_;
  extent.file = bulk_file_;
  bulk_position_ += bytes;
  bulk_room_ = options_.segment_bytes - bulk_position_;
  return {};
}

Result<void> DiskEngine::start_bulk_segment(bool from_reserve) {
  auto started = segments_->start(segment::SegmentKind::kBulk, 0, from_reserve);
  auto file = started
                  ? fs_.open(segments_->path(started->segment), {.writable = true, .direct = true})
                  : Result<std::unique_ptr<fs::File>>(std::unexpected(started.error()));
  measure_space();
  if (!file) {
    if (file.error().code != ErrorCode::kStorageFull) become_read_only(file.error());
    return std::unexpected(file.error());
  }
  if (bulk_) segments_->seal(bulk_->segment, bulk_position_);
  bulk_ = *started;
  bulk_hold_ = segments_->hold(bulk_->segment);
  bulk_file_ = *std::move(file);
  bulk_position_ = kBlock;
  return {};
}

// What of it waits is dropped; what is being written goes on, into a segment that is held until
// then.
void DiskEngine::drop_extent(const std::shared_ptr<Extent>& extent) {
  std::vector<BulkStep> dropped;
  {
    MutexLock lock(bulk_mutex_);
    for (auto step = bulk_queue_.begin(); step != bulk_queue_.end();) {
      if (step->extent != extent) {
        ++step;
        continue;
      }
      queue_bytes_ -= step->bytes;
      dropped.push_back(std::move(*step));
      step = bulk_queue_.erase(step);
    }
  }
}

Result<void> DiskEngine::queue_step(BulkStep step) {
  if (queue_bytes_.load() + step.bytes > options_.queue_bytes_max) {
    return fail(ErrorCode::kResourceExhausted, "the disk's queue is full");
  }
  {
    MutexLock lock(bulk_mutex_);
    if (stopping_) return std::unexpected(closed_error());
    if (step.extent->error) return std::unexpected(*step.extent->error);
    queue_bytes_ += step.bytes;
    bulk_queue_.push_back(std::move(step));
  }
  bulk_ready_.notify_one();
  return {};
}

// `offset`: in the extent.
Result<void> DiskEngine::queue_piece(std::shared_ptr<Extent> extent, ByteSlice piece,
                                     uint64_t offset) {
  const uint64_t bytes = piece.size();
  return queue_step(
      {std::move(extent), BulkStep::Kind::kPiece, std::move(piece), offset, bytes, nullptr});
}

void DiskEngine::finish_extent(std::shared_ptr<Extent> extent,
                               std::move_only_function<void(Result<bool>)> done) {
  const uint64_t at = kBlock + segment::round_up(extent->entry.length, kBlock);
  const uint64_t bytes = segment::trailer_bytes(extent->entry.length);
  {
    MutexLock lock(bulk_mutex_);
    if (stopping_) {
      lock.unlock();
      return done(std::unexpected(closed_error()));
    }
    queue_bytes_ += bytes;
    bulk_queue_.push_back(
        {std::move(extent), BulkStep::Kind::kTrailer, {}, at, bytes, std::move(done)});
  }
  bulk_ready_.notify_one();
}

void DiskEngine::refuse_all(std::deque<BulkStep> steps) {
  for (BulkStep& step : steps) {
    if (!step.done) continue;
    step.done(std::unexpected(closed_error()));
  }
}

// Steps of one extent that lie behind one another, written at once.
class DiskEngine::BulkRun {
 public:
  // Takes the first step of `queue` and those behind it that continue it. REQUIRES: bulk_mutex_ is
  // held, the queue is not empty.
  static BulkRun take(std::deque<BulkStep>& queue) {
    BulkRun run;
    run.add(std::move(queue.front()));
    queue.pop_front();
    for (auto step = queue.begin(); step != queue.end() && run.bytes() < kBulkWriteBytes;) {
      if (step->extent != run.steps_.front().extent) {
        ++step;
        continue;
      }
      run.add(std::move(*step));
      step = queue.erase(step);
    }
    return run;
  }

  // Whole blocks: behind the last bytes of a blob there are zeros up to the trailer. REQUIRES: the
  // extent has its place.
  Result<void> write(const model::DiskId& disk, AlignedBuffer& memory) {
    const std::span<std::byte> out = memory.take(bytes());
    uint64_t end = begin();
    for (BulkStep& step : steps_) {
      if (step.kind != BulkStep::Kind::kPiece) step.piece = encode(disk, step);
      std::ranges::fill(out.subspan(end - begin(), step.offset - end), std::byte{0});
      std::ranges::copy(step.piece.view(),
                        out.begin() + static_cast<ptrdiff_t>(step.offset - begin()));
      end = step.offset + step.bytes;
    }
    std::ranges::fill(out.subspan(end - begin()), std::byte{0});
    return extent().file->write_at(extent().entry.at.offset + begin(), out);
  }

  Extent& extent() const { return *steps_.front().extent; }

  uint64_t queued_bytes() const { return queued_; }

  BulkStep& last() { return steps_.back(); }

  void release_memory() {
    for (BulkStep& step : steps_) step.piece = {};
  }

 private:
  static ByteSlice encode(const model::DiskId& disk, const BulkStep& step) {
    const Extent& extent = *step.extent;
    const std::string text = step.kind == BulkStep::Kind::kHeader
                                 ? encode_extent_header(disk, extent.entry, 0, step.bytes)
                                 : encode_trailer(disk, extent);
    return ByteSlice::copy_of(as_bytes(text));
  }

  void add(BulkStep step) {
    queued_ += step.bytes;
    steps_.push_back(std::move(step));
  }

  uint64_t begin() const { return steps_.front().offset; }

  uint64_t bytes() const {
    return segment::round_up(steps_.back().offset + steps_.back().bytes - begin(), kBlock);
  }

  std::vector<BulkStep> steps_;
  uint64_t queued_ = 0;
};

Result<void> DiskEngine::write_run(BulkRun& run, AlignedBuffer& memory) {
  if (read_only_) return std::unexpected(read_only_error());
  Extent& extent = run.extent();
  {
    MutexLock lock(bulk_mutex_);
    if (extent.error) return std::unexpected(*extent.error);
  }
  if (auto placed = place(extent); !placed) {
    const bool full = placed.error().code == ErrorCode::kStorageFull;
    return fail(full ? ErrorCode::kStorageFull : ErrorCode::kUnavailable, placed.error().message);
  }
  // The hold sees to it; what is written over others' bytes could not be taken back.
  if (!segments_->file(extent.entry.at.segment, extent.entry.at.generation)) {
    return fail(ErrorCode::kUnavailable, "the segment of the extent is used otherwise");
  }
  auto written = run.write(options_.disk, memory);
  if (written) return {};
  become_read_only(written.error());
  return fail(ErrorCode::kUnavailable, written.error().message);
}

void DiskEngine::bulk_loop() {
  AlignedBuffer memory;
  for (;;) {
    std::optional<BulkRun> run;
    std::deque<BulkStep> refused;
    {
      MutexLock lock(bulk_mutex_);
      while (!stopping_ && bulk_queue_.empty()) bulk_ready_.wait(bulk_mutex_);
      if (stopping_) {
        refused.swap(bulk_queue_);
      } else {
        run = BulkRun::take(bulk_queue_);
      }
    }
    if (!run) return refuse_all(std::move(refused));
    auto written = write_run(*run, memory);
    queue_bytes_ -= run->queued_bytes();
    run->release_memory();
    MutexLock lock(bulk_mutex_);
    if (!written) run->extent().error = written.error();
    if (!run->last().done) continue;
    // The flusher may be gone already; whoever closes the disk first answers.
    if (stopping_) {
      bulk_queue_.push_front(std::move(run->last()));
      continue;
    }
    flush_queue_.push_back(std::move(run->last()));
    flush_ready_.notify_one();
  }
}

// One flush serves every extent of a segment that was written before it began.
void DiskEngine::flush_loop() {
  for (;;) {
    std::deque<BulkStep> steps;
    bool stopped = false;
    {
      MutexLock lock(bulk_mutex_);
      while (!stopping_ && flush_queue_.empty()) flush_ready_.wait(bulk_mutex_);
      steps.swap(flush_queue_);
      stopped = stopping_;
    }
    if (stopped) return refuse_all(std::move(steps));
    std::vector<std::pair<fs::File*, Result<void>>> flushed;
    for (BulkStep& step : steps) {
      std::optional<Error> error;
      {
        MutexLock lock(bulk_mutex_);
        error = step.extent->error;
      }
      // Without a file it never got a place, and has an error.
      fs::File* const file = step.extent->file.get();
      if (!error) {
        auto known = std::ranges::find(flushed, file, &std::pair<fs::File*, Result<void>>::first);
        if (known == flushed.end()) {
          flushed.emplace_back(file, timed_flush([&] { return file->flush(); }));
          known = std::prev(flushed.end());
          if (!known->second) become_read_only(known->second.error());
        }
        if (!known->second) error = Error{ErrorCode::kUnavailable, known->second.error().message};
      }
      if (error) {
        step.done(std::unexpected(*error));
        continue;
      }
      submit_extent(std::move(step));
    }
  }
}

void DiskEngine::submit_extent(BulkStep step) {
  CommitItem item;
  item.kind = CommitItem::Kind::kLarge;
  item.entry = step.extent->entry;
  item.moved_from = step.extent->moved_from;
  // The commit counts the entry, or nothing of it is kept: the segment need not be held any longer.
  auto callback =
      std::make_shared<std::move_only_function<void(Result<bool>)>>(std::move(step.done));
  item.done = [extent = std::move(step.extent), callback](Result<bool> result) {
    extent->hold.reset();
    (*callback)(std::move(result));
  };
  if (auto accepted = submit(std::move(item)); !accepted) {
    (*callback)(std::unexpected(accepted.error()));
  }
}

}  // namespace rondel::engine
