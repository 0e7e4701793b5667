// Large blobs: an extent each, written as the pieces come, flushed together with whatever else waits, then named by the log.
#include <algorithm>

#include "storage-node/engine/aligned_buffer.h"
#include "storage-node/engine/disk_engine.h"

namespace rondel::engine {

using segment::kBlock;

namespace {

// A write takes so much of an extent when it waits: many small direct writes cost the processor and the disk more than one.
constexpr uint64_t kBulkWriteBytes = 1 << 20;

Error closed_error() { return {ErrorCode::kUnavailable, "the disk is closed"}; }

class ExtentPut final : public LargePut {
 public:
  ExtentPut(DiskEngine& engine, std::shared_ptr<Extent> extent) : engine_(engine), extent_(std::move(extent)) {}

  ~ExtentPut() override {
    if (!finished_) engine_.drop_extent(*extent_);
  }

  Result<void> append(ByteSlice piece, std::vector<hash::BlockDigest> digests) override {
    const uint64_t at = extent_->received;
    if (at % model::kPieceBytes != 0 || piece.empty() || piece.size() > model::kPieceBytes || at + piece.size() > extent_->entry.length) {
      return fail(ErrorCode::kInvalidArgument, "pieces are 256 KiB long but for the last");
    }
    const auto first = static_cast<uint32_t>(at / model::kBlockBytes);
    if (hash::block_digests(extent_->entry.id, first, piece.view()) != digests) {
      return fail(ErrorCode::kCorruption, "the bytes do not match their digests");
    }
    const uint64_t length = piece.size();
    TRY_VOID(engine_.queue_piece(extent_, std::move(piece), extent_->entry.at.offset + kBlock + at));
    extent_->received += length;
    extent_->digests.insert(extent_->digests.end(), digests.begin(), digests.end());
    return {};
  }

