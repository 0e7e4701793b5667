// A stream on its way in: bytes gathered into pieces, pieces into chunks, some chunks at a time on
// their way to the disks.
#include <algorithm>
#include <deque>

#include "gateway/blobs/chunk_write.h"

namespace rondel::blobs {
namespace {

// Of a chunk that came to a halt behind its first bytes: who has sent a few costs no more than his
// connection does.
constexpr uint64_t kFewBytes = 2 * 1024;
constexpr uint64_t kFirstBytes = 16 * 1024;

class Writer final : public StreamWriter {
 public:
  Writer(std::shared_ptr<Core> core, std::optional<uint64_t> size_hint, Deadline deadline,
         admission::PartyRef payer)
      : core_(std::move(core)),
        size_hint_(size_hint),
        deadline_(deadline),
        payer_(std::move(payer)),
        stream_(model::StreamId::random()) {}

  async::Task<Result<void>> write(ByteView bytes) override {
    if (size_hint_ && bytes.size() > *size_hint_ - size_) {
      co_return fail(ErrorCode::kInvalidArgument, "more bytes than announced");
    }
    if (memory_) memory_.progress(bytes.size());
    while (!bytes.empty()) {
      if (piece_room() == 0) CO_TRY_VOID(co_await make_room(bytes.size()));
      const size_t count = std::min<uint64_t>(bytes.size(), piece_room());
      std::ranges::copy(bytes.first(count), piece_.get() + piece_bytes_);
      piece_bytes_ += count;
      size_ += count;
      chunk_bytes_ += count;
      bytes = bytes.subspan(count);
      if (piece_bytes_ == model::kPieceBytes) close_piece();
      if (chunk_bytes_ == chunk_limit()) CO_TRY_VOID(co_await send_chunk());
    }
    co_return Result<void>{};
  }

  async::Task<Result<WrittenStream>> finish() override {
    if (size_hint_ && size_ != *size_hint_) {
      co_return fail(ErrorCode::kInvalidArgument, "fewer bytes than announced");
    }
    if (gone_) co_return gave_way();
    if (chunk_bytes_ > 0) CO_TRY_VOID(co_await send_chunk());
    while (!sending_.empty()) CO_TRY_VOID(co_await settle_oldest());
    // Older, and the reconcile scan might take it for left behind before it is committed.
    if (std::chrono::steady_clock::now() > deadline_) {
      co_return fail(ErrorCode::kDeadlineExceeded, "the stream took too long");
    }
    core_->counters.bytes_written += size_;
    co_return WrittenStream{stream_, size_, epoch_, first_time_};
  }

  WrittenStream leftovers() const override {
    return {stream_, sent_any_ ? size_ : 0, epoch_, first_time_};
  }

 private:
  using Slot = async::OneShot<Result<void>>;

  uint64_t chunk_limit() const { return model::kChunkBytes; }

  uint64_t piece_room() const { return piece_capacity_ - piece_bytes_; }

  // How long the chunk that begins now will be, at most.
  uint64_t expected_chunk() const {
    return size_hint_ ? std::min(model::kChunkBytes, *size_hint_ - size_) : model::kChunkBytes;
  }

  Deadline memory_deadline() const {
    return std::min(deadline_, deadline_in(core_->options.write_deadline));
  }

  static std::unexpected<Error> gave_way() {
    return fail(ErrorCode::kResourceExhausted,
                "the bytes came too slowly while others waited for room");
  }

  // Where the next of `wanted` bytes go. Memory is taken as they come: the first few of a chunk,
  // then piece by piece; behind the first few there must be room for the whole chunk, so that those
  // that are filled at once do not wait for each other.
  async::Task<Result<void>> make_room(uint64_t wanted) {
    if (gone_) co_return gave_way();
    if (!memory_) CO_TRY_VOID(co_await begin_chunk(wanted));

    uint64_t size = std::min(model::kPieceBytes, chunk_expected_ - (chunk_bytes_ - piece_bytes_));
    const uint64_t come = chunk_bytes_ + wanted;
    const bool few = come <= kFirstBytes;
    if (few) size = std::min(size, come <= kFewBytes ? kFewBytes : kFirstBytes);
    while (!complete_ && !memory_.use(size - piece_capacity_)) {
      const uint64_t held = memory_.amount();
      const uint64_t needed = few ? size : chunk_expected_;
      CO_TRY_VOID(co_await memory_.claim(needed - std::min(needed, held), memory_deadline()));
      if (gone_) co_return gave_way();
    }

    auto larger = std::make_shared_for_overwrite<std::byte[]>(size);
    if (piece_bytes_ > 0) std::copy_n(piece_.get(), piece_bytes_, larger.get());
    piece_ = std::move(larger);
    piece_capacity_ = size;
    co_return Result<void>{};
  }

