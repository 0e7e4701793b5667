// Ranges on their way out: chunk by chunk from the best disk, going on with another where one
// fails.
#include <algorithm>

#include "gateway/blobs/core.h"

namespace rondel::blobs {
namespace {

// A part of one chunk.
struct Span {
  model::BlobId blob;
  uint64_t blob_length = 0;
  uint64_t begin = 0;
  uint64_t end = 0;
};

std::vector<Span> spans_of(const StreamRange& range) {
  std::vector<Span> spans;
  const uint64_t end = range.offset + range.length;
  for (uint64_t at = range.offset; at < end;) {
    const uint64_t chunk = at / model::kChunkBytes;
    const uint64_t base = chunk * model::kChunkBytes;
    const uint64_t length = std::min(model::kChunkBytes, range.stream_size - base);
    const uint64_t stop = std::min(end - base, length);
    spans.push_back({{range.stream, static_cast<uint32_t>(chunk)}, length, at - base, stop});
    at = base + stop;
  }
  return spans;
}

class Reader final : public StreamReader {
 public:
  Reader(std::shared_ptr<Core> core, std::vector<StreamRange> ranges, Deadline deadline,
         admission::PartyRef payer)
      : core_(std::move(core)),
        ranges_(std::move(ranges)),
        deadline_(deadline),
        payer_(std::move(payer)) {}

  void on_give_way(std::function<void()> told) override { told_ = std::move(told); }

  async::Task<Result<ByteSlice>> next() override {
    if (memory_) memory_.busy();
    if (memory_.gave_way() && !error_) co_return give_up(too_slow());
    if (error_) co_return std::unexpected(*error_);
    while (!span_open_) {
      if (span_ == spans_.size() && !next_range()) {
        memory_ = {};
        co_return ByteSlice();
      }
      auto opened = co_await open_span();
      if (!opened) co_return give_up(opened.error());
    }
    for (;;) {
      auto piece = co_await next_piece();
      if (piece) co_return deliver(*std::move(piece));
      if (!co_await fail_over(piece.error())) co_return give_up(final_error());
    }
  }

 private:
  bool next_range() {
    if (range_ == ranges_.size()) return false;
    spans_ = spans_of(ranges_[range_++]);
    span_ = 0;
    return span_ < spans_.size() || next_range();
  }

  Span& span() { return spans_[span_]; }

  uint64_t left() { return span().end - span().begin; }

  async::Task<Result<void>> open_span() {
    core_->probe_due_disks();
    const uint64_t held = std::min(left() + model::kBlockBytes, 5 * model::kPieceBytes);
    admission::Pool& budget =
        left() <= model::kPieceBytes ? core_->small_read_budget : core_->read_budget;
    memory_ = {};
    CO_TRY(memory_, co_await budget.take(
                        payer_, held, std::min(deadline_, deadline_in(std::chrono::seconds(5)))));
    memory_.may_give_way([loop = async::EventLoop::current(), self = std::weak_ptr(self_)] {
      loop->post([self] {
        if (const auto alive = self.lock()) (*alive)->drop();
      });
    });
    topology_ = core_->topology.topology();
    traffic_ =
        left() <= model::kPieceBytes ? DiskBreakers::Traffic::kSmall : DiskBreakers::Traffic::kBulk;
    candidates_ = owners_of(*core_, *topology_, span().blob, traffic_);
    only_owners_ = true;
    candidate_ = 0;
    missing_ = 0;
    last_error_ = {};
    damaged_.clear();
    lacking_.clear();
    span_open_ = true;
    if (candidates_.empty()) co_return fail(ErrorCode::kUnavailable, "the cluster has no ring yet");
    start();
    co_return Result<void>{};
  }

  void start() {
    download_ = core_->transport.start_get(candidates_[candidate_].disk, span().blob, span().begin,
                                           left(), {.background = false, .deadline = deadline_});
  }

  async::Task<Result<transfer::Piece>> next_piece() {
    const model::DiskId disk = candidates_[candidate_].disk.disk;
    const SteadyTime begin = std::chrono::steady_clock::now();
    auto piece = co_await download_->next(
        std::min(deadline_, begin + core_->breakers.stall(disk, traffic_)));
    if (piece && piece->bytes.empty()) {
      co_return fail(ErrorCode::kInternal, "the node sent fewer bytes than asked for");
    }
    if (piece) core_->breakers.succeeded(disk, traffic_, std::chrono::steady_clock::now() - begin);
    co_return piece;
  }