  void finish_async(hash::BlobDigest digest, PutCallback done) override {
    if (extent_->received != extent_->entry.length) return done(fail(ErrorCode::kInvalidArgument, "bytes are missing"));
    if (hash::blob_digest(extent_->digests) != digest) return done(fail(ErrorCode::kCorruption, "the blob does not match its digest"));
    extent_->entry.digest = digest;
    finished_ = true;
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
std::string encode_extent_header(const model::DiskId& disk, const index::Entry& entry, size_t blocks, uint64_t bytes) {
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
  segment::encode(header, segment::salt_of(disk, entry.at.generation), {reinterpret_cast<std::byte*>(out.data()), out.size()});
  return out;
}

std::string encode_trailer(const model::DiskId& disk, const Extent& extent) {
  std::string out = encode_extent_header(disk, extent.entry, extent.digests.size(), segment::trailer_bytes(extent.entry.length));
  segment::encode_digests(extent.digests, reinterpret_cast<std::byte*>(out.data()) + segment::kRecordHeaderBytes);
  return out;
}

}  // namespace

Result<std::unique_ptr<LargePut>> DiskEngine::start_large_put(PutRequest request, uint64_t length) {
  if (length == 0 || length > model::kChunkBytes) return fail(ErrorCode::kInvalidArgument, "a blob has 1 byte to 8 MiB");
  TRY_VOID(take_more(request.background));
  index::Entry entry{request.id, {}, length, {}, request.ring_epoch,
                     static_cast<uint64_t>(request.created_at.time_since_epoch().count()), now_us(), request.handoff_for, 0};
  entry.order = request.order;
  TRY(auto extent, allocate_extent(std::move(entry), false));
  return std::make_unique<ExtentPut>(*this, std::move(extent));
}

// The extent counts as live from now on, so that nobody frees its segment.
Result<std::shared_ptr<Extent>> DiskEngine::allocate_extent(index::Entry entry, bool from_reserve) {
  if (read_only_) return std::unexpected(read_only_error());
  if (stalled()) return fail(ErrorCode::kUnavailable, "the disk does not answer");
  auto extent = std::make_shared<Extent>();
  const uint64_t bytes = segment::extent_bytes(entry.length);
  {
    std::lock_guard lock(bulk_mutex_);
    if (!bulk_ || bulk_position_ + bytes > options_.segment_bytes) TRY_VOID(start_bulk_segment(from_reserve));
    extent->file = bulk_file_;
    entry.at = {bulk_->segment, bulk_->generation, bulk_position_, bytes, true};
    bulk_position_ += bytes;
    segments_->add(entry.at, false, 1);
  }
  extent->entry = std::move(entry);
  const uint64_t at = extent->entry.at.offset;
  const std::string header = encode_extent_header(options_.disk, extent->entry, 0, kBlock);
  if (auto queued = queue_piece(extent, ByteSlice::copy_of(as_bytes(header)), at); !queued) {
    drop_extent(*extent);
    return std::unexpected(queued.error());
  }
  return extent;
}

// REQUIRES: bulk_mutex_ is held.
Result<void> DiskEngine::start_bulk_segment(bool from_reserve) {
  auto started = segments_->start(segment::SegmentKind::kBulk, 0, from_reserve);
  auto file = started ? fs_.open(segments_->path(started->segment), {.writable = true, .direct = true})
                      : Result<std::unique_ptr<fs::File>>(std::unexpected(started.error()));
  if (!file) {
    if (file.error().code != ErrorCode::kResourceExhausted) become_read_only(file.error());
    return std::unexpected(file.error());
  }
  measure_space();
  if (bulk_) segments_->seal(bulk_->segment);
  bulk_ = *started;
  bulk_file_ = *std::move(file);
  bulk_position_ = kBlock;
  return {};
}

void DiskEngine::drop_extent(Extent& extent) {
  if (!extent.committed.exchange(true)) segments_->add(extent.entry.at, false, -1);
}

Result<void> DiskEngine::queue_piece(std::shared_ptr<Extent> extent, ByteSlice piece, uint64_t offset) {
  if (queue_bytes_.load() + piece.size() > options_.queue_bytes_max) {
    return fail(ErrorCode::kResourceExhausted, "the disk's queue is full");
  }
  {
    std::lock_guard lock(bulk_mutex_);
    if (stopping_) return std::unexpected(closed_error());
    if (extent->error) return std::unexpected(*extent->error);
    queue_bytes_ += piece.size();
    bulk_queue_.push_back({std::move(extent), std::move(piece), offset, nullptr});
  }
  bulk_ready_.notify_one();
  return {};
}

void DiskEngine::finish_extent(std::shared_ptr<Extent> extent, std::move_only_function<void(Result<bool>)> done) {
  const index::Entry& entry = extent->entry;
  const uint64_t at = entry.at.offset + kBlock + segment::round_up(entry.length, kBlock);
  ByteSlice trailer = ByteSlice::copy_of(as_bytes(encode_trailer(options_.disk, *extent)));
  {
    std::unique_lock lock(bulk_mutex_);
    if (stopping_) {
      lock.unlock();
      drop_extent(*extent);
      return done(std::unexpected(closed_error()));
    }
    queue_bytes_ += trailer.size();
    bulk_queue_.push_back({std::move(extent), std::move(trailer), at, std::move(done)});
  }
  bulk_ready_.notify_one();
}

void DiskEngine::refuse_all(std::unique_lock<std::mutex> lock, std::deque<BulkStep>& queue) {
  std::deque<BulkStep> steps;
  steps.swap(queue);
  lock.unlock();
  for (BulkStep& step : steps) {
    if (!step.done) continue;
    drop_extent(*step.extent);
    step.done(std::unexpected(closed_error()));
  }
}

// Steps of one extent that lie behind one another, written at once.
class DiskEngine::BulkRun {
 public:
  // Takes the first step of `queue` and those behind it that continue it. REQUIRES: bulk_mutex_ is held, the queue is not empty.
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

