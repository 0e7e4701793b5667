// RemovalBatch: released streams, and which disks must move their chunks to the trash before they
// are gone.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/ring/ring.h"
#include "metadata/store/released_stream.h"
#include "transfer/blob_transport.h"

namespace rondel::gc {

// A stream is one body of 5 GiB at most, with what encryption adds: numbers of chunks beyond come
// from a disk or row that is wrong.
inline constexpr uint64_t kStreamChunksMax = 1024;

// A chunk is asked of the owners of every live epoch and of the hand-offs that a reader would ask.
// A stream is finished when, for each chunk, a quorum of the newest epoch's owners has it in the
// trash: owners that were away pull the removal from the others' journals.
class RemovalBatch {
 public:
  // The topology outlives the batch and has a current ring.
  explicit RemovalBatch(const ring::Topology& topology) : topology_(topology) {}

  // Chunks from kStreamChunksMax on are not asked for: none can exist. Of a row that was tried
  // before only what is left.
  void add(const metadata::ReleasedStream& stream);

  size_t chunks() const { return chunks_; }

  const std::vector<std::pair<transfer::DiskAddress, std::vector<model::BlobId>>>& per_disk()
      const {
    return per_disk_;
  }

  // Everything asked of this disk is in its trash.
  void mark_done(const model::DiskId& disk) { done_.insert(disk); }

  // Queue rows of the streams that are finished.
  std::vector<metadata::ReleaseRow> finished() const;
  // The others, with what is left of each.
  std::vector<metadata::DeferredStream> deferred() const;

 private:
  void ask(const ring::Disk& disk, const model::BlobId& id);
  bool quorum_done(const model::BlobId& id) const;
  std::vector<uint32_t> left_of(const metadata::ReleasedStream& stream) const;

  const ring::Topology& topology_;
  std::vector<metadata::ReleasedStream> streams_;
  std::vector<std::pair<transfer::DiskAddress, std::vector<model::BlobId>>> per_disk_;
  std::unordered_map<model::DiskId, size_t> position_;
  std::unordered_set<model::DiskId> done_;
  size_t chunks_ = 0;
};

}  // namespace rondel::gc
