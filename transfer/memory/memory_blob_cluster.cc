#include "transfer/memory/memory_blob_cluster.h"

#include <algorithm>

#include "common/async/event_loop.h"
#include "transfer/grpc/wire.h"

namespace rondel::transfer {

using transfer::DiskAddress;
using transfer::Piece;

namespace {

constexpr auto kStep = std::chrono::milliseconds(1);

std::unexpected<Error> no_answer() {
  return fail(ErrorCode::kDeadlineExceeded, "no answer before the deadline");
}

std::unexpected<Error> cancelled() {
  return fail(ErrorCode::kCancelled, "the answer is no longer wanted");
}

bool matches(const model::BlobId& id, const Piece& piece) {
  return piece.offset % model::kBlockBytes == 0 &&
         hash::block_digests(id, static_cast<uint32_t>(piece.offset / model::kBlockBytes),
                             piece.bytes.view()) == piece.digests;
}

}  // namespace

void MemoryBlobCluster::add_disk(const DiskAddress& disk) {
  MutexLock lock(mutex_);
  disks_[disk.disk].node = disk.node;
}

void MemoryBlobCluster::set_faults(const model::DiskId& disk, DiskFaults faults) {
  MutexLock lock(mutex_);
  disks_.at(disk).faults = faults;
}

void MemoryBlobCluster::fence(uint64_t min_epoch) {
  MutexLock lock(mutex_);
  min_epoch_ = min_epoch;
}

std::optional<MemoryBlobCluster::Stored> MemoryBlobCluster::find(const model::DiskId& disk,
                                                                 const model::BlobId& blob) const {
  MutexLock lock(mutex_);
  const auto& blobs = disks_.at(disk).blobs;
  const auto found = blobs.find(blob);
  return found == blobs.end() ? std::nullopt : std::optional(found->second.stored);
}

std::set<model::DiskId> MemoryBlobCluster::holders(const model::BlobId& blob) const {
  MutexLock lock(mutex_);
  std::set<model::DiskId> out;
  for (const auto& [id, disk] : disks_) {
    if (disk.blobs.contains(blob)) out.insert(id);
  }
  return out;
}

std::vector<model::BlobId> MemoryBlobCluster::blobs() const {
  MutexLock lock(mutex_);
  std::set<model::BlobId> out;
  for (const auto& [id, disk] : disks_) {
    for (const auto& [blob, held] : disk.blobs) out.insert(blob);
  }
  return {out.begin(), out.end()};
}

void MemoryBlobCluster::rot(const model::DiskId& disk, const model::BlobId& blob, uint64_t byte) {
  MutexLock lock(mutex_);
  disks_.at(disk).blobs.at(blob).stored.bytes.at(byte) ^= 1;
}

void MemoryBlobCluster::erase(const model::DiskId& disk, const model::BlobId& blob) {
  MutexLock lock(mutex_);
  disks_.at(disk).blobs.erase(blob);
}

void MemoryBlobCluster::remove(const model::DiskId& disk, const model::BlobId& blob,
                               uint64_t order) {
  MutexLock lock(mutex_);
  disks_.at(disk).blobs.erase(blob);
  disks_.at(disk).removed[blob] = order;
}

uint64_t MemoryBlobCluster::puts(const model::DiskId& disk) const {
  MutexLock lock(mutex_);
  return disks_.at(disk).puts;
}

uint64_t MemoryBlobCluster::gets(const model::DiskId& disk) const {
  MutexLock lock(mutex_);
  return disks_.at(disk).gets;
}

uint64_t MemoryBlobCluster::stats(const model::DiskId& disk) const {
  MutexLock lock(mutex_);
  return disks_.at(disk).stats;
}

void MemoryBlobCluster::count(const DiskAddress& disk, uint64_t Disk::* counter) {
  MutexLock lock(mutex_);
  if (const auto found = disks_.find(disk.disk); found != disks_.end()) ++(found->second.*counter);
}

DiskFaults MemoryBlobCluster::faults_of(const DiskAddress& disk) const {
  MutexLock lock(mutex_);
  const auto found = disks_.find(disk.disk);
  if (found == disks_.end() || found->second.node != disk.node) return {.unreachable = true};
  return found->second.faults;
}

async::Task<Result<void>> MemoryBlobCluster::reach(DiskAddress disk, Deadline deadline,
                                                   std::shared_ptr<async::Cancellation> cancel) {
  const Deadline ready = deadline_in(faults_of(disk).delay);
  for (;;) {
    const DiskFaults faults = faults_of(disk);
    const SteadyTime now = std::chrono::steady_clock::now();
    if (faults.unreachable) co_return fail(ErrorCode::kUnavailable, "the disk cannot be reached");
    // First: a disk that answers at once is late for nobody, however busy the machine is.
    if (!faults.silent && now >= ready) co_return Result<void>{};
    if (now >= deadline) co_return no_answer();
    if (cancel && cancel->cancelled()) co_return cancelled();
    co_await async::sleep_for(kStep);
  }
}

Result<void> MemoryBlobCluster::admit(const DiskAddress& to,
                                      const transfer::PutOptions& options) const {
  const DiskFaults faults = faults_of(to);
  MutexLock lock(mutex_);
  if (options.ring_epoch < min_epoch_) return fail(ErrorCode::kPrecondition, "the epoch is fenced");
  if (faults.full) return fail(ErrorCode::kStorageFull, "the disk is full");
  return {};
}

bool MemoryBlobCluster::first_time(const DiskAddress& to, const model::BlobId& id) {
  MutexLock lock(mutex_);
  return disks_.at(to.disk).fresh.insert(id).second;
}

async::Task<Result<void>> MemoryBlobCluster::store(DiskAddress to, model::BlobId id,
                                                   std::string bytes,
                                                   transfer::PutOptions options) {
  {
    MutexLock lock(mutex_);
    auto digests = hash::block_digests(id, 0, as_bytes(bytes));
    auto& blobs = disks_.at(to.disk).blobs;
    const auto& removed = disks_.at(to.disk).removed;
    if (const auto order = removed.find(id);
        order != removed.end() && options.order <= order->second) {
      co_return fail(ErrorCode::kNotFound, "the blob was removed");
    }
    const auto found = blobs.find(id);
    const bool whole =
        found != blobs.end() &&
        hash::block_digests(id, 0, as_bytes(found->second.stored.bytes)) == found->second.digests;
    if (whole && found->second.digests != digests) {
      co_return fail(ErrorCode::kAlreadyExists, "another blob has this id");
    }
    if (!whole) {
      blobs[id] = {{std::move(bytes), options.ring_epoch, options.handoff_for, options.background,
                    options.created_at, options.order},
                   std::move(digests)};
    }
  }
  while (faults_of(to).loses_answers) {
    if (std::chrono::steady_clock::now() >= options.deadline) co_return no_answer();
    if (options.cancel && options.cancel->cancelled()) co_return cancelled();
    co_await async::sleep_for(kStep);
  }
  co_return Result<void>{};
}

async::Task<Result<void>> MemoryBlobCluster::put(DiskAddress to, model::BlobId id,
                                                 transfer::PutOptions options, Piece whole) {
  count(to, &Disk::puts);
  CO_TRY_VOID(co_await reach(to, options.deadline, options.cancel));
  CO_TRY_VOID(admit(to, options));
  if (options.fresh && !first_time(to, id)) {
    co_return fail(ErrorCode::kInternal, "a blob came fresh to a disk for the second time");
  }
  if (whole.offset != 0 || !matches(id, whole)) {
    co_return fail(ErrorCode::kCorruption, "bytes and digests differ");
  }
  co_return co_await store(to, id, std::string(as_text(whole.bytes.view())), options);
}

class MemoryUpload final : public transfer::BlobUpload {
 public:
  MemoryUpload(MemoryBlobCluster& cluster, DiskAddress to, model::BlobId id, uint64_t length,
               transfer::PutOptions options)
      : cluster_(cluster), to_(to), id_(id), length_(length), options_(options) {}

