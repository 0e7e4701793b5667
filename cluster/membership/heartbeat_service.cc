#include "cluster/membership/heartbeat_service.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include "common/grpc/deadline.hpp"
#include "transfer/grpc/metadata_generation.hpp"
#include "common/grpc/peer_role.hpp"
#include "proto/cluster/v1/cluster.grpc.pb.h"

namespace rondel::membership {
namespace {

namespace wire = rondel::cluster::v1;
using namespace std::chrono_literals;

constexpr uint32_t kMessageVersion = 1;
constexpr size_t kRingPieceBytes = 1 << 20;
// Of addresses and names: every node is told of every other in one message.
constexpr size_t kTextBytesMax = 255;
constexpr int kDisksMax = 10'000;   // Of a node.

template <class Id>
std::string to_wire(const Id& id) {
  return std::string(as_text(id.view()));
}

Result<metadata::NodeRecord> parse(const wire::HeartbeatRequest& request, SystemTime now) {
  if (request.version() != kMessageVersion) return fail(ErrorCode::kUnimplemented, "unknown message version");
  metadata::NodeRecord node;
  const auto id = model::NodeId::from_bytes(as_bytes(request.node_id()));
  if (!id || id->is_zero()) return fail(ErrorCode::kInvalidArgument, "node_id must be 16 bytes");
  if (request.address().empty() || request.zone().empty()) {
    return fail(ErrorCode::kInvalidArgument, "address and zone must not be empty");
  }
  for (const std::string* text : {&request.address(), &request.operations_address(), &request.host(), &request.zone()}) {
    if (text->size() > kTextBytesMax) return fail(ErrorCode::kInvalidArgument, "an address or a name has more than 255 bytes");
  }
  if (request.disks_size() > kDisksMax) return fail(ErrorCode::kInvalidArgument, "a node has more disks than anybody");
  node.id = *id;
  node.address = request.address();
  node.operations_address = request.operations_address();
  node.host = request.host();
  node.zone = request.zone();
  node.last_seen = now;
  node.seen = transfer::from_wire(request.seen());
  node.highest_order = request.highest_order();
  for (const wire::Disk& disk : request.disks()) {
    const auto disk_id = model::DiskId::from_bytes(as_bytes(disk.disk_id()));
    if (!disk_id || disk_id->is_zero()) return fail(ErrorCode::kInvalidArgument, "disk_id must be 16 bytes");
    node.disks.push_back({*disk_id, disk.capacity_bytes(), disk.status().SerializeAsString()});
  }
  return node;
}

// Of the tables laid end to end.
std::string piece_of(const RingTables& tables, uint64_t offset) {
  std::string piece;
  for (const auto& table : tables.tables) {
    if (offset < table->size() && piece.size() < kRingPieceBytes) {
      piece += std::string_view(*table).substr(offset, kRingPieceBytes - piece.size());
    }
    offset -= std::min<uint64_t>(offset, table->size());
  }
  return piece;
}

grpc::Status to_status(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidArgument: return {grpc::StatusCode::INVALID_ARGUMENT, error.message};
    case ErrorCode::kUnimplemented: return {grpc::StatusCode::UNIMPLEMENTED, error.message};
    case ErrorCode::kPrecondition: return {grpc::StatusCode::FAILED_PRECONDITION, error.message};
    default: return {grpc::StatusCode::UNAVAILABLE, error.message};
  }
}

class Service final : public HeartbeatService, public wire::Cluster::CallbackService {
 public:
  Service(async::EventLoop& loop, metadata::NodeStore& nodes, const TopologyCache& topology,
          CoordinatorToken coordinator_token, model::ClusterId cluster, const Clock& clock)
      : loop_(loop), nodes_(nodes), topology_(topology), coordinator_token_(std::move(coordinator_token)), cluster_(cluster), clock_(clock) {}

  ~Service() override {
    if (server_) server_->Shutdown(rpc::grpc_deadline(deadline_in(2s)));
  }