  async::Task<Result<void>> begin_chunk(uint64_t wanted) {
    while (sending_.size() + 1 > core_->options.chunks_in_flight) {
      CO_TRY_VOID(co_await settle_oldest());
    }
    chunk_expected_ = expected_chunk();
    admission::Pool& budget =
        chunk_expected_ <= model::kPieceBytes ? core_->small_write_budget : core_->write_budget;
    complete_ = wanted >= chunk_expected_;
    if (complete_) {
      CO_TRY(memory_, co_await budget.take(payer_, chunk_expected_, memory_deadline()));
    } else {
      memory_ =
          budget.open(payer_, [loop = async::EventLoop::current(), self = std::weak_ptr(self_)] {
            loop->post([self] {
              if (const auto alive = self.lock()) (*alive)->drop();
            });
          });
    }
    co_return Result<void>{};
  }

  // The memory is somebody else's now.
  void drop() {
    gone_ = true;
    pieces_.clear();
    piece_.reset();
    piece_bytes_ = piece_capacity_ = 0;
  }

  void close_piece() {
    if (!piece_ || piece_bytes_ == 0) return;
    const ByteView bytes(piece_.get(), piece_bytes_);
    pieces_.push_back({ByteSlice(std::move(piece_), bytes), chunk_bytes_ - piece_bytes_, {}});
    piece_.reset();
    piece_bytes_ = piece_capacity_ = 0;
  }

  async::Task<Result<void>> send_chunk() {
    if (gone_ || (!complete_ && !memory_.pin())) {
      drop();
      co_return gave_way();
    }
    close_piece();
    const auto topology = core_->topology.topology();
    if (topology->rings.empty()) {
      co_return fail(ErrorCode::kUnavailable, "the cluster has no ring yet");
    }
    const auto ring = topology->rings.front();
    const model::BlobId blob{stream_, chunk_number_++};
    for (transfer::Piece& piece : pieces_) {
      piece.digests = hash::block_digests(
          blob, static_cast<uint32_t>(piece.offset / model::kBlockBytes), piece.bytes.view());
    }
    epoch_ = epoch_ == 0 ? ring->epoch() : std::min(epoch_, ring->epoch());
    const SystemTime now = core_->options.clock->now();
    first_time_ = sent_any_ ? std::min(first_time_, now) : now;
    sent_any_ = true;
    auto slot = Slot::make();
    core_->run_in_background(send(core_, ring, blob, now, std::exchange(pieces_, {}),
                                  std::exchange(memory_, {}), deadline_, slot));
    sending_.push_back(std::move(slot));
    chunk_bytes_ = 0;
    co_return Result<void>{};
  }

  static async::Task<void> send(std::shared_ptr<Core> core, std::shared_ptr<const ring::Ring> ring,
                                model::BlobId blob, SystemTime created_at,
                                std::vector<transfer::Piece> pieces, admission::Pool::Hold buffer,
                                Deadline deadline, std::shared_ptr<Slot> slot) {
    slot->set(co_await write_chunk(std::move(core), std::move(ring), blob, created_at,
                                   std::move(pieces), std::move(buffer), deadline));
  }

  async::Task<Result<void>> settle_oldest() {
    const auto slot = std::move(sending_.front());
    sending_.pop_front();
    auto done = co_await slot->wait_until(Deadline::max());  // write_chunk keeps the deadline.
    if (!done) co_return std::unexpected(done.error());
    co_return std::move(*done);
  }

  const std::shared_ptr<Core> core_;
  const std::optional<uint64_t> size_hint_;
  const Deadline deadline_;
  const admission::PartyRef payer_;
  const model::StreamId stream_;
  // Known to what may come after the writer's end.
  const std::shared_ptr<Writer*> self_ = std::make_shared<Writer*>(this);
  uint64_t size_ = 0;
  uint64_t epoch_ = 0;
  SystemTime first_time_{};
  bool sent_any_ = false;

  uint32_t chunk_number_ = 0;
  uint64_t chunk_bytes_ = 0;
  uint64_t chunk_expected_ = 0;
  admission::Pool::Hold memory_;  // Of the chunk that is filled.
  bool complete_ = false;         // All of it was there at once: it gives way to nobody.
  bool gone_ = false;
  std::vector<transfer::Piece> pieces_;
  std::shared_ptr<std::byte[]> piece_;
  size_t piece_bytes_ = 0;
  size_t piece_capacity_ = 0;
  std::deque<std::shared_ptr<Slot>> sending_;
};

}  // namespace

std::unique_ptr<StreamWriter> make_stream_writer(std::shared_ptr<Core> core,
                                                 std::optional<uint64_t> size_hint,
                                                 Deadline deadline, admission::PartyRef payer) {
  return std::make_unique<Writer>(std::move(core), size_hint, deadline, std::move(payer));
}

}  // namespace rondel::blobs
