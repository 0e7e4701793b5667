// RingContact: the node's view of its cluster, kept by a heartbeat to a gateway every second, and
// the fence that follows.
//
// The last rings known are cached in the node's data folder: a node that starts while no gateway
// answers still knows who owns what, but takes no writes before its first contact. Of two rings the
// one of the later confirmation is taken, then the one of the higher epoch: a database that was set
// back across an epoch, and confirmed, brings its own ring back. Safe for concurrent use.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/model/replication_lag.h"
#include "common/ring/ring.h"
#include "storage-node/service/disk_set.h"
#include "storage-node/service/metadata_memory.h"
#include "storage-node/service/rings_fetch.h"
#include "storage-node/service/write_gate.h"

namespace rondel::rpc {
class PeerCredentials;
}

namespace rondel::cluster::v1 {
class HeartbeatReply;
class RingsOffer;
class HeartbeatRequest;
}  // namespace rondel::cluster::v1

namespace rondel::node {

struct RingContactOptions {
  model::NodeId node;
  std::string name;          // Of its certificate, and the node's for good.
  model::ClusterId cluster;  // Zero: joins the first cluster that answers.
  std::string address;       // Where peers and gateways reach this node.
  std::string operations_address;
  std::string host;
  std::string zone;
  std::vector<std::string> gateways;  // Cluster addresses, asked in turn until one answers.
  std::string cache_file;
  Duration period = std::chrono::seconds(1);
  Duration contact_life = std::chrono::seconds(10);
  std::shared_ptr<const rpc::PeerCredentials> credentials;  // Null: plain.
};

class RingContact final : public ring::TopologySource, public WriteGate {
 public:
  using LagOf = std::function<model::ReplicationLag(const model::DiskId&)>;

  // `memory` outlives it.
  RingContact(RingContactOptions options, MetadataMemory& memory);
  ~RingContact() override;

  // Begins the heartbeats. `disks` and what the functions use live until stop(). `on_cluster`: told
  // once of the cluster the node belongs to.
  void start(const DiskSet& disks, LagOf lag_of,
             std::function<void(const model::ClusterId&)> on_cluster);
  // Ends them; waits for one that is under way, 2 s at most. The destructor does it too.
  void stop();

  std::shared_ptr<const ring::Topology> topology() const override;
  Result<void> check(uint64_t epoch) const override;

  OrderRefusal accept_order(const OrderOrigin& order) override { return memory_.accept(order); }

  bool heard_of(uint64_t number) override { return memory_.heard_of(number); }

  model::MetadataGeneration database_seen() const override { return memory_.seen(); }

  // Empty: what has left the trash of the disk is purged.
  std::string why_not_purging(const model::DiskId& disk) const {
    return memory_.why_not_purging(disk);
  }

  // A gateway that knows the current epoch answered within contact_life.
  bool in_contact() const;
  // Empty: it takes writes. Why not else, for people.
  std::string why_no_writes() const;
  // The next heartbeat is sent now instead of at the end of the period. Never waits.
  void beat_soon();

 private:
  struct Gateways;
  bool stopping() const;
  std::string why_no_writes_locked() const REQUIRES(mutex_);
  void run();
  void open_channels();
  cluster::v1::HeartbeatRequest make_request(const ring::Topology& known,
                                             const model::MetadataGeneration& seen) const;
  Result<void> beat(size_t gateway);
  Result<void> take_rings(size_t gateway, const cluster::v1::HeartbeatReply& reply,
                          const ring::Topology& known, ring::Topology& next);
  // kUnavailable: they are not all here yet; the next heartbeat goes on.
  Result<std::vector<std::string>> read_rings(size_t gateway, const cluster::v1::RingsOffer& offer);
  void load_cache();
  void store_cache(const std::vector<std::string>& rings, uint64_t min_epoch);

  RingContactOptions options_;
  MetadataMemory& memory_;
  // `accepted` of the database the rings came from. The thread's alone, as is the next.
  uint64_t ring_accepted_ = 0;
  uint64_t ring_digest_ = 0;
  RingsFetch rings_fetch_;  // So too.
  std::unique_ptr<Gateways> gateways_;
  const DiskSet* disks_ = nullptr;
  LagOf lag_of_;
  std::function<void(const model::ClusterId&)> on_cluster_;
  mutable Mutex mutex_;
  CondVar stop_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool soon_ GUARDED_BY(mutex_) = false;
  std::string writes_stopped_ GUARDED_BY(mutex_);  // As the last answer said.
  std::shared_ptr<const ring::Topology> topology_ GUARDED_BY(mutex_);
  SteadyTime contact_at_ GUARDED_BY(mutex_){};
  std::string last_error_ GUARDED_BY(mutex_) = "no gateway has answered yet";
  std::thread thread_;
};

}  // namespace rondel::node