  async::Task<Result<void>> send(Piece piece) override {
    if (error_) co_return std::unexpected(*error_);
    const bool in_window = bytes_.size() + piece.bytes.size() <= transfer::kWindowBytes;
    if (!in_window || !cluster_.faults_of(to_).silent) {
      if (auto reached = co_await cluster_.reach(to_, options_.deadline, options_.cancel);
          !reached) {
        co_return give_up(reached.error());
      }
    }
    if (auto admitted = cluster_.admit(to_, options_); !admitted) {
      co_return give_up(admitted.error());
    }
    if (piece.offset != bytes_.size() || !matches(id_, piece)) {
      co_return give_up({ErrorCode::kCorruption, "bytes and digests differ"});
    }
    bytes_ += as_text(piece.bytes.view());
    co_return Result<void>{};
  }

  async::Task<Result<void>> finish(uint64_t length, hash::BlobDigest digest) override {
    if (error_) co_return std::unexpected(*error_);
    CO_TRY_VOID(co_await cluster_.reach(to_, options_.deadline, options_.cancel));
    CO_TRY_VOID(cluster_.admit(to_, options_));
    if (length != length_ || bytes_.size() != length_) {
      co_return fail(ErrorCode::kInvalidArgument, "the blob has another length");
    }
    if (hash::blob_digest(hash::block_digests(id_, 0, as_bytes(bytes_))) != digest) {
      co_return fail(ErrorCode::kCorruption, "the blob has another digest");
    }
    co_return co_await cluster_.store(to_, id_, std::move(bytes_), options_);
  }

