#include "storage-node/service/ring_contact.h"

#include <algorithm>
#include <fstream>

#include "common/base/encoding.h"
#include "common/fs/posix_file_system.h"
#include "common/grpc/channel.hpp"
#include "common/grpc/deadline.hpp"
#include "common/hash/hash64.h"
#include "common/log/log.h"
#include "proto/cluster/v1/cluster.grpc.pb.h"
#include "storage-node/service/disk_status.h"
#include "transfer/grpc/metadata_generation.hpp"

namespace rondel::node {

namespace wire = rondel::cluster::v1;

namespace {

using namespace std::chrono_literals;

constexpr auto kBeatPatience = 2s;
// A reply tells of all nodes, 65,535 at most, each with an address and a name of 255 bytes at most.
constexpr int kReplyBytesMax = 48 << 20;
// Between two heartbeats, however much is to be asked.
constexpr auto kPauseMin = 50ms;
constexpr uint32_t kMessageVersion = 1;
using transfer::from_wire;
using transfer::to_wire;

template <class Id>
std::string to_wire(const Id& id) {
  return std::string(as_text(id.view()));
}

// An answer is about the disks that were told of, and about no others.
std::map<model::DiskId, bool> may_purge(const wire::HeartbeatRequest& asked,
                                        const wire::HeartbeatReply& reply) {
  std::map<model::DiskId, bool> disks;
  for (const wire::Disk& disk : asked.disks()) {
    const auto id = model::DiskId::from_bytes(as_bytes(disk.disk_id()));
    if (id) {
      disks.emplace(*id, std::ranges::find(reply.purging_disks(), disk.disk_id()) !=
                             reply.purging_disks().end());
    }
  }
  return disks;
}

// Of the rings' tables, newest first. As HeartbeatService makes it.
uint64_t digest_of(const ring::Topology& topology) {
  std::string tables;
  for (const auto& ring : topology.rings) tables += ring->serialize();
  return hash::hash64(as_bytes(tables), 0);
}

}  // namespace

struct RingContact::Gateways {
  uint64_t version = 0;  // Of the credentials of the channels.
  std::vector<std::unique_ptr<wire::Cluster::Stub>> stubs;
};

RingContact::RingContact(RingContactOptions options, MetadataMemory& memory)
    : options_(std::move(options)),
      memory_(memory),
      gateways_(std::make_unique<Gateways>()),
      topology_(std::make_shared<ring::Topology>()) {
  if (!options_.credentials) options_.credentials = rpc::PeerCredentials::plain();
  open_channels();
  memory_.on_unheard([this] { beat_soon(); });
  load_cache();
}

RingContact::~RingContact() {
  stop();
  memory_.on_unheard({});
}

void RingContact::open_channels() {
  gateways_->version = options_.credentials->version();
  gateways_->stubs.clear();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetMaxReceiveMessageSize(kReplyBytesMax);
  for (const std::string& address : options_.gateways) {
    gateways_->stubs.push_back(wire::Cluster::NewStub(
        rpc::open_channel(address, *options_.credentials, {rpc::PeerRole::kGateway}, arguments)));
  }
}

void RingContact::beat_soon() {
  {
    MutexLock lock(mutex_);
    soon_ = true;
  }
  stop_.notify_all();
}

void RingContact::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void RingContact::start(const DiskSet& disks, LagOf lag_of,
                        std::function<void(const model::ClusterId&)> on_cluster) {
  disks_ = &disks;
  lag_of_ = std::move(lag_of);
  on_cluster_ = std::move(on_cluster);
  thread_ = std::thread([this] { run(); });
}

std::shared_ptr<const ring::Topology> RingContact::topology() const {
  MutexLock lock(mutex_);
  return topology_;
}

bool RingContact::in_contact() const {
  MutexLock lock(mutex_);
  return contact_at_ != SteadyTime{} &&
         std::chrono::steady_clock::now() - contact_at_ <= options_.contact_life;
}

std::string RingContact::why_no_writes() const {
  MutexLock lock(mutex_);
  const std::string why = why_no_writes_locked();
  return why.empty() || last_error_.empty() ? why : why + ": " + last_error_;
}

std::string RingContact::why_no_writes_locked() const {
  const bool contact = contact_at_ != SteadyTime{} &&
                       std::chrono::steady_clock::now() - contact_at_ <= options_.contact_life;
  return contact ? writes_stopped_ : "the node has no ring contact";
}

Result<void> RingContact::check(uint64_t epoch) const {
  MutexLock lock(mutex_);
  if (std::string why = why_no_writes_locked(); !why.empty()) {
    return fail(ErrorCode::kPrecondition, std::move(why));
  }
  if (epoch < topology_->min_epoch) return fail(ErrorCode::kPrecondition, "the epoch is fenced");
  return {};
}

bool RingContact::stopping() const {
  MutexLock lock(mutex_);
  return stopping_;
}

void RingContact::run() {
  size_t gateway = 0;
  for (;;) {
    const SteadyTime begin = std::chrono::steady_clock::now();
    if (gateways_->version != options_.credentials->version()) open_channels();
    Result<void> done = fail(ErrorCode::kUnavailable, "no gateway is configured");
    for (size_t i = 0; i < gateways_->stubs.size() && !done && !stopping(); ++i) {
      done = beat(gateway);
      if (!done) gateway = (gateway + 1) % gateways_->stubs.size();
    }
    MutexLock lock(mutex_);
    if (!done && last_error_ != done.error().message) {
      last_error_ = done.error().message;
      lock.unlock();
      log::warn("ring", "no ring contact", {{"error", done.error().message}});
      lock.lock();
    }
    if (done && !last_error_.empty()) {
      last_error_.clear();
      lock.unlock();
      log::info("ring", "ring contact again");
      lock.lock();
    }
    const SteadyTime pause = begin + std::min<Duration>(options_.period, kPauseMin);
    while (!stopping_ && stop_.wait_until(mutex_, pause)) {
    }
    while (!stopping_ && !soon_ && stop_.wait_until(mutex_, begin + options_.period)) {
    }
    if (stopping_) return;
    soon_ = false;
  }
}

wire::HeartbeatRequest RingContact::make_request(const ring::Topology& known,
                                                 const model::MetadataGeneration& seen) const {
  wire::HeartbeatRequest request;
  request.set_node_id(to_wire(options_.node));
  request.set_name(options_.name);
  request.set_address(options_.address);
  request.set_operations_address(options_.operations_address);
  request.set_host(options_.host);
  request.set_zone(options_.zone);
  request.set_version(kMessageVersion);
  if (!options_.cluster.is_zero()) request.set_cluster_id(to_wire(options_.cluster));
  if (known.current() != nullptr) {
    request.set_ring_epoch(known.current()->epoch());
    request.set_ring_digest(ring_digest_);
    request.set_ring_accepted(ring_accepted_);
  }
  *request.mutable_seen() = to_wire(seen);
  for (const auto& engine : *disks_) {
    request.set_highest_order(std::max(request.highest_order(), engine->highest_order()));
  }
  for (const auto& engine : disks_->identified()) {
    wire::Disk* disk = request.add_disks();
    disk->set_disk_id(to_wire(engine->disk_id()));
    fill_disk_status(*engine, lag_of_(engine->disk_id()), *disk->mutable_status());
    disk->set_capacity_bytes(disk->status().capacity_bytes());
  }
  return request;
}

Result<void> RingContact::beat(size_t gateway) {
  const auto known = topology();
  const model::MetadataGeneration seen = memory_.seen();
  const wire::HeartbeatRequest request = make_request(*known, seen);
  grpc::ClientContext context;
  context.set_deadline(rpc::grpc_deadline(deadline_in(kBeatPatience)));
  // What the gateway confirms was so at some time after this, not after its answer.
  const SteadyTime asked_at = std::chrono::steady_clock::now();
  wire::HeartbeatReply reply;
  const grpc::Status status = gateways_->stubs[gateway]->Heartbeat(&context, request, &reply);
  if (!status.ok()) {
    return fail(ErrorCode::kUnavailable,
                options_.gateways[gateway] + ": " + status.error_message());
  }
  const auto cluster = model::ClusterId::from_bytes(as_bytes(reply.cluster_id()));
  if (!cluster) return fail(ErrorCode::kInternal, "the gateway sent no cluster id");
  if (options_.cluster.is_zero()) {
    options_.cluster = *cluster;
    on_cluster_(*cluster);
  }
  if (*cluster != options_.cluster) {
    return fail(ErrorCode::kPrecondition, "the gateway belongs to another cluster");
  }

  auto next = std::make_shared<ring::Topology>(*known);
  TRY_VOID(take_rings(gateway, reply, *known, *next));
  next->nodes.clear();
  for (const wire::Peer& peer : reply.peers()) {
    if (const auto id = model::NodeId::from_bytes(as_bytes(peer.node_id()))) {
      next->nodes.push_back({*id, peer.address(), "", peer.name()});
    }
  }
  if (reply.has_generation()) {
    memory_.hear({seen, static_cast<model::Recognition>(reply.recognition()),
                  from_wire(reply.generation()), reply.coordinator_token(), reply.purging_stopped(),
                  may_purge(request, reply), reply.latest_order()});
  }
  MutexLock lock(mutex_);
  topology_ = std::move(next);
  const std::string before = std::exchange(writes_stopped_, reply.writes_stopped());
  if (writes_stopped_ != before) {
    lock.unlock();
    log::warn("ring",
              reply.writes_stopped().empty() ? "writes are taken again" : "no writes are taken",
              {{"reason", reply.writes_stopped()}});
    lock.lock();
  }
  if (!reply.epoch_confirmed()) {
    return fail(ErrorCode::kUnavailable,
                options_.gateways[gateway] + ": the gateway has no contact to the database");
  }
  contact_at_ = asked_at;
  return {};
}

// A gateway whose look at the database is a second older may still send the epoch before: within
// one confirmation numbers only rise.
Result<void> RingContact::take_rings(size_t gateway, const wire::HeartbeatReply& reply,
                                     const ring::Topology& known, ring::Topology& next) {
  const bool asked = reply.has_generation();
  const uint64_t accepted = asked ? reply.generation().accepted() : ring_accepted_;
  const auto recognition = static_cast<model::Recognition>(reply.recognition());
  if (asked && known.current() != nullptr && !model::is_recognized(recognition)) return {};
  if (accepted < ring_accepted_) return {};
  const bool confirmed = accepted > ring_accepted_;
  next.min_epoch = confirmed ? reply.min_epoch() : std::max(next.min_epoch, reply.min_epoch());
  if (!reply.has_rings_offer()) {
    ring_accepted_ = accepted;
    return {};
  }
  TRY(const std::vector<std::string> stored, read_rings(gateway, reply.rings_offer()));
  next.rings.clear();
  for (const std::string& table : stored) {
    TRY(ring::Ring ring, ring::Ring::parse(as_bytes(table)));
    next.rings.push_back(std::make_shared<const ring::Ring>(std::move(ring)));
  }
  const bool earlier =
      known.current() != nullptr && next.current()->epoch() < known.current()->epoch();
  if (!confirmed && earlier) {
    next.rings = known.rings;
    return {};
  }
  ring_accepted_ = accepted;
  ring_digest_ = digest_of(next);
  store_cache(stored, next.min_epoch);
  log::info("ring", "new epoch", {{"epoch", next.current()->epoch()}});
  return {};
}

Result<std::vector<std::string>> RingContact::read_rings(size_t gateway,
                                                         const wire::RingsOffer& offer) {
  TRY_VOID(rings_fetch_.offered(offer.digest(), {offer.bytes().begin(), offer.bytes().end()}));
  const Deadline end = deadline_in(kBeatPatience);
  while (!rings_fetch_.complete()) {
    if (stopping() || std::chrono::steady_clock::now() >= end) {
      return fail(ErrorCode::kUnavailable, "rings are still on their way");
    }
    wire::ReadRingsRequest request;
    request.set_digest(rings_fetch_.digest());
    request.set_offset(rings_fetch_.offset());
    grpc::ClientContext context;
    context.set_deadline(rpc::grpc_deadline(deadline_in(kBeatPatience)));
    wire::ReadRingsReply reply;
    const grpc::Status status = gateways_->stubs[gateway]->ReadRings(&context, request, &reply);
    if (!status.ok()) {
      return fail(ErrorCode::kUnavailable,
                  options_.gateways[gateway] + ": " + status.error_message());
    }
    TRY_VOID(rings_fetch_.add(reply.piece()));
  }
  return rings_fetch_.take();
}

// Lines: the fenced minimum and the confirmation the rings came under, then one ring (base64) each,
// newest first. A cache that does not read is as good as none.
void RingContact::load_cache() {
  std::ifstream file(options_.cache_file);
  auto topology = std::make_shared<ring::Topology>();
  uint64_t accepted = 0;
  if (!(file >> topology->min_epoch >> accepted)) return;
  std::string line;
  while (file >> line) {
    const auto table = from_base64(line);
    if (!table) return;
    auto ring = ring::Ring::parse(as_bytes(*table));
    if (!ring) return;
    topology->rings.push_back(std::make_shared<const ring::Ring>(*std::move(ring)));
  }
  ring_accepted_ = accepted;
  ring_digest_ = digest_of(*topology);
  MutexLock lock(mutex_);
  topology_ = std::move(topology);
}

void RingContact::store_cache(const std::vector<std::string>& rings, uint64_t min_epoch) {
  std::string text = std::to_string(min_epoch) + " " + std::to_string(ring_accepted_) + "\n";
  for (const std::string& ring : rings) text += to_base64(as_bytes(ring)) + "\n";
  if (auto stored =
          fs::write_file_atomically(fs::posix_file_system(), options_.cache_file, as_bytes(text));
      !stored) {
    log::warn("ring", "the ring cache cannot be written", {{"error", stored.error().message}});
  }
}

}  // namespace rondel::node
