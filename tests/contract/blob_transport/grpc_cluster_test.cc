// The gRPC transport against storage services in this process, their engines on the simulated file system.
#include <arpa/inet.h>
#include <grpcpp/security/server_credentials.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "common/rpc/grpc_blob_transport.h"
#include "storage-node/service/storage_service.h"
#include "tests/contract/blob_transport/cluster_under_test.h"
#include "tests/fakes/fixed_topology.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::rpc {
namespace {

class EpochGate final : public node::WriteGate {
 public:
  Result<void> check(uint64_t epoch) const override {
    if (epoch < min_epoch) return fail(ErrorCode::kPrecondition, "the epoch is fenced");
    return {};
  }
  bool accept_coordinator(uint64_t) override { return true; }
  bool accept_metadata(const model::MetadataGeneration&) override { return true; }

  std::atomic<uint64_t> min_epoch{0};
};

// A port that completes connections in the kernel and never says a word.
class SilentPort {
 public:
  SilentPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    (void)::bind(socket_, reinterpret_cast<sockaddr*>(&address), length);
    (void)::listen(socket_, 16);
    (void)::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }
  ~SilentPort() { ::close(socket_); }
  int port() const { return port_; }

 private:
  const int socket_;
  int port_ = 0;
};

// A port where nobody listens.
int refusing_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  (void)::bind(socket, reinterpret_cast<sockaddr*>(&address), length);
  (void)::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length);
  ::close(socket);
  return ntohs(address.sin_port);
}

class Node {
 public:
  Node() {
    (void)fs_.make_directory("/disk");
    start();
  }

  void start() {
    std::vector<std::unique_ptr<engine::Engine>> engines;
    engines.push_back(engine::Engine::open(fs_, engine::small_options(folder_.path() + "/index")).value());
    disk_ = engines.front()->disk_id();
    disks_ = std::make_unique<node::DiskSet>(std::move(engines));
    readers_ = std::make_unique<async::BlockingPool>("readers", 2, 1000);
    node::StorageServices services{*disks_, gate, topology_, *readers_, id_, [](auto&&...) {}, [](auto&&...) { return std::array<uint64_t, 3>{}; }};
    service_ = node::StorageService::start(std::move(services), "127.0.0.1:0", grpc::InsecureServerCredentials()).value();
    port_ = service_->port();
  }

  void stop() {
    service_.reset();
    readers_.reset();
    disks_.reset();
  }

  void silence() {
    stop();
    silent_ = std::make_unique<SilentPort>();
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

  DiskAddress address() const { return {id_, disk_}; }
  std::string target() const { return "127.0.0.1:" + std::to_string(port_.load()); }

  EpochGate gate;

 private:
  const model::NodeId id_ = model::NodeId::random();
  engine::TemporaryFolder folder_;
  fs::SimulatedFileSystem fs_{1};
  fakes::FixedTopology topology_;
  model::DiskId disk_;
  std::unique_ptr<node::DiskSet> disks_;
  std::unique_ptr<async::BlockingPool> readers_;
  std::unique_ptr<node::StorageService> service_;
  std::unique_ptr<SilentPort> silent_;
  std::atomic<int> port_{0};
};

class GrpcCluster final : public ClusterUnderTest {
 public:
  GrpcCluster() {
    GrpcBlobTransportOptions options;
    options.address_of = [this](const model::NodeId& id) -> std::optional<std::string> {
      for (const Node& node : nodes_) {
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
  void rot(int node, const model::BlobId& blob, uint64_t byte) override { nodes_[node].rot(blob, byte); }
  void fence(uint64_t min_epoch) override {
    for (Node& node : nodes_) node.gate.min_epoch = min_epoch;
  }

 private:
  Node nodes_[2];
  std::unique_ptr<BlobTransport> transport_;
};

async::Task<void> ask_often(BlobTransport& transport, DiskAddress at, int times, std::atomic<int>& refused) {
  for (int i = 0; i < times; ++i) {
    const auto answer = co_await transport.stat(at, {model::StreamId::random(), 0}, deadline_in(std::chrono::seconds(20)));
    if (!answer && answer.error().code == ErrorCode::kUnavailable) ++refused;
  }
}

}  // namespace

// Streams end while other threads send on them, thousands of times.
TEST(GrpcStreams, MayEndWhileRequestsSend) {
  GrpcBlobTransportOptions options;
  const std::string nowhere = "127.0.0.1:" + std::to_string(refusing_port());
  options.address_of = [&](const model::NodeId&) { return nowhere; };
  options.reconnect_pause = Duration::zero();
  const auto transport = make_grpc_blob_transport(std::move(options));
  const DiskAddress to{model::NodeId::random(), model::DiskId::random()};
  std::atomic<int> refused{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) threads.emplace_back([&] { async::block_on(ask_often(*transport, to, 10'000, refused)); });
  }
  EXPECT_EQ(refused, 8 * 10'000);
}

std::unique_ptr<ClusterUnderTest> make_grpc_cluster() { return std::make_unique<GrpcCluster>(); }

}  // namespace rondel::rpc
