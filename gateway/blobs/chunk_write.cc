#include "gateway/blobs/chunk_write.h"

#include <algorithm>
#include <deque>

#include "common/log/log.h"

namespace rondel::blobs {
namespace {

using ring::DiskIndex;

// One copy that is being written.
struct Attempt {
  DiskIndex disk = 0;
  std::optional<DiskIndex> stands_in_for;  // The owner, when the disk is a hand-off.
  SteadyTime started_at;
  bool ended = false;
  bool flushed = false;
  bool full = false;  // Refused: the disk has no space.
  bool replaced = false;
  bool stalled = false;
};

// Lives on one loop; held by the writer until the quorum and by every attempt until its end.
class ChunkWrite final : public LateWrite, public std::enable_shared_from_this<ChunkWrite> {
 public:
  ChunkWrite(std::shared_ptr<Core> core, std::shared_ptr<const ring::Ring> ring, model::BlobId blob,
             SystemTime created_at, std::vector<transfer::Piece> pieces,
             admission::Pool::Hold buffer, Deadline deadline)
      : core_(std::move(core)),
        ring_(std::move(ring)),
        blob_(blob),
        pieces_(std::move(pieces)),
        buffer_(std::move(buffer)),
        deadline_(deadline),
        created_at_(created_at),
        arc_(ring_->arc_of(blob.ring_hash())),
        traffic_(pieces_.size() == 1 ? DiskBreakers::Traffic::kSmall
                                     : DiskBreakers::Traffic::kBulk),
        quorum_(std::min<size_t>(2, ring_->replicas())) {}

  async::Task<Result<void>> run() {
    for (const DiskIndex owner : ring_->owners(arc_)) {
      const auto standing = core_->breakers.for_writes(id_of(owner));
      if (standing == DiskBreakers::ForWrites::kGood || !hand_off(owner)) {
        start(owner, std::nullopt);
      } else if (standing == DiskBreakers::ForWrites::kAvoided) {
        passed_over_ = true;
      } else {
        full_.push_front(owner);
      }
    }
    while (!has_quorum()) {
      if (std::chrono::steady_clock::now() >= deadline_ || !anyone_left()) co_return give_up();
      changed_ = async::OneShot<bool>::make();
      (void)co_await changed_->wait_until(std::min(deadline_, next_stall()));
      changed_.reset();
      replace_stalled();
    }
    ++core_->counters.chunks_written;
    if (anyone_left()) {
      acknowledged_at_ = std::chrono::steady_clock::now();
      core_->watch_late(shared_from_this());
    }
    co_return Result<void>{};
  }

  // The copies that lack: their disks are told of when slow, and given up when the buffer has been
  // held long enough.
  bool review(SteadyTime now) override {
    for (Attempt& attempt : attempts_) {
      if (!attempt.ended && now >= attempt.started_at + stall_of(attempt)) note_stall(attempt);
    }
    if (anyone_left() && now >= acknowledged_at_ + core_->options.late_copy_patience) {
      cancel_.cancel();
    }
    return anyone_left();
  }

 private:
  void start(DiskIndex disk, std::optional<DiskIndex> stands_in_for) {
    attempts_.push_back({disk, stands_in_for, std::chrono::steady_clock::now()});
    core_->run_in_background(write(shared_from_this(), attempts_.size() - 1));
  }

  const model::DiskId& id_of(DiskIndex disk) const { return ring_->disks()[disk].id; }

  // False: no disk is left.
  bool replace(DiskIndex owner) { return hand_off(owner) || ask_a_full_one(owner); }

  // A hand-off copy for what `owner` should have, on a disk that is thought to take it.
  bool hand_off(DiskIndex owner) {
    if (next_handoff_ == 0) handoffs_ = ring_->handoffs(arc_, core_->options.handoffs);
    while (next_handoff_ < handoffs_.size()) {
      const DiskIndex disk = handoffs_[next_handoff_++];
      switch (core_->breakers.for_writes(id_of(disk))) {
        case DiskBreakers::ForWrites::kAvoided: passed_over_ = true; break;
        case DiskBreakers::ForWrites::kFull: full_.push_back(disk); break;
        case DiskBreakers::ForWrites::kGood: start(disk, owner); return true;
      }
    }
    return false;
  }

  // When nothing else is left: it may have space again, and only what disks say now makes a write
  // fail for want of space.
  bool ask_a_full_one(DiskIndex owner) {
    if (full_.empty()) return false;
    const DiskIndex disk = full_.front();
    full_.pop_front();
    const auto owners = ring_->owners(arc_);
    const bool owns = std::ranges::find(owners, disk) != owners.end();
    start(disk, owns ? std::nullopt : std::optional(owner));
    return true;
  }

  static async::Task<void> write(std::shared_ptr<ChunkWrite> self, size_t number) {
    Core& core = *self->core_;
    const Attempt attempt = self->attempts_[number];
    const ring::Disk& disk = self->ring_->disks()[attempt.disk];
    transfer::PutOptions options{self->ring_->epoch(), {},
                                 self->created_at_,    false,
                                 self->deadline_,      {self, &self->cancel_}};
    options.fresh = true;
    if (attempt.stands_in_for) {
      options.handoff_for = self->ring_->disks()[*attempt.stands_in_for].id;
    }
    const auto done =
        co_await write_copy(self->core_, {disk.node, disk.id}, self->blob_, self->pieces_, options);
    if (done) {
      core.breakers.succeeded(disk.id, self->traffic_,
                              std::chrono::steady_clock::now() - attempt.started_at);
      ++core.counters.copies_flushed;
      if (attempt.stands_in_for) ++core.counters.handoff_copies;
    } else {
      ++core.counters.copies_failed;
      self->note_failure(self->attempts_[number], done.error());
      log::debug("blobs", "a copy failed",
                 {{"disk", disk.id.to_hex()}, {"error", done.error().message}});
    }
    self->ended(number, done.has_value());
  }

