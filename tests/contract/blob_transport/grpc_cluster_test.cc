// The gRPC transport against storage services in this process.
#include "tests/contract/blob_transport/cluster_under_test.h"
#include "tests/contract/blob_transport/grpc_node.hpp"
#include "transfer/grpc/grpc_blob_transport.h"

namespace rondel::transfer {
namespace {

class GrpcCluster final : public ClusterUnderTest {
 public:
  GrpcCluster() {
    GrpcBlobTransportOptions options;
    options.address_of = [this](const model::NodeId& id) -> std::optional<std::string> {
      for (const GrpcNode& node : nodes_) {
        if (node.address().node == id) return node.target();
      }
      return std::nullopt;
    };
    transport_ = make_grpc_blob_transport(std::move(options));
  }

  BlobTransport& transport() override { return *transport_; }

  DiskAddress disk(int node) override { return nodes_[node].address(); }

  void stop(int node) override { nodes_[node].stop(); }

  void start(int node) override { nodes_[node].start(); }

  void silence(int node) override { nodes_[node].silence(); }

  void remove(int node, const model::BlobId& blob, uint64_t order) override {
    nodes_[node].remove(blob, order);
  }

  void rot(int node, const model::BlobId& blob, uint64_t byte) override {
    nodes_[node].rot(blob, byte);
  }

  void fence(uint64_t min_epoch) override {
    for (GrpcNode& node : nodes_) node.gate.min_epoch = min_epoch;
  }

 private:
  GrpcNode nodes_[2];
  std::unique_ptr<BlobTransport> transport_;
};

}  // namespace

std::unique_ptr<ClusterUnderTest> make_grpc_cluster() { return std::make_unique<GrpcCluster>(); }

}  // namespace rondel::transfer