 private:
  std::unexpected<Error> give_up(Error error) {
    error_ = error;
    return std::unexpected(std::move(error));
  }

  MemoryBlobCluster& cluster_;
  const DiskAddress to_;
  const model::BlobId id_;
  const uint64_t length_;
  const transfer::PutOptions options_;
  std::string bytes_;
  std::optional<Error> error_;
};

class MemoryDownload final : public transfer::BlobDownload {
 public:
  MemoryDownload(MemoryBlobCluster& cluster, DiskAddress from, model::BlobId id, uint64_t offset,
                 uint64_t length, transfer::GetOptions options)
      : cluster_(cluster),
        from_(from),
        id_(id),
        begin_(offset),
        end_(offset + length),
        options_(options) {}

  async::Task<Result<Piece>> next(Deadline step) override {
    if (error_) co_return std::unexpected(*error_);
    if (begin_ >= end_) co_return Piece{};
    if (auto reached = co_await cluster_.reach(from_, std::min(step, options_.deadline));
        !reached) {
      co_return give_up(reached.error());
    }
    auto piece = read();
    if (!piece) co_return give_up(piece.error());
    co_return piece;
  }

 private:
  // Pieces end at piece boundaries and consist of whole blocks.
  Result<Piece> read() {
    MutexLock lock(cluster_.mutex_);
    const auto& disk = cluster_.disks_.at(from_.disk);
    const auto found = disk.blobs.find(id_);
    if (found == disk.blobs.end()) return fail(ErrorCode::kNotFound, "no such blob");
    const std::string& stored = found->second.stored.bytes;
    if (end_ > stored.size()) return fail(ErrorCode::kOutOfRange, "beyond the blob");
    const uint64_t first = begin_ / model::kBlockBytes;
    const uint64_t stop = std::min(end_, (begin_ / model::kPieceBytes + 1) * model::kPieceBytes);
    const uint64_t from = first * model::kBlockBytes;
    const uint64_t to = std::min<uint64_t>(
        (stop + model::kBlockBytes - 1) / model::kBlockBytes * model::kBlockBytes, stored.size());
    Piece piece{
        ByteSlice::copy_of(as_bytes(std::string_view(stored).substr(from, to - from))), from, {}};
    const auto& digests = found->second.digests;
    const auto count = (to - from + model::kBlockBytes - 1) / model::kBlockBytes;
    piece.digests.assign(digests.begin() + static_cast<ptrdiff_t>(first),
                         digests.begin() + static_cast<ptrdiff_t>(first + count));
    if (disk.faults.flips_bits || !matches(id_, piece)) {
      return fail(ErrorCode::kCorruption, "the stored bytes are damaged");
    }
    begin_ = stop;
    return piece;
  }

  std::unexpected<Error> give_up(Error error) {
    error_ = error;
    return std::unexpected(std::move(error));
  }

  MemoryBlobCluster& cluster_;
  const DiskAddress from_;
  const model::BlobId id_;
  uint64_t begin_;
  const uint64_t end_;
  const transfer::GetOptions options_;
  std::optional<Error> error_;
};

std::unique_ptr<transfer::BlobUpload> MemoryBlobCluster::start_put(DiskAddress to, model::BlobId id,
                                                                   uint64_t length,
                                                                   transfer::PutOptions options) {
  count(to, &Disk::puts);
  return std::make_unique<MemoryUpload>(*this, to, id, length, options);
}

std::unique_ptr<transfer::BlobDownload> MemoryBlobCluster::start_get(DiskAddress from,
                                                                     model::BlobId id,
                                                                     uint64_t offset,
                                                                     uint64_t length,
                                                                     transfer::GetOptions options) {
  count(from, &Disk::gets);
  return std::make_unique<MemoryDownload>(*this, from, id, offset, length, options);
}

async::Task<Result<transfer::BlobStat>> MemoryBlobCluster::stat(DiskAddress at, model::BlobId id,
                                                                Deadline deadline) {
  count(at, &Disk::stats);
  CO_TRY_VOID(co_await reach(at, deadline));
  MutexLock lock(mutex_);
  const auto& [node, faults, blobs, removed, fresh, puts, gets, stats] = disks_.at(at.disk);
  const auto found = blobs.find(id);
  const auto order = removed.find(id);
  if (found == blobs.end() && order == removed.end()) {
    co_return fail(ErrorCode::kNotFound, "no such blob");
  }
  if (found == blobs.end()) co_return transfer::BlobStat{.order = order->second, .removed = true};
  const auto& [stored, digests] = found->second;
  co_return transfer::BlobStat{stored.bytes.size(), hash::blob_digest(digests),
                               stored.handoff_for,  stored.created_at,
                               stored.order,        false};
}

}  // namespace rondel::transfer
