// StorageService: the gRPC service of a node (proto/storage/v1) over its disks.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "common/model/replication_lag.h"
#include "common/ring/ring.h"
#include "storage-node/service/exchange_session.h"

namespace grpc {
class ServerCredentials;
}

namespace rondel::node {

// Of one message each: docs/formats/wire.md, "Messages that are no frames".
inline constexpr uint32_t kJournalEntriesMax = 4096;
inline constexpr size_t kListEntries = 1000;
inline constexpr int kDeleteBlobsMax = 100'000;

inline constexpr uint64_t kBufferBytes = 512ull << 20;

struct StorageServices {
  const DiskSet& disks;
  WriteGate& gate;
  const ring::TopologySource& topology;
  const DiskReaders& readers;
  model::NodeId node;
  // A peer's disk asked for this disk's journal behind a token: it holds everything before.
  std::function<void(const model::DiskId& asking, const model::DiskId& serving, uint64_t token)>
      on_journal_pull;
  std::function<model::ReplicationLag(const model::DiskId&)> lag_of;
  // What waits for peers to take it; counted here for whoever wants to look.
  std::atomic<uint64_t>& outgoing_bytes;
  // A peer with calls under way that has said nothing for so long is asked for a sign of life;
  // without one its calls end, and what they hold is given back: nobody says so when a machine
  // loses its power.
  Duration peer_quiet = std::chrono::seconds(10);
  Duration peer_patience = std::chrono::seconds(20);
  // What streams may hold together; null: kBufferBytes.
  std::shared_ptr<StreamBudget> memory = nullptr;
};

class StorageService {
 public:
  // Everything given outlives it. kAlreadyExists: the address is in use.
  static Result<std::unique_ptr<StorageService>> start(
      StorageServices services, std::string address,
      std::shared_ptr<grpc::ServerCredentials> credentials);
  // Ends open streams and waits for their calls.
  virtual ~StorageService() = default;
  virtual int port() const = 0;
};

}  // namespace rondel::node
