#include "cluster/membership/heartbeat_service.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include "cluster/membership/disk_report.h"
#include "cluster/membership/node_recorder.h"
#include "common/base/encoding.h"
#include "common/grpc/deadline.hpp"
#include "common/grpc/peer.hpp"
#include "proto/cluster/v1/cluster.grpc.pb.h"
#include "transfer/grpc/metadata_generation.hpp"

namespace rondel::membership {
namespace {

namespace wire = rondel::cluster::v1;
using namespace std::chrono_literals;

constexpr uint32_t kMessageVersion = 1;
constexpr size_t kRingPieceBytes = 1 << 20;
constexpr const char* kHeartbeat = "/rondel.cluster.v1.Cluster/Heartbeat";
constexpr const char* kReadRings = "/rondel.cluster.v1.Cluster/ReadRings";
// More than one machine has.
constexpr size_t kDisksMax = 10'000;
// Of addresses and names: every node is told of every other in one message.
constexpr size_t kTextMax = 255;
constexpr uint64_t kBytesMax = uint64_t{1} << 56;

template <class Id>
std::string to_wire(const Id& id) {
  return std::string(as_text(id.view()));
}

Result<metadata::NodeRecord> parse(const wire::HeartbeatRequest& request, SystemTime now) {
  if (request.version() != kMessageVersion) {
    return fail(ErrorCode::kUnimplemented, "unknown message version");
  }
  metadata::NodeRecord node;
  const auto id = model::NodeId::from_bytes(as_bytes(request.node_id()));
  if (!id || id->is_zero()) return fail(ErrorCode::kInvalidArgument, "node_id must be 16 bytes");
  node.id = *id;
  node.name = request.name();
  node.address = request.address();
  node.operations_address = request.operations_address();
  node.host = request.host();
  node.zone = request.zone();
  node.last_seen = now;
  node.seen = transfer::from_wire(request.seen());
  node.highest_order = request.highest_order();
  for (const wire::Disk& disk : request.disks()) {
    const auto disk_id = model::DiskId::from_bytes(as_bytes(disk.disk_id()));
    if (!disk_id || disk_id->is_zero()) {
      return fail(ErrorCode::kInvalidArgument, "disk_id must be 16 bytes");
    }
    storage::v1::DiskStatus status = disk.status();
    status.DiscardUnknownFields();
    status.set_disk_id(disk.disk_id());
    node.disks.push_back({*disk_id, disk.capacity_bytes(), status.SerializeAsString()});
  }
  if (const auto wrong = check_told(node)) return std::unexpected(*wrong);
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
    case ErrorCode::kAlreadyExists: return {grpc::StatusCode::ALREADY_EXISTS, error.message};
    case ErrorCode::kPermissionDenied: return {grpc::StatusCode::PERMISSION_DENIED, error.message};
    default: return {grpc::StatusCode::UNAVAILABLE, error.message};
  }
}

class Service final : public HeartbeatService, public wire::Cluster::CallbackService {
 public:
  Service(async::EventLoop& loop, metadata::NodeStore& nodes, const TopologyCache& topology,
          const AgeClock& ages, model::ClusterId cluster, const Clock& clock)
      : loop_(loop),
        nodes_(nodes),
        topology_(topology),
        ages_(ages),
        cluster_(cluster),
        clock_(clock),
        recorder_(loop, nodes, ages.database()) {}

  ~Service() override {
    if (server_) server_->Shutdown(rpc::grpc_deadline(deadline_in(2s)));
    recorder_.stop();
  }

