// MemoryBlobCluster: the disks of a whole cluster in memory behind BlobTransport, each with faults
// of its own.
//
// Passes tests/contract/blob_transport. What it does at once a node does after a flush, so every
// blob it holds counts as flushed. Safe for concurrent use; faults may change while requests are
// under way.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "common/base/mutex.h"
#include "transfer/blob_transport.h"

namespace rondel::transfer {

struct DiskFaults {
  bool unreachable = false;  // No connection: kUnavailable at once.
  // Takes what is sent (one window of a large blob), answers nothing: the deadline decides.
  bool silent = false;
  bool full = false;           // Writes: kStorageFull.
  bool flips_bits = false;     // Reads: the stored bytes are damaged.
  bool loses_answers = false;  // Writes are done, their answer never comes.
  Duration delay{};            // Before every answer and every piece.
};

class MemoryBlobCluster final : public transfer::BlobTransport {
 public:
  struct Stored {
    std::string bytes;
    uint64_t ring_epoch = 0;
    model::DiskId handoff_for;
    bool background = false;  // Came as repair or catch-up traffic.
    SystemTime created_at;
    uint64_t order = 0;
  };

  void add_disk(const transfer::DiskAddress& disk);
  void set_faults(const model::DiskId& disk, DiskFaults faults);
  // Every disk refuses writes of older epochs (kPrecondition).
  void fence(uint64_t min_epoch);

  // What lies on a disk.
  std::optional<Stored> find(const model::DiskId& disk, const model::BlobId& blob) const;
  std::set<model::DiskId> holders(const model::BlobId& blob) const;
  std::vector<model::BlobId> blobs() const;  // On any disk.
  // Changes a disk behind its back. REQUIRES: the blob is there.
  void rot(const model::DiskId& disk, const model::BlobId& blob, uint64_t byte);
  void erase(const model::DiskId& disk, const model::BlobId& blob);
  // It is gone from there and stays so for copies whose order is not higher.
  void remove(const model::DiskId& disk, const model::BlobId& blob, uint64_t order);

  // Requests so far: puts begun, reads begun, stats.
  uint64_t puts(const model::DiskId& disk) const;
  uint64_t gets(const model::DiskId& disk) const;
  uint64_t stats(const model::DiskId& disk) const;

  async::Task<Result<void>> put(transfer::DiskAddress to, model::BlobId id,
                                transfer::PutOptions options, transfer::Piece whole) override;
  std::unique_ptr<transfer::BlobUpload> start_put(transfer::DiskAddress to, model::BlobId id,
                                                  uint64_t length,
                                                  transfer::PutOptions options) override;
  std::unique_ptr<transfer::BlobDownload> start_get(transfer::DiskAddress from, model::BlobId id,
                                                    uint64_t offset, uint64_t length,
                                                    transfer::GetOptions options) override;
  async::Task<Result<transfer::BlobStat>> stat(transfer::DiskAddress at, model::BlobId id,
                                               Deadline deadline) override;

 private:
  friend class MemoryUpload;
  friend class MemoryDownload;

  struct Held {
    Stored stored;
    std::vector<hash::BlockDigest> digests;
  };

  struct Disk {
    model::NodeId node;
    DiskFaults faults;
    std::map<model::BlobId, Held> blobs;
    std::map<model::BlobId, uint64_t> removed;  // By which order.
    std::set<model::BlobId> fresh;              // Came as such.
    uint64_t puts = 0;
    uint64_t gets = 0;
    uint64_t stats = 0;
  };

  // Waits out delay and silence; then the disk's word on whether it serves.
  async::Task<Result<void>> reach(transfer::DiskAddress disk, Deadline deadline,
                                  std::shared_ptr<async::Cancellation> cancel = nullptr);
  Result<void> admit(const transfer::DiskAddress& to, const transfer::PutOptions& options) const;
  bool first_time(const transfer::DiskAddress& to, const model::BlobId& id);
  async::Task<Result<void>> store(transfer::DiskAddress to, model::BlobId id, std::string bytes,
                                  transfer::PutOptions options);
  DiskFaults faults_of(const transfer::DiskAddress& disk) const;
  void count(const transfer::DiskAddress& disk, uint64_t Disk::* counter);

  mutable Mutex mutex_;
  std::map<model::DiskId, Disk> disks_ GUARDED_BY(mutex_);
  uint64_t min_epoch_ GUARDED_BY(mutex_) = 0;
};

}  // namespace rondel::transfer
