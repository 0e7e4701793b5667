// What writers, readers and background work of a ReplicatedBlobStore share.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "common/async/budget.h"
#include "common/async/event_loop.h"
#include "common/base/mutex.h"
#include "gateway/admission/pool.h"
#include "gateway/blobs/disk_breakers.h"
#include "gateway/blobs/replicated_blob_store.h"

namespace rondel::blobs {

struct Counters {
  std::atomic<uint64_t> chunks_written{0}, bytes_written{0}, copies_flushed{0}, handoff_copies{0},
      copies_failed{0}, copies_stalled{0}, copies_dropped{0}, full_failures{0}, quorum_failures{0},
      bytes_read{0}, read_failovers{0}, corrupt_copies{0}, missing_copies{0}, repairs_done{0},
      repairs_failed{0}, repairs_skipped{0}, repairs_joined{0}, repairs_without_buffer{0},
      probes{0}, background{0};
};

// What a read found of a copy.
enum class Flaw { kDamaged, kMissing };

// A copy that a read found damaged, or that an owner lacks.
struct Repair {
  model::BlobId blob;
  uint64_t length = 0;       // Of the whole blob.
  transfer::DiskAddress at;  // Where the copy is to be made whole.
  Flaw flaw = Flaw::kMissing;
  transfer::DiskAddress good;  // Which served the read.
};

// Memory for the bytes of a blob that is being repaired.
struct RepairBuffer {
  async::Budget::Reservation share;  // Of what repairs may have.
  admission::Pool::Hold bytes;       // Of what all reads may have.
};

// A chunk that has its quorum and lacks copies.
class LateWrite {
 public:
  virtual ~LateWrite() = default;
  // On its loop. False: no copy is under way any more.
  virtual bool review(SteadyTime now) = 0;
};

struct ReplicatedBlobStore::Core : std::enable_shared_from_this<Core> {
  Core(transfer::BlobTransport& transport_, const ring::TopologySource& topology_,
       ReplicatedBlobStoreOptions options_)
      : transport(transport_),
        topology(topology_),
        options(std::move(options_)),
        breakers(options),
        write_budget({.bound = admission::Bound::kWriteBytes,
                      .capacity = options.buffer_bytes / 8 * 5,
                      .patience = options.writer_patience}),
        read_budget({.bound = admission::Bound::kReadBytes,
                     .capacity = options.buffer_bytes / 8 * 2,
                     .patience = options.reader_patience}),
        small_write_budget({.bound = admission::Bound::kSmallWriteBytes,
                            .capacity = options.buffer_bytes / 16,
                            .patience = options.writer_patience}),
        small_read_budget({.bound = admission::Bound::kSmallReadBytes,
                           .capacity = options.buffer_bytes / 16,
                           .patience = options.reader_patience}),
        repair_share(read_budget.capacity() / 2) {}

  // Starts probes that are due, on the current loop.
  void probe_due_disks();
  // Rewrites the copy from another one, in the background on the current loop. It stays what it
  // was: made when its maker said, a hand-off copy for the same disk. A blob that was removed, or
  // is so young that the copy may be on its way, is left alone. One repair at a time makes a copy
  // whole, however many reads meet its flaw. Its bytes are held out of the read budget, of which
  // all repairs together take at most half: where there is none to be had at once, none begins.
  void repair(const Repair& repair);
  void repair_ended(const Repair& repair);

  // Reviews the write from time to time, on the current loop, until it is over.
  void watch_late(std::weak_ptr<LateWrite> write);

  // Runs `task` on the current loop and counts it as background work.
  void run_in_background(async::Task<void> task);

  transfer::BlobTransport& transport;
  const ring::TopologySource& topology;
  const ReplicatedBlobStoreOptions options;
  DiskBreakers breakers;
  admission::Pool write_budget;
  admission::Pool read_budget;
  // Of blobs of at most one piece. Small reads and small writes wait for their own kind alone.
  admission::Pool small_write_budget;
  admission::Pool small_read_budget;
  async::Budget repair_share;  // Of the read budget, where its bytes count too.
  Counters counters;
  std::atomic<bool> draining{false};
  Mutex repairs_mutex;
  // Under way.
  std::set<std::pair<model::BlobId, model::DiskId>> repairs GUARDED_BY(repairs_mutex);
  Mutex late_mutex;
  // An entry has its watcher.
  std::map<async::EventLoop*, std::vector<std::weak_ptr<LateWrite>>> late GUARDED_BY(late_mutex);
};

using Core = ReplicatedBlobStore::Core;

// A disk that may have a blob, and how sure that is.
struct Candidate {
  transfer::DiskAddress disk;
  bool owner = false;
  bool avoided = false;
};

// Where to look for a blob, best first: owners of every live epoch.
std::vector<Candidate> owners_of(const Core& core, const ring::Topology& topology,
                                 const model::BlobId& blob, DiskBreakers::Traffic traffic);
// Behind them, when none of them had it: hand-off disks.
void add_handoffs(const Core& core, const ring::Topology& topology, const model::BlobId& blob,
                  std::vector<Candidate>& candidates);

// The failure is the disk's, not the blob's: its breaker hears of it.
bool blames_disk(const Error& error);

struct WholeBlob {
  std::vector<transfer::Piece> pieces;
  transfer::DiskAddress from;
};

// A whole blob into memory from the first disk that has it.
async::Task<Result<WholeBlob>> read_whole(std::shared_ptr<Core> core, model::BlobId blob,
                                          uint64_t length, transfer::DiskAddress except,
                                          Deadline deadline);
// All pieces to one disk; returns once they are flushed.
async::Task<Result<void>> write_copy(std::shared_ptr<Core> core, transfer::DiskAddress to,
                                     model::BlobId blob, std::vector<transfer::Piece> pieces,
                                     transfer::PutOptions options);

std::unique_ptr<StreamWriter> make_stream_writer(std::shared_ptr<Core> core,
                                                 std::optional<uint64_t> size_hint,
                                                 Deadline deadline, admission::PartyRef payer);
std::unique_ptr<StreamReader> make_stream_reader(std::shared_ptr<Core> core,
                                                 std::vector<StreamRange> ranges, Deadline deadline,
                                                 admission::PartyRef payer);

}  // namespace rondel::blobs
