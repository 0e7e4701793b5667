// What the contract of BlobTransport is run against: two disks in two nodes, whichever way the
// bytes get there.
#pragma once

#include <memory>

#include "transfer/blob_transport.h"

namespace rondel::transfer {

class ClusterUnderTest {
 public:
  virtual ~ClusterUnderTest() = default;
  virtual BlobTransport& transport() = 0;
  virtual DiskAddress disk(int node) = 0;  // 0 or 1.
  virtual void stop(int node) = 0;         // The process is gone.
  virtual void start(int node) = 0;        // It is back, with its bytes.
  virtual void silence(int node) = 0;      // It takes connections and answers nothing.
  virtual void fence(uint64_t min_epoch) = 0;
  // By the order of that number; the disk remembers it, whether it had the blob or not.
  virtual void remove(int node, const model::BlobId& blob, uint64_t order) = 0;
  virtual void rot(int node, const model::BlobId& blob, uint64_t byte) = 0;
};

std::unique_ptr<ClusterUnderTest> make_memory_cluster();
std::unique_ptr<ClusterUnderTest> make_grpc_cluster();

}  // namespace rondel::transfer
