// OrphanScan: finds streams on the disks that nothing in the database refers to (a gateway died in
// the middle of an upload) and releases them. Nothing is removed here: what is released goes
// through the queue, its grace and the trash.
//
// Interlocks: a blob counts only when the time it was made (by the database's clock as its writer
// heard it, which its commit is measured by too) and the node's time are both older than the orphan
// age, by the clocks of coordinator and database; when more than one per cent of the blobs that a
// pass looked at are orphans, on a disk or in all, it releases nothing and halts garbage collection
// until an operator resumes it. What passes released within the orphan age adds up. A few are never
// too many, so that what was under way when a database or gateways failed halts no small cluster. A
// database older than what nodes have seen halts as well (collector.h).
#pragma once

#include <atomic>
#include <map>

#include "cluster/membership/age_clock.h"
#include "cluster/node_client/blob_lister.h"
#include "common/base/clock.h"
#include "common/ring/ring.h"
#include "jobs/job.h"
#include "metadata/store/gc_control.h"
#include "metadata/store/orphan_store.h"

namespace rondel::gc {

struct OrphanScanOptions {
  std::chrono::seconds orphan_age{86'400};
  uint64_t blobs_per_second = 20'000;
  Duration pause = std::chrono::hours(6);      // Between passes.
  uint64_t share = 100;                        // One blob of so many may be an orphan.
  uint64_t floor = 2'500;                      // So many orphaned blobs in all are never too many,
  uint64_t disk_floor = 256;                   // nor so many on one disk.
  size_t streams_max = 1'000'000;              // Of a pass; what is above is left to the next one.
  size_t streams_per_query = 200'000;          // Each query goes through the tables once.
  const membership::AgeClock* ages = nullptr;  // What ages go by; null: the clock given.
};

struct OrphanScanStatus {
  uint64_t blobs_scanned_total = 0;
  uint64_t orphan_blobs_total = 0;
  uint64_t orphan_streams_total = 0;  // Released.
  uint64_t disks_skipped_total = 0;   // Not reached in a pass.
  uint64_t passes_total = 0;          // To the end.
  SystemTime last_pass_at;
};

// On one loop; status() from any thread.
class OrphanScan final : public jobs::Job {
 public:
  OrphanScan(metadata::OrphanStore& orphans, metadata::GcControl& gc,
             const ring::TopologySource& topology, node_client::BlobLister& lister,
             OrphanScanOptions options, const Clock& clock)
      : orphans_(orphans),
        gc_(gc),
        topology_(topology),
        lister_(lister),
        options_(options),
        clock_(clock) {}

  std::string_view name() const override { return "orphan_scan"; }

  // One pass: looks through every disk of the live rings. kHalted: by the breaker or before. Does
  // not begin while ages are paused.
  async::Task<Result<void>> run_round(const jobs::Term& term) override;

  Duration pause() const override { return options_.pause; }

  OrphanScanStatus status() const;

 private:
  // Blobs of a disk, or of all.
  struct Share {
    uint64_t orphans = 0;
    uint64_t of_late = 0;
    uint64_t looked_at = 0;
  };

  // Of one disk.
  struct Found {
    struct Stream {
      uint32_t last_chunk = 0;
      uint64_t blobs = 0;
    };

    std::map<model::StreamId, Stream> asked;  // Old enough; not compared with the database yet.
    std::map<model::StreamId, Stream> orphans;
    uint64_t blobs = 0;  // On the disk.
    uint64_t orphan_blobs = 0;
  };

  async::Task<Result<void>> scan_disk(const ring::Disk& disk, SystemTime oldest, Found& found,
                                      const jobs::Term& term);
  async::Task<Result<void>> sort_out(Found& found);
  async::Task<Result<void>> release(const std::map<model::StreamId, Found::Stream>& orphans,
                                    metadata::OrphanCounts counts, bool allowed, uint64_t token);
  bool is_too_much(const Share& share, uint64_t floor, uint64_t allowance) const;
  static std::string describe(const Share& share);
  async::Task<Result<void>> trip(std::string reason, uint64_t token);

  metadata::OrphanStore& orphans_;
  metadata::GcControl& gc_;
  const ring::TopologySource& topology_;
  node_client::BlobLister& lister_;
  const OrphanScanOptions options_;
  const Clock& clock_;
  std::atomic<uint64_t> scanned_{0}, orphan_blobs_{0}, orphan_streams_{0}, skipped_{0}, passes_{0};
  std::atomic<SystemTime> last_pass_{};
};

}  // namespace rondel::gc
