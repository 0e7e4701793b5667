// A stream on its way in: bytes gathered into pieces, pieces into chunks, some chunks at a time on their way to the disks.
#include <algorithm>
#include <deque>

#include "gateway/blobs/chunk_write.h"

namespace rondel::blobs {
namespace {

class Writer final : public StreamWriter {
 public:
  Writer(std::shared_ptr<Core> core, std::optional<uint64_t> size_hint, Deadline deadline)
      : core_(std::move(core)), size_hint_(size_hint), deadline_(deadline), stream_(model::StreamId::random()) {}

  async::Task<Result<void>> write(ByteView bytes) override {
    if (size_hint_ && bytes.size() > *size_hint_ - size_) co_return fail(ErrorCode::kInvalidArgument, "more bytes than announced");
    while (!bytes.empty()) {
      CO_TRY_VOID(co_await begin_chunk());
      const size_t count = std::min<uint64_t>(bytes.size(), piece_room());
      std::ranges::copy(bytes.first(count), piece_.get() + piece_bytes_);
      piece_bytes_ += count;
      size_ += count;
      chunk_bytes_ += count;
      bytes = bytes.subspan(count);
      if (piece_room() == 0) close_piece();
      if (chunk_bytes_ == chunk_limit()) CO_TRY_VOID(co_await send_chunk());
    }
    co_return Result<void>{};
  }

  async::Task<Result<WrittenStream>> finish() override {
    if (size_hint_ && size_ != *size_hint_) co_return fail(ErrorCode::kInvalidArgument, "fewer bytes than announced");
    if (chunk_bytes_ > 0) CO_TRY_VOID(co_await send_chunk());
    while (!sending_.empty()) CO_TRY_VOID(co_await settle_oldest());
    // Older, and the reconcile scan might take it for left behind before it is committed.
    if (std::chrono::steady_clock::now() > deadline_) co_return fail(ErrorCode::kDeadlineExceeded, "the stream took too long");
    core_->counters.bytes_written += size_;
    co_return WrittenStream{stream_, size_, epoch_, first_time_};
  }

  WrittenStream leftovers() const override { return {stream_, sent_any_ ? size_ : 0, epoch_, first_time_}; }

 private:
  using Slot = async::OneShot<Result<void>>;

  uint64_t chunk_limit() const { return model::kChunkBytes; }
  uint64_t piece_room() const { return piece_capacity_ - piece_bytes_; }

  // How long the chunk that begins now will be, at most.
  uint64_t expected_chunk() const { return size_hint_ ? std::min(model::kChunkBytes, *size_hint_ - size_) : model::kChunkBytes; }

  async::Task<Result<void>> begin_chunk() {
    if (chunk_bytes_ == 0 && buffer_.amount() == 0) {
      while (sending_.size() + 1 > core_->options.chunks_in_flight) CO_TRY_VOID(co_await settle_oldest());
      const uint64_t expected = expected_chunk();
      auto& budget = expected <= model::kPieceBytes ? core_->small_budget : core_->write_budget;
      buffer_ = budget.try_reserve(expected);
      if (buffer_.amount() == 0) {
        CO_TRY(buffer_, co_await budget.reserve(expected, std::min(deadline_, deadline_in(core_->options.write_deadline))));
      }
      chunk_expected_ = expected;
    }
    if (!piece_) {
      piece_capacity_ = std::min(model::kPieceBytes, chunk_expected_ - chunk_bytes_);
      piece_ = std::make_shared_for_overwrite<std::byte[]>(piece_capacity_);
      piece_bytes_ = 0;
    }
    co_return Result<void>{};
  }

  void close_piece() {
    if (!piece_ || piece_bytes_ == 0) return;
    const ByteView bytes(piece_.get(), piece_bytes_);
    pieces_.push_back({ByteSlice(std::move(piece_), bytes), chunk_bytes_ - piece_bytes_, {}});
    piece_.reset();
    piece_bytes_ = piece_capacity_ = 0;
  }

  async::Task<Result<void>> send_chunk() {
    close_piece();
    const auto topology = core_->topology.topology();
    if (topology->rings.empty()) co_return fail(ErrorCode::kUnavailable, "the cluster has no ring yet");
    const auto ring = topology->rings.front();
    const model::BlobId blob{stream_, chunk_number_++};
    for (transfer::Piece& piece : pieces_) {
      piece.digests = hash::block_digests(blob, static_cast<uint32_t>(piece.offset / model::kBlockBytes), piece.bytes.view());
    }
    epoch_ = epoch_ == 0 ? ring->epoch() : std::min(epoch_, ring->epoch());
    const SystemTime now = core_->options.clock->now();
    first_time_ = sent_any_ ? std::min(first_time_, now) : now;
    sent_any_ = true;
    auto slot = Slot::make();
    core_->run_in_background(send(core_, ring, blob, now, std::exchange(pieces_, {}), std::exchange(buffer_, {}), deadline_, slot));
    sending_.push_back(std::move(slot));
    chunk_bytes_ = 0;
    co_return Result<void>{};
  }

  static async::Task<void> send(std::shared_ptr<Core> core, std::shared_ptr<const ring::Ring> ring, model::BlobId blob,
                                SystemTime created_at, std::vector<transfer::Piece> pieces, async::Budget::Reservation buffer, Deadline deadline,
                                std::shared_ptr<Slot> slot) {
    slot->set(co_await write_chunk(std::move(core), std::move(ring), blob, created_at, std::move(pieces), std::move(buffer), deadline));
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
  const model::StreamId stream_;
  uint64_t size_ = 0;
  uint64_t epoch_ = 0;
  SystemTime first_time_{};
  bool sent_any_ = false;

  uint32_t chunk_number_ = 0;
  uint64_t chunk_bytes_ = 0;
  uint64_t chunk_expected_ = 0;
  async::Budget::Reservation buffer_;
  std::vector<transfer::Piece> pieces_;
  std::shared_ptr<std::byte[]> piece_;
  size_t piece_bytes_ = 0;
  size_t piece_capacity_ = 0;
  std::deque<std::shared_ptr<Slot>> sending_;
};

}  // namespace

std::unique_ptr<StreamWriter> make_stream_writer(std::shared_ptr<Core> core, std::optional<uint64_t> size_hint, Deadline deadline) {
  return std::make_unique<Writer>(std::move(core), size_hint, deadline);
}

}  // namespace rondel::blobs
