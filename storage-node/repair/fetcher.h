// Fetcher: gets a wanted blob onto a disk from whoever may have it: owners of all live epochs in
// turn, then hand-off disks of the ring. One loop; a node that does not answer is left alone for a
// while, and never takes up more than its share.
#pragma once

#include <map>
#include <vector>

#include "common/ring/ring.h"
#include "storage-node/repair/own_disk.h"
#include "transfer/blob_transport.h"

namespace rondel::repair {

struct Fetched {
  // kRemoved: the blob was removed, by the order beside it (0: the disk itself knew). kOwnDisk:
  // this disk took no copy. kBusy: the nodes that may have it give all they may at a time. The last
  // three as in WantedList::Outcome.
  enum class How { kDone, kRemoved, kOwnDisk, kBusy, kUnreachable, kAbsent, kDamaged };
  How how = How::kUnreachable;
  uint64_t removed_by = 0;
};

class Fetcher {
 public:
  Fetcher(transfer::BlobTransport& transport, const Clock& clock)
      : transport_(transport), clock_(clock) {}

  async::Task<Fetched> fetch(OwnDisk& disk, std::shared_ptr<const ring::Topology> topology,
                             Wanted wanted);

 private:
  using How = Fetched::How;

  struct Node {
    size_t under_way = 0;
    SteadyTime quiet_until{};
    Duration quiet{};
  };

  void heard(const model::NodeId& node, bool answered);
  async::Task<How> copy(OwnDisk& disk, transfer::DiskAddress from, const Wanted& wanted);
  async::Task<How> copy_small(OwnDisk& disk, transfer::BlobDownload& download, const Wanted& wanted,
                              Deadline deadline);
  async::Task<How> copy_large(OwnDisk& disk, transfer::BlobDownload& download, const Wanted& wanted,
                              Deadline deadline);

  transfer::BlobTransport& transport_;
  const Clock& clock_;
  std::map<model::NodeId, Node> nodes_;
};

}  // namespace rondel::repair
