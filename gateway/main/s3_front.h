// What answers S3: blobs on the storage nodes, keys, admission, the S3 service and its listener.
#pragma once

#include <memory>
#include <vector>

#include "cluster/membership/topology_cache.h"
#include "common/async/event_loop.h"
#include "common/config/config.h"
#include "common/grpc/credentials.h"
#include "common/http/server.h"
#include "common/metrics/metrics.h"
#include "gateway/admission/gate.h"
#include "gateway/api/s3_service.h"
#include "gateway/blobs/replicated_blob_store.h"
#include "gateway/main/cluster_metadata.h"
#include "gateway/main/key_services.h"
#include "gateway/request/stream_releases.h"
#include "gateway/signature/authenticator.h"
#include "transfer/blob_transport.h"

namespace rondel::gateway {

class S3Front {
 public:
  // Does not listen yet. What is given outlives it. kInvalidArgument: kms.* settings that do not go
  // together.
  static Result<std::unique_ptr<S3Front>> make(
      const config::Settings& settings, ClusterMetadata& metadata,
      membership::TopologyCache& topology, const std::shared_ptr<const rpc::PeerCredentials>& peers,
      const Clock& clock, metrics::Registry& registry);

  // Errors: as http::Server::start() has them.
  Result<void> listen(const config::Settings& settings,
                      const std::vector<async::EventLoop*>& loops);

  // REQUIRES: listen() succeeded.
  http::Server& server() { return *server_; }

  blobs::ReplicatedBlobStore& blobs() { return *blobs_; }

  request::StreamReleases& releases() { return releases_; }

  kms::KeyRing& key_ring() { return *keys_.ring; }

  const admission::Gate& gate() const { return *gate_; }

 private:
  S3Front(const config::Settings& settings, ClusterMetadata& metadata,
          membership::TopologyCache& topology,
          const std::shared_ptr<const rpc::PeerCredentials>& peers, KeyServices keys,
          const Clock& clock, metrics::Registry& registry);

  const KeyServices keys_;
  const std::unique_ptr<transfer::BlobTransport> transport_;
  const std::unique_ptr<blobs::ReplicatedBlobStore> blobs_;
  signature::Authenticator authenticator_;
  request::StreamReleases releases_;
  const std::shared_ptr<admission::Gate> gate_;
  const std::unique_ptr<api::S3Service> service_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace rondel::gateway
