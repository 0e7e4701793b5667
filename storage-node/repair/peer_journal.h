// PeerJournal: what the disks of other nodes tell of their puts and deletes, and what they hold.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/ring/ring.h"
#include "storage-node/engine/engine.h"
#include "transfer/blob_transport.h"

namespace rondel::rpc {
class PeerCredentials;
}

namespace rondel::repair {

struct PeerBlob {
  model::BlobId id;
  uint64_t length = 0;
  uint64_t created_us = 0;  // By the maker's clock.
  uint64_t order = 0;       // Of the last restore; 0: there was none.
};

// Safe for concurrent use; calls never wait for one another.
class PeerJournal {
 public:
  virtual ~PeerJournal() = default;
  // The page behind `token` of the entries that `asking` should hold. kUnavailable also from a peer
  // whose ring is older than ours: it would leave entries out.
  virtual async::Task<Result<engine::JournalPage>> pull(model::DiskId asking,
                                                        transfer::DiskAddress serving,
                                                        uint64_t token, uint32_t max,
                                                        Deadline deadline) = 0;
  // Some of the blobs of a disk, hand-off copies among them and the trash not, in ring-hash order
  // behind `after` (zero: from the start); empty at the end.
  virtual async::Task<Result<std::vector<PeerBlob>>> list(transfer::DiskAddress serving,
                                                          model::BlobId after,
                                                          Deadline deadline) = 0;
};

// Over the Storage service. `topology` outlives it.
std::unique_ptr<PeerJournal> make_grpc_peer_journal(
    const ring::TopologySource& topology, std::shared_ptr<const rpc::PeerCredentials> credentials);

}  // namespace rondel::repair
