// DiskReaders: threads for what may wait for a disk, some for each: a disk that hangs keeps its own
// and no others. Background traffic has threads of its own, which let what clients wait for go
// first. Safe for concurrent use.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/base/mutex.h"
#include "storage-node/service/disk_set.h"

namespace rondel::node {

// Functions that wait for threads of one disk. Whoever submits has a turn after all others have had
// one. Above 80 % of the bound each may have his share of the rest waiting and no more, so that one
// who asks for more than the disk gives leaves room for those who do not.
class DiskQueue {
 public:
  DiskQueue(const std::string& name, size_t threads, size_t waiting_max)
      : waiting_max_(waiting_max), pool_(name, threads, waiting_max) {}

  // False: too many wait. `who` tells those apart who share, and is not looked at; null: the node
  // itself.
  bool try_submit(async::Function function, const void* who = nullptr);
  // How many wait.
  size_t queued() const;

 private:
  void run_next();

  const size_t waiting_max_;
  mutable Mutex mutex_;
  size_t waiting_ GUARDED_BY(mutex_) = 0;
  std::map<const void*, std::deque<async::Function>> of_ GUARDED_BY(mutex_);  // Never an empty one.
  std::deque<const void*> turns_ GUARDED_BY(mutex_);  // Keys of of_, each once.
  async::BlockingPool pool_;                          // Last: what it runs uses the others.
};

class DiskReaders {
 public:
  // For each disk `threads`, and at most `queue_max` functions that wait. `disks` outlives it.
  DiskReaders(const DiskSet& disks, size_t threads, size_t queue_max);
  // Runs what waits, background traffic without its pauses.
  ~DiskReaders();

  // REQUIRES: the disk is one of the set.
  DiskQueue& of(const engine::Engine& disk) const { return lane(disk).clients; }

  DiskQueue& background(const engine::Engine& disk) const { return lane(disk).background; }

  // On a thread of background(): waits until clients' requests have gone first, a little, and until
  // background traffic may move `bytes` more on the disk.
  void give_way(engine::Engine& disk, uint64_t bytes) const;

 private:
  struct Lane {
    Lane(size_t threads, size_t queue_max)
        : clients("disk reads", threads, queue_max),
          background("disk repair", kBackgroundThreads, queue_max) {}

    static constexpr size_t kBackgroundThreads = 2;
    DiskQueue clients;
    DiskQueue background;
  };

  Lane& lane(const engine::Engine& disk) const {
    size_t i = 0;
    while (disks_.begin()[static_cast<ptrdiff_t>(i)].get() != &disk) ++i;
    return *lanes_[i];
  }

  const DiskSet& disks_;
  std::atomic<bool> stopping_{false};
  std::vector<std::unique_ptr<Lane>> lanes_;  // As the disks in their set.
};

}  // namespace rondel::node