  void note_failure(Attempt& attempt, const Error& error) {
    attempt.full = error.code == ErrorCode::kStorageFull;
    if (attempt.full) {
      core_->breakers.refused_as_full(id_of(attempt.disk));
    } else {
      core_->breakers.failed(id_of(attempt.disk), blames_disk(error));
    }
  }

  void ended(size_t number, bool flushed) {
    Attempt& attempt = attempts_[number];
    attempt.ended = true;
    attempt.flushed = flushed;
    // After the quorum nobody replaces copies: catch-up supplies what lacks.
    if (!flushed && !attempt.replaced) {
      attempt.replaced = true;
      if (!finished_) {
        (void)replace(attempt.stands_in_for.value_or(attempt.disk));
      } else {
        ++core_->counters.copies_dropped;
      }
    }
    if (changed_) changed_->set(true);
  }

  void replace_stalled() {
    const SteadyTime now = std::chrono::steady_clock::now();
    for (size_t i = 0; i < attempts_.size(); ++i) {
      Attempt& attempt = attempts_[i];
      if (attempt.ended || attempt.replaced || now < attempt.started_at + stall_of(attempt)) {
        continue;
      }
      attempt.replaced = true;
      note_stall(attempt);
      (void)replace(attempt.stands_in_for.value_or(attempt.disk));
    }
  }

  void note_stall(Attempt& attempt) {
    if (std::exchange(attempt.stalled, true)) return;
    ++core_->counters.copies_stalled;
    core_->breakers.failed(id_of(attempt.disk), false);
  }

  Duration stall_of(const Attempt& attempt) const {
    return core_->breakers.stall(id_of(attempt.disk), traffic_);
  }

  Deadline next_stall() const {
    Deadline next = Deadline::max();
    for (const Attempt& attempt : attempts_) {
      if (!attempt.ended && !attempt.replaced) {
        next = std::min(next, attempt.started_at + stall_of(attempt));
      }
    }
    return next;
  }

  bool anyone_left() const {
    return std::ranges::any_of(attempts_, [](const Attempt& attempt) { return !attempt.ended; });
  }

  // Flushed copies that share no failure domain.
  bool has_quorum() {
    std::vector<DiskIndex> chosen;
    for (const Attempt& attempt : attempts_) {
      const auto shares = [&](DiskIndex other) { return ring_->share_domain(attempt.disk, other); };
      if (attempt.flushed && std::ranges::none_of(chosen, shares)) chosen.push_back(attempt.disk);
    }
    finished_ = chosen.size() >= quorum_;
    return finished_;
  }

  // Every disk that may have the chunk was asked, and none but for want of space refused it.
  bool lacks_space_alone() const {
    const auto full = [](const Attempt& attempt) { return attempt.full; };
    const auto took = [](const Attempt& attempt) { return attempt.full || attempt.flushed; };
    return !passed_over_ && std::ranges::any_of(attempts_, full) &&
           std::ranges::all_of(attempts_, took);
  }

  Result<void> give_up() {
    finished_ = true;
    if (lacks_space_alone()) {
      ++core_->counters.full_failures;
      return fail(ErrorCode::kStorageFull, "fewer than two failure domains have space");
    }
    ++core_->counters.quorum_failures;
    return fail(ErrorCode::kUnavailable, "fewer than two failure domains took the bytes");
  }

  const std::shared_ptr<Core> core_;
  const std::shared_ptr<const ring::Ring> ring_;
  const model::BlobId blob_;
  const std::vector<transfer::Piece> pieces_;
  const admission::Pool::Hold buffer_;
  const Deadline deadline_;
  const SystemTime created_at_;
  const size_t arc_;
  std::vector<DiskIndex> handoffs_;  // Once the first is needed.
  const DiskBreakers::Traffic traffic_;
  const size_t quorum_;
  size_t next_handoff_ = 0;
  std::deque<DiskIndex> full_;  // Left out, as they refused others for want of space: owners first.
  bool passed_over_ = false;    // Some disk was left out for another reason.
  std::vector<Attempt> attempts_;
  bool finished_ = false;
  SteadyTime acknowledged_at_{};
  async::Cancellation cancel_;
  std::shared_ptr<async::OneShot<bool>> changed_;
};

}  // namespace

async::Task<Result<void>> write_chunk(std::shared_ptr<Core> core,
                                      std::shared_ptr<const ring::Ring> ring, model::BlobId blob,
                                      SystemTime created_at, std::vector<transfer::Piece> pieces,
                                      admission::Pool::Hold buffer, Deadline deadline) {
  core->probe_due_disks();
  const Deadline limit = std::min(deadline, deadline_in(core->options.write_deadline));
  auto write = std::make_shared<ChunkWrite>(std::move(core), std::move(ring), blob, created_at,
                                            std::move(pieces), std::move(buffer), limit);
  co_return co_await write->run();
}

}  // namespace rondel::blobs