  Result<void> listen(const std::string& address, std::shared_ptr<grpc::ServerCredentials> credentials) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, std::move(credentials), &port_);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.SetMaxReceiveMessageSize(4 << 20);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    if (!server_ || port_ == 0) return fail(ErrorCode::kAlreadyExists, "cannot listen on " + address);
    return {};
  }

  int port() const override { return port_; }

  grpc::ServerUnaryReactor* Heartbeat(grpc::CallbackServerContext* context, const wire::HeartbeatRequest* request,
                                      wire::HeartbeatReply* reply) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    if (auto allowed = rpc::check_peer(*context, {rpc::PeerRole::kNode}); !allowed.ok()) {
      reactor->Finish(std::move(allowed));
      return reactor;
    }
    async::spawn(loop_, answer(request, reply, reactor));
    return reactor;
  }

  grpc::ServerUnaryReactor* ReadRings(grpc::CallbackServerContext* context, const wire::ReadRingsRequest* request,
                                      wire::ReadRingsReply* reply) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    auto status = rpc::check_peer(*context, {rpc::PeerRole::kNode});
    const auto tables = topology_.tables();
    if (status.ok() && tables->digest != request->digest()) {
      status = {grpc::StatusCode::NOT_FOUND, "the rings are others by now"};
    }
    if (status.ok()) reply->set_piece(piece_of(*tables, request->offset()));
    reactor->Finish(std::move(status));
    return reactor;
  }

 private:
  async::Task<void> answer(const wire::HeartbeatRequest* request, wire::HeartbeatReply* reply,
                           grpc::ServerUnaryReactor* reactor) {
    auto handled = co_await handle(*request, *reply);
    reactor->Finish(handled ? grpc::Status::OK : to_status(handled.error()));
  }

  async::Task<Result<void>> handle(const wire::HeartbeatRequest& request, wire::HeartbeatReply& reply) {
    const auto claimed = model::ClusterId::from_bytes(as_bytes(request.cluster_id()));
    if (claimed && !claimed->is_zero() && *claimed != cluster_) {
      co_return fail(ErrorCode::kPrecondition, "the node belongs to another cluster");
    }
    CO_TRY(metadata::NodeRecord node, parse(request, clock_.now()));
    // A node keeps its ring when the database is away; only its registration waits.
    // Well below the node's patience, so that it learns the rest.
    const auto recorded = co_await nodes_.record_node(std::move(node), deadline_in(1s));
    fill(request, reply, recorded ? &*recorded : nullptr);
    co_return Result<void>{};
  }

  // `greeting`: null when the database did not answer.
  void fill(const wire::HeartbeatRequest& request, wire::HeartbeatReply& reply,
      const metadata::Greeting* greeting) {
    const auto topology = topology_.topology();
    reply.set_cluster_id(to_wire(cluster_));
    reply.set_min_epoch(topology->min_epoch);
    reply.set_epoch_confirmed(greeting != nullptr && topology_.confirmed_recently());
    if (greeting != nullptr) {
      reply.set_coordinator_token(coordinator_token_(greeting->database.accepted));
      *reply.mutable_generation() = transfer::to_wire(greeting->database);
      reply.set_recognition(static_cast<uint32_t>(greeting->recognition));
      reply.set_purging_stopped(greeting->purging_stopped);
      for (const model::DiskId& disk : greeting->purging_disks) {
        reply.add_purging_disks(to_wire(disk));
      }
    }
    for (const ring::Topology::Node& node : topology->nodes) {
      wire::Peer* peer = reply.add_peers();
      peer->set_node_id(to_wire(node.id));
      peer->set_address(node.address);
    }
    const ring::Ring* const current = topology->current();
    if (current == nullptr || !wants_rings(request, *current, greeting)) return;
    const auto tables = topology_.tables();
    reply.mutable_rings_offer()->set_digest(tables->digest);
    for (const auto& table : tables->tables) reply.mutable_rings_offer()->add_bytes(table->size());
  }

  // The node goes by the same order: confirmation, then epoch.
  bool wants_rings(const wire::HeartbeatRequest& request, const ring::Ring& current,
      const metadata::Greeting* greeting) const {
    const uint64_t known = request.ring_accepted();
    const uint64_t accepted = greeting == nullptr ? known : greeting->database.accepted;
    const bool differs = request.ring_digest() != topology_.digest();
    if (accepted != known) return accepted > known && differs;
    if (current.epoch() != request.ring_epoch()) return current.epoch() > request.ring_epoch();
    return differs;
  }

  async::EventLoop& loop_;
  metadata::NodeStore& nodes_;
  const TopologyCache& topology_;
  const CoordinatorToken coordinator_token_;
  const model::ClusterId cluster_;
  const Clock& clock_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

Result<std::unique_ptr<HeartbeatService>> HeartbeatService::start(
    async::EventLoop& loop, metadata::NodeStore& nodes, const TopologyCache& topology, CoordinatorToken coordinator_token,
    model::ClusterId cluster, const Clock& clock, std::string address,
    std::shared_ptr<grpc::ServerCredentials> credentials) {
  auto service = std::make_unique<Service>(loop, nodes, topology, std::move(coordinator_token), cluster, clock);
  TRY_VOID(service->listen(address, std::move(credentials)));
  return std::unique_ptr<HeartbeatService>(std::move(service));
}

}  // namespace rondel::membership
