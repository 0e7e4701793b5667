// DiskReaders: threads for what may wait for a disk, some for each: a disk that hangs keeps its own and no others. Safe for concurrent use.
#pragma once

#include <memory>
#include <vector>

#include "common/async/blocking_pool.h"
#include "storage-node/service/disk_set.h"

namespace rondel::node {

class DiskReaders {
 public:
  // For each disk `threads`, and at most `queue_max` functions that wait. `disks` outlives it.
  DiskReaders(const DiskSet& disks, size_t threads, size_t queue_max) : disks_(disks) {
    for (size_t i = 0; i < disks.size(); ++i) pools_.push_back(std::make_unique<async::BlockingPool>("disk reads", threads, queue_max));
  }

  // REQUIRES: the disk is one of the set.
  async::BlockingPool& of(const engine::Engine& disk) const {
    size_t i = 0;
    while (disks_.begin()[static_cast<ptrdiff_t>(i)].get() != &disk) ++i;
    return *pools_[i];
  }

 private:
  const DiskSet& disks_;
  std::vector<std::unique_ptr<async::BlockingPool>> pools_;   // As the disks in their set.
};

}  // namespace rondel::node
