#include "storage-node/service/disk_readers.h"

#include <algorithm>
#include <thread>

namespace rondel::node {
namespace {

using namespace std::chrono_literals;

constexpr auto kYieldStep = 2ms;
constexpr int kYieldSteps = 25;        // Background traffic starves nowhere.
constexpr Duration kPauseStep = 50ms;  // Between two looks at whether the node ends.

}  // namespace

bool DiskQueue::try_submit(async::Function function, const void* who) {
  MutexLock lock(mutex_);
  if (waiting_ >= waiting_max_) return false;
  const auto mine = of_.find(who);
  const size_t free_for_all = waiting_max_ / 5 * 4;
  const bool many =
      mine != of_.end() &&
      mine->second.size() >= std::max<size_t>(1, (waiting_max_ - free_for_all) / of_.size());
  if (waiting_ >= free_for_all && many) return false;
  // Under the lock, for which whoever runs it waits: there is a function for each run.
  if (!pool_.try_submit([this] { run_next(); })) return false;
  auto& queue = of_[who];
  if (queue.empty()) turns_.push_back(who);
  queue.push_back(std::move(function));
  ++waiting_;
  return true;
}

size_t DiskQueue::queued() const {
  MutexLock lock(mutex_);
  return waiting_;
}

void DiskQueue::run_next() {
  async::Function function;
  {
    MutexLock lock(mutex_);
    const void* const who = turns_.front();
    turns_.pop_front();
    const auto queue = of_.find(who);
    function = std::move(queue->second.front());
    queue->second.pop_front();
    --waiting_;
    if (queue->second.empty()) {
      of_.erase(queue);
    } else {
      turns_.push_back(who);
    }
  }
  function();
}

DiskReaders::DiskReaders(const DiskSet& disks, size_t threads, size_t queue_max) : disks_(disks) {
  for (size_t i = 0; i < disks.size(); ++i) {
    lanes_.push_back(std::make_unique<Lane>(threads, queue_max));
  }
}

DiskReaders::~DiskReaders() { stopping_ = true; }

void DiskReaders::give_way(engine::Engine& disk, uint64_t bytes) const {
  const DiskQueue& clients = of(disk);
  for (int i = 0; i < kYieldSteps && clients.queued() > 0 && !stopping_; ++i) {
    std::this_thread::sleep_for(kYieldStep);
  }
  Duration left = disk.pace_background(bytes);
  while (left > Duration::zero() && !stopping_) {
    const Duration step = std::min(left, kPauseStep);
    std::this_thread::sleep_for(step);
    left -= step;
  }
}

}  // namespace rondel::node
