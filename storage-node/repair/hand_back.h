// HandBack: pushes the hand-off copies of a disk to their owners and drops each after the owner's
// flush. Goes through all of them in turn: an owner that is away, full, or that hangs, holds up the
// others once and is then left alone for a while. So is a copy that cannot be given for another
// reason, without its owner. One loop.
#pragma once

#include <functional>
#include <map>
#include <unordered_map>

#include "common/ring/ring.h"
#include "storage-node/repair/own_disk.h"
#include "transfer/blob_transport.h"

namespace rondel::repair {

struct HandBackOptions {
  size_t copies_max = 256;  // In a round.
  Duration trash;           // What is dropped is restorable for so long.
};

class HandBack {
 public:
  HandBack(OwnDisk& disk, const ring::TopologySource& topology, transfer::BlobTransport& transport,
           HandBackOptions options, const Clock& clock)
      : disk_(disk), topology_(topology), transport_(transport), options_(options), clock_(clock) {}

  // One round, until `stopping` says so. How many owners took.
  async::Task<uint64_t> round(std::function<bool()> stopping);

 private:
  struct Away {
    SteadyTime until{};
    Duration pause{};
  };

  struct Page {
    std::vector<engine::BlobEntry> copies;
    engine::BlobEntry last;  // Looked at; the zero blob at the end.
  };

  void rest_after(const Page& page, bool skipping);
  async::Task<Result<void>> give(engine::BlobEntry copy);
  async::Task<Result<void>> push(engine::BlobEntry copy, transfer::DiskAddress to);
  async::Task<Result<void>> follow_removal(engine::BlobEntry copy, transfer::DiskAddress owner);

  OwnDisk& disk_;
  const ring::TopologySource& topology_;
  transfer::BlobTransport& transport_;
  const HandBackOptions options_;
  const Clock& clock_;
  std::map<model::DiskId, Away> away_;
  std::unordered_map<model::BlobId, SteadyTime> refused_;  // Not tried again before.
  engine::BlobEntry cursor_;
  bool found_ = false;    // Something to give, since the last look began at the start.
  SteadyTime look_at_{};  // Not before.
  Duration look_pause_{};
};

}  // namespace rondel::repair
