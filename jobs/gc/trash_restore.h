// TrashRestore: takes out of the trash of every disk what rows refer to. An operator orders it
// after the database was set back (`rondel gc restore`), and `rondel gc resume` orders it as well;
// until a disk was looked through nothing is purged on it. Disks whose node is away are looked
// through when it is back, however long that takes. Some disks are looked through side by side.
//
// Restoring loses nothing: it goes on while garbage collection is halted, and may be done again.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <string>

#include "cluster/node_client/blob_lister.h"
#include "cluster/node_client/blob_remover.h"
#include "jobs/job.h"
#include "metadata/store/lease.h"
#include "metadata/store/restore_store.h"

namespace rondel::gc {

struct TrashRestoreOptions {
  size_t streams_per_query = 200'000;  // Each query goes through the tables once.
  size_t blobs_per_call = 4'096;
  size_t disks_at_once = 4;  // One that hangs must not hold up all others.
};

struct TrashRestoreStatus {
  uint64_t disks_waiting = 0;  // As they were seen last.
  uint64_t blobs_restored_total = 0;
};

// On one loop; status() from any thread.
class TrashRestore final : public jobs::Job {
 public:
  // `trash` lists what is in the trash. Everything given outlives it.
  TrashRestore(metadata::RestoreStore& restores, metadata::Lease& lease,
               node_client::BlobLister& trash, node_client::BlobRemover& remover,
               TrashRestoreOptions options = {})
      : restores_(restores), lease_(lease), trash_(trash), remover_(remover), options_(options) {}

  std::string_view name() const override { return "trash_restore"; }

  // Looks through every disk that waits and whose node answers.
  async::Task<Result<void>> run_round(const jobs::Term& term) override;

  Duration pause() const override { return std::chrono::seconds(1); }

  TrashRestoreStatus status() const { return {waiting_, restored_}; }

 private:
  struct Pass {
    const uint64_t number;
    const jobs::Term& term;
    std::deque<metadata::RestoreState::Disk> disks;  // That nobody has taken yet.
    Result<void> ended;                              // Why no more are taken.
  };

  async::Task<void> restore_disks(Pass& pass);
  async::Task<Result<std::vector<model::StreamId>>> ask_referenced(
      std::vector<model::StreamId> streams);
  // How many were taken out.
  async::Task<Result<uint64_t>> restore_disk(transfer::DiskAddress at, const jobs::Term& term);
  async::Task<Result<uint64_t>> restore_referenced(transfer::DiskAddress at,
                                                   std::vector<model::BlobId> blobs, uint64_t above,
                                                   uint64_t token);

  metadata::RestoreStore& restores_;
  metadata::Lease& lease_;
  node_client::BlobLister& trash_;
  node_client::BlobRemover& remover_;
  const TrashRestoreOptions options_;
  std::atomic<uint64_t> waiting_{0}, restored_{0};
  bool asking_ = false;                        // The loop's alone, as the next.
  std::map<model::DiskId, std::string> told_;  // Why disks could not be looked through, as logged.
};

}  // namespace rondel::gc
