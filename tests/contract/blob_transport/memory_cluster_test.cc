// The in-memory fake as a ClusterUnderTest.
#include "tests/contract/blob_transport/cluster_under_test.h"
#include "transfer/memory/memory_blob_cluster.h"

namespace rondel::transfer {
namespace {

class MemoryCluster final : public ClusterUnderTest {
 public:
  MemoryCluster() {
    for (const DiskAddress& disk : disks_) cluster_.add_disk(disk);
  }

  BlobTransport& transport() override { return cluster_; }

  DiskAddress disk(int node) override { return disks_[node]; }

  void stop(int node) override { cluster_.set_faults(disks_[node].disk, {.unreachable = true}); }

  void start(int node) override { cluster_.set_faults(disks_[node].disk, {}); }

  void silence(int node) override { cluster_.set_faults(disks_[node].disk, {.silent = true}); }

  void fence(uint64_t min_epoch) override { cluster_.fence(min_epoch); }

  void remove(int node, const model::BlobId& blob, uint64_t order) override {
    cluster_.remove(disks_[node].disk, blob, order);
  }

  void rot(int node, const model::BlobId& blob, uint64_t byte) override {
    cluster_.rot(disks_[node].disk, blob, byte);
  }

 private:
  transfer::MemoryBlobCluster cluster_;
  const DiskAddress disks_[2] = {{model::NodeId::random(), model::DiskId::random()},
                                 {model::NodeId::random(), model::DiskId::random()}};
};

}  // namespace

std::unique_ptr<ClusterUnderTest> make_memory_cluster() {
  return std::make_unique<MemoryCluster>();
}

}  // namespace rondel::transfer