  Result<void> listen(const std::string& address,
                      std::shared_ptr<grpc::ServerCredentials> credentials) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, std::move(credentials), &port_);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.SetMaxReceiveMessageSize(4 << 20);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    if (!server_ || port_ == 0) {
      return fail(ErrorCode::kAlreadyExists, "cannot listen on " + address);
    }
    return {};
  }

  int port() const override { return port_; }

  grpc::ServerUnaryReactor* Heartbeat(grpc::CallbackServerContext* context,
                                      const wire::HeartbeatRequest* request,
                                      wire::HeartbeatReply* reply) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    rpc::Admission admission = rpc::admit(*context, kHeartbeat);
    if (admission.status.ok() && !admission.caller.may_be(request->name())) {
      admission.status = {grpc::StatusCode::PERMISSION_DENIED,
                          "the certificate is that of node " + admission.caller.node +
                              ", not of the one that the heartbeat tells of"};
    }
    if (!admission.status.ok()) {
      reactor->Finish(std::move(admission.status));
      return reactor;
    }
    async::spawn(loop_, answer(request, reply, reactor));
    return reactor;
  }

  grpc::ServerUnaryReactor* ReadRings(grpc::CallbackServerContext* context,
                                      const wire::ReadRingsRequest* request,
                                      wire::ReadRingsReply* reply) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    auto status = rpc::admit(*context, kReadRings).status;
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

  async::Task<Result<void>> handle(const wire::HeartbeatRequest& request,
                                   wire::HeartbeatReply& reply) {
    const auto claimed = model::ClusterId::from_bytes(as_bytes(request.cluster_id()));
    if (claimed && !claimed->is_zero() && *claimed != cluster_) {
      co_return fail(ErrorCode::kPrecondition, "the node belongs to another cluster");
    }
    CO_TRY(metadata::NodeRecord node, parse(request, clock_.now()));
    for (const auto& disk : node.disks) {
      if (const auto other = topology_.told_by_another(node.id, disk.id)) {
        co_return fail(
            ErrorCode::kAlreadyExists,
            "disk " + disk.id.to_hex() + " is told of by node " + other->to_hex() +
                " already: `rondel node forget` its name when that one is gone for good");
      }
    }
    // A node keeps its ring when the database is away. Well below its patience, so that it learns
    // the rest.
    const auto greeting = co_await nodes_.greet(node, deadline_in(1s));
    if (!greeting && greeting.error().code == ErrorCode::kAlreadyExists) {
      co_return std::unexpected(greeting.error());
    }
    if (greeting) {
      if (const auto leaps = check_leaps(node, *greeting)) co_return std::unexpected(*leaps);
      recorder_.note(std::move(node), *greeting);
    }
    fill(request, reply, greeting ? &*greeting : nullptr);
    co_return Result<void>{};
  }

  // `greeting`: null when the database did not answer.
  void fill(const wire::HeartbeatRequest& request, wire::HeartbeatReply& reply,
            const metadata::Greeting* greeting) {
    const auto topology = topology_.topology();
    reply.set_cluster_id(to_wire(cluster_));
    reply.set_min_epoch(topology->min_epoch);
    if (const auto id = model::NodeId::from_bytes(as_bytes(request.node_id()))) {
      reply.set_writes_stopped(ages_.why_fenced(*id));
    }
    reply.set_epoch_confirmed(greeting != nullptr && topology_.confirmed_recently());
    if (greeting != nullptr) {
      reply.set_coordinator_token(greeting->coordinator_token);
      reply.set_latest_order(greeting->latest_order);
      *reply.mutable_generation() = transfer::to_wire(greeting->database);
      reply.set_recognition(static_cast<uint32_t>(greeting->recognition));
      reply.set_purging_stopped(greeting->purging_stopped);
      if (reply.purging_stopped().empty() && ages_.database_off()) {
        reply.set_purging_stopped("the database's clock differs from most others");
      }
      for (const model::DiskId& disk : greeting->purging_disks) {
        reply.add_purging_disks(to_wire(disk));
      }
    }
    for (const ring::Topology::Node& node : topology->nodes) {
      wire::Peer* peer = reply.add_peers();
      peer->set_node_id(to_wire(node.id));
      peer->set_address(node.address);
      peer->set_name(node.name);
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
  const AgeClock& ages_;
  const model::ClusterId cluster_;
  const Clock& clock_;
  NodeRecorder recorder_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

std::optional<Error> wrong(const char* what) {
  return Error{ErrorCode::kInvalidArgument, std::string("a heartbeat with ") + what};
}

}  // namespace

std::optional<Error> check_told(const metadata::NodeRecord& record) {
  if (!rpc::is_peer_name(record.name)) return wrong("no name, or one that cannot be a node's");
  if (record.address.empty() || record.zone.empty()) return wrong("no address or no zone");
  for (const std::string* text :
       {&record.address, &record.operations_address, &record.host, &record.zone}) {
    if (text->size() > kTextMax || has_control_character(*text)) {
      return wrong("a text that is too long or has a control character");
    }
  }
  if (record.disks.size() > kDisksMax) return wrong("too many disks");
  for (const auto& disk : record.disks) {
    const DiskReport report = decode_disk_report(disk.status);
    for (const uint64_t bytes :
         {disk.capacity_bytes, report.live_bytes, report.dead_bytes, report.trash_bytes,
          report.free_bytes, report.blobs, report.handoff_blobs, report.replication_lag_bytes}) {
      if (bytes > kBytesMax) return wrong("a size that no disk has");
    }
  }
  // What is compared with the database's numbers there; these two are stored.
  if (record.highest_order > INT64_MAX || record.seen.accepted > INT64_MAX) {
    return wrong("a number that no database gave");
  }
  return std::nullopt;
}

std::optional<Error> check_leaps(const metadata::NodeRecord& record,
                                 const metadata::Greeting& greeting) {
  const auto leaps = [](uint64_t told, uint64_t known) {
    return told > known && told - known > model::kLeapMax;
  };
  if (leaps(record.highest_order, greeting.latest_order)) {
    return wrong("an order that no database gave");
  }
  if (leaps(record.seen.accepted, greeting.database.accepted)) {
    return wrong("a confirmation that no operator gave");
  }
  return std::nullopt;
}

Result<std::unique_ptr<HeartbeatService>> HeartbeatService::start(
    async::EventLoop& loop, metadata::NodeStore& nodes, const TopologyCache& topology,
    const AgeClock& ages, model::ClusterId cluster, const Clock& clock, std::string address,
    std::shared_ptr<grpc::ServerCredentials> credentials) {
  auto service = std::make_unique<Service>(loop, nodes, topology, ages, cluster, clock);
  TRY_VOID(service->listen(address, std::move(credentials)));
  return std::unique_ptr<HeartbeatService>(std::move(service));
}

}  // namespace rondel::membership