  // Blocks are whole; the caller asked for bytes.
  ByteSlice deliver(transfer::Piece piece) {
    const uint64_t skip = span().begin - piece.offset;
    const uint64_t count = std::min<uint64_t>(piece.bytes.size() - skip, left());
    ByteSlice bytes = piece.bytes.sub(skip, count);
    span().begin += count;
    core_->counters.bytes_read += count;
    if (left() == 0) close_span(count);
    memory_.idle();  // Until it is asked for more.
    return bytes;
  }

  // The last bytes of the span are held until the reader is asked for more.
  void close_span(uint64_t last_bytes) {
    download_.reset();
    memory_.shrink(last_bytes);  // First: a repair may want the rest.
    for (const transfer::DiskAddress& disk : damaged_) repair(disk, Flaw::kDamaged);
    for (const transfer::DiskAddress& disk : lacking_) repair(disk, Flaw::kMissing);
    span_open_ = false;
    ++span_;
  }

  void repair(const transfer::DiskAddress& at, Flaw flaw) {
    core_->repair({span().blob, span().blob_length, at, flaw, candidates_[candidate_].disk});
  }

  // False: no disk is left.
  async::Task<bool> fail_over(const Error& error) {
    const Candidate& candidate = candidates_[candidate_];
    if (last_error_.message.empty() || error.code != ErrorCode::kNotFound) last_error_ = error;
    switch (error.code) {
      case ErrorCode::kNotFound:
        ++missing_;
        if (!candidate.owner) break;
        ++core_->counters.missing_copies;
        lacking_.push_back(candidate.disk);
        break;
      case ErrorCode::kCorruption:
        ++core_->counters.corrupt_copies;
        damaged_.push_back(candidate.disk);
        break;
      default: core_->breakers.failed(candidate.disk.disk, blames_disk(error));
    }
    download_.reset();
    if (std::chrono::steady_clock::now() >= deadline_) co_return false;
    if (++candidate_ == candidates_.size() && std::exchange(only_owners_, false)) {
      add_handoffs(*core_, *topology_, span().blob, candidates_);
    }
    if (candidate_ == candidates_.size()) co_return false;
    ++core_->counters.read_failovers;
    start();
    co_return true;
  }

  Error final_error() const {
    if (missing_ == candidates_.size()) {
      return {ErrorCode::kNotFound, "no disk has blob " + spans_[span_].blob.to_hex()};
    }
    if (!damaged_.empty() && missing_ + damaged_.size() == candidates_.size()) {
      return {ErrorCode::kCorruption,
              "every copy of blob " + spans_[span_].blob.to_hex() + " is damaged"};
    }
    return {ErrorCode::kUnavailable,
            "blob " + spans_[span_].blob.to_hex() + " cannot be read now: " + last_error_.message};
  }

  std::unexpected<Error> give_up(Error error) {
    error_ = error;
    return std::unexpected(std::move(error));
  }

  // The memory is somebody else's now, as far as it is here: what was handed out is its consumer's
  // to let go of.
  void drop() {
    download_.reset();
    if (!error_) error_ = too_slow();
    if (told_) told_();
  }

  static Error too_slow() {
    return {ErrorCode::kResourceExhausted,
            "the bytes were taken too slowly while others waited for room"};
  }

  const std::shared_ptr<Core> core_;
  const std::vector<StreamRange> ranges_;
  const Deadline deadline_;
  const admission::PartyRef payer_;
  // Known to what may come after the reader's end.
  const std::shared_ptr<Reader*> self_ = std::make_shared<Reader*>(this);
  std::function<void()> told_;
  size_t range_ = 0;
  std::vector<Span> spans_;
  size_t span_ = 0;
  bool span_open_ = false;
  admission::Pool::Hold memory_;
  std::shared_ptr<const ring::Topology> topology_;
  DiskBreakers::Traffic traffic_ = DiskBreakers::Traffic::kSmall;
  std::vector<Candidate> candidates_;
  size_t candidate_ = 0;
  bool only_owners_ = true;
  size_t missing_ = 0;
  std::vector<transfer::DiskAddress> damaged_;
  std::vector<transfer::DiskAddress> lacking_;  // Owners.
  std::unique_ptr<transfer::BlobDownload> download_;
  Error last_error_;
  std::optional<Error> error_;
};

}  // namespace

std::unique_ptr<StreamReader> make_stream_reader(std::shared_ptr<Core> core,
                                                 std::vector<StreamRange> ranges, Deadline deadline,
                                                 admission::PartyRef payer) {
  return std::make_unique<Reader>(std::move(core), std::move(ranges), deadline, std::move(payer));
}

}  // namespace rondel::blobs
