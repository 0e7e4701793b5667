// A storage service in this process, its engine on the simulated file system.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <atomic>

#include "storage-node/service/storage_service.h"
#include "tests/fakes/fixed_topology.h"
#include "tests/unit/common/http/raw_socket.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"
#include "tests/unit/storage-node/service/open_gate.h"
#include "transfer/blob_transport.h"

namespace rondel::transfer {

using namespace std::chrono_literals;

class GrpcNode {
 public:
  explicit GrpcNode(Duration peer_quiet = 10s, Duration peer_patience = 20s,
                    uint64_t buffer_bytes = node::kBufferBytes)
      : memory(node::StreamBudget::make(buffer_bytes)),
        peer_quiet_(peer_quiet),
        peer_patience_(peer_patience) {
    (void)fs_.make_directory("/disk");
    start();
  }

  void start() {
    std::vector<std::unique_ptr<engine::Engine>> engines;
    engines.push_back(
        engine::Engine::open(fs_, engine::small_options(folder_.path() + "/index")).value());
    disk_ = engines.front()->disk_id();
    disks_ = std::make_unique<node::DiskSet>(std::move(engines));
    readers_ = std::make_unique<node::DiskReaders>(*disks_, 2, 1000);
    node::StorageServices services{*disks_,
                                   gate,
                                   topology_,
                                   *readers_,
                                   id_,
                                   [](auto&&...) {},
                                   [](auto&&...) { return model::ReplicationLag{}; },
                                   outgoing_bytes,
                                   peer_quiet_,
                                   peer_patience_,
                                   memory};
    service_ = node::StorageService::start(std::move(services), "127.0.0.1:0",
                                           grpc::InsecureServerCredentials())
                   .value();
    port_ = service_->port();
  }

  void stop() {
    service_.reset();
    readers_.reset();
    disks_.reset();
  }

  void silence() {
    stop();
    silent_ = std::make_unique<http::RawListener>();
    port_ = silent_->port();
  }

  void rot(const model::BlobId& blob, uint64_t byte) {
    const auto whole = (*disks_->begin())->read(blob, byte, 1).value();
    const uint64_t within = byte - whole.offset;
    for (const std::string& name : fs_.list("/disk/segments").value()) {
      const std::string path = "/disk/segments/" + name;
      const std::string content = fs::read_file(fs_, path).value();
      const size_t at = content.find(as_text(whole.bytes.view()));
      if (at != std::string::npos) fs_.flip_bit(path, at + within, 2);
    }
  }

  void remove(const model::BlobId& blob, uint64_t order) {
    (void)engine::remove(engine(), blob, {.order = order, .trash = 1h, .mark_absent = true});
  }

  DiskAddress address() const { return {id_, disk_}; }

  int port() const { return port_; }

  std::string target() const { return "127.0.0.1:" + std::to_string(port_.load()); }

  engine::Engine& engine() { return **disks_->begin(); }

  node::OpenGate gate;
  std::atomic<uint64_t> outgoing_bytes{0};
  const std::shared_ptr<node::StreamBudget> memory;

 private:
  const Duration peer_quiet_;
  const Duration peer_patience_;
  const model::NodeId id_ = model::NodeId::random();
  engine::TemporaryFolder folder_;
  fs::SimulatedFileSystem fs_{1};
  fakes::FixedTopology topology_;
  model::DiskId disk_;
  std::unique_ptr<node::DiskSet> disks_;
  std::unique_ptr<node::DiskReaders> readers_;
  std::unique_ptr<node::StorageService> service_;
  // Completes connections in the kernel and never says a word.
  std::unique_ptr<http::RawListener> silent_;
  std::atomic<int> port_{0};
};

}  // namespace rondel::transfer
