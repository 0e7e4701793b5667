// Node: the parts of rondel-node in the order of their lives.
#pragma once

#include <atomic>
#include <memory>

#include "common/async/loop_threads.h"
#include "common/async/task_group.h"
#include "common/config/config.h"
#include "common/grpc/credentials.h"
#include "common/http/server.h"
#include "common/metrics/metrics.h"
#include "common/model/ids.h"
#include "common/program/certificates.h"
#include "common/program/operations.h"
#include "common/program/run.h"
#include "common/program/service.h"
#include "storage-node/repair/peer_journal.h"
#include "storage-node/repair/peer_lag.h"
#include "storage-node/repair/repairer.h"
#include "storage-node/service/disk_readers.h"
#include "storage-node/service/disk_set.h"
#include "storage-node/service/metadata_memory.h"
#include "storage-node/service/ring_contact.h"
#include "storage-node/service/storage_service.h"
#include "storage-node/service/stream_budget.h"
#include "transfer/blob_transport.h"

namespace rondel::node {

class Node final : public program::Service {
 public:
  static Result<std::unique_ptr<program::Service>> start(const config::Settings& settings);
  ~Node() override;

  program::ServingState& serving() override { return serving_; }

  void hang_up() override { certificates_->read_again(); }

  void look_at_files() override { certificates_->read_again(); }

  void drain() override {}

  Duration lame_duck() const override { return settings_.duration("node.lame_duck"); }

  // Clients go to other nodes.
  Duration grace() const override { return Duration::zero(); }

  void stop(program::EndWatch& watch, Deadline grace) override;
  std::string last_step() const override;

 private:
  explicit Node(const config::Settings& settings);

  Result<void> start_parts();
  Result<void> make_contact();
  void make_repairer();
  void make_certificates();
  Result<void> start_storage_service();
  Result<void> start_operations();
  async::Task<void> observe_lags(async::TaskGroup& group);
  std::string with_failed_disks(std::string step) const;

  const config::Settings& settings_;
  model::NodeId id_;
  model::ClusterId cluster_;  // Zero before the first contact.
  metrics::Registry registry_;
  MetadataMemory memory_;
  std::unique_ptr<const DiskSet> disks_;
  std::shared_ptr<rpc::PeerCredentials> credentials_;
  std::unique_ptr<RingContact> contact_;
  repair::PeerLag peers_;  // Before the threads that use it.
  std::unique_ptr<const DiskReaders> readers_;
  std::unique_ptr<transfer::BlobTransport> transport_;
  std::unique_ptr<repair::PeerJournal> journal_;
  std::unique_ptr<repair::Repairer> repairer_;
  std::atomic<uint64_t> outgoing_bytes_{0};
  std::shared_ptr<StreamBudget> streams_;
  std::unique_ptr<program::Certificates> certificates_;
  std::unique_ptr<StorageService> service_;
  async::LoopThreads loops_{2};
  program::ServingState serving_;
  std::unique_ptr<program::OperationsService> operations_;
  std::unique_ptr<http::Server> operations_server_;
  async::TaskGroup repairs_;
};

}  // namespace rondel::node