  // Whole blocks: behind the last bytes of a blob there are zeros up to the trailer.
  Result<void> write(AlignedBuffer& memory) const {
    const std::span<std::byte> out = memory.take(bytes());
    uint64_t end = begin();
    for (const BulkStep& step : steps_) {
      std::ranges::fill(out.subspan(end - begin(), step.offset - end), std::byte{0});
      std::ranges::copy(step.piece.view(), out.begin() + static_cast<ptrdiff_t>(step.offset - begin()));
      end = step.offset + step.piece.size();
    }
    std::ranges::fill(out.subspan(end - begin()), std::byte{0});
    return extent().file->write_at(begin(), out);
  }

  Extent& extent() const { return *steps_.front().extent; }
  uint64_t queued_bytes() const { return queued_; }
  BulkStep& last() { return steps_.back(); }

  void release_memory() {
    for (BulkStep& step : steps_) step.piece = {};
  }

 private:
  void add(BulkStep step) {
    queued_ += step.piece.size();
    steps_.push_back(std::move(step));
  }
  uint64_t begin() const { return steps_.front().offset; }
  uint64_t bytes() const { return segment::round_up(steps_.back().offset + steps_.back().piece.size() - begin(), kBlock); }

  std::vector<BulkStep> steps_;
  uint64_t queued_ = 0;
};

void DiskEngine::bulk_loop() {
  AlignedBuffer memory;
  for (;;) {
    std::optional<BulkRun> run;
    {
      std::unique_lock lock(bulk_mutex_);
      bulk_ready_.wait(lock, [this] { return stopping_ || !bulk_queue_.empty(); });
      if (stopping_) return refuse_all(std::move(lock), bulk_queue_);
      run = BulkRun::take(bulk_queue_);
    }
    auto written = read_only_ ? Result<void>(std::unexpected(read_only_error())) : run->write(memory);
    queue_bytes_ -= run->queued_bytes();
    run->release_memory();
    if (!written) become_read_only(written.error());
    std::lock_guard lock(bulk_mutex_);
    if (!written) run->extent().error = Error{ErrorCode::kUnavailable, written.error().message};
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
    {
      std::unique_lock lock(bulk_mutex_);
      flush_ready_.wait(lock, [this] { return stopping_ || !flush_queue_.empty(); });
      if (stopping_) return refuse_all(std::move(lock), flush_queue_);
      steps.swap(flush_queue_);
    }
    std::vector<std::pair<fs::File*, Result<void>>> flushed;
    for (BulkStep& step : steps) {
      fs::File* const file = step.extent->file.get();
      auto known = std::ranges::find(flushed, file, &std::pair<fs::File*, Result<void>>::first);
      if (known == flushed.end()) {
        flushed.emplace_back(file, timed_flush(bulk_flush_since_, [&] { return file->flush(); }));
        known = std::prev(flushed.end());
        if (!known->second) become_read_only(known->second.error());
      }
      std::optional<Error> error;
      {
        std::lock_guard lock(bulk_mutex_);
        error = step.extent->error;
      }
      if (!error && !known->second) error = Error{ErrorCode::kUnavailable, known->second.error().message};
      if (error) {
        drop_extent(*step.extent);
        step.done(std::unexpected(*error));
        continue;
      }
      CommitItem item;
      item.kind = CommitItem::Kind::kLarge;
      item.entry = step.extent->entry;
      item.moved_from = step.extent->moved_from;
      // The commit counts the entry anew; what the allocation counted goes, whether it was taken or not.
      auto callback = std::make_shared<std::move_only_function<void(Result<bool>)>>(std::move(step.done));
      item.done = [this, extent = step.extent, callback](Result<bool> result) {
        drop_extent(*extent);
        (*callback)(std::move(result));
      };
      if (auto accepted = submit(std::move(item)); !accepted) {
        drop_extent(*step.extent);
        (*callback)(std::unexpected(accepted.error()));
      }
    }
  }
}

}  // namespace rondel::engine
