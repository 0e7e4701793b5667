// BlobRemover over the Storage service of nodes.
#pragma once

#include <memory>

#include "cluster/node_client/blob_remover.h"
#include "common/ring/ring.h"

namespace rondel::rpc {
class PeerCredentials;
}

namespace rondel::node_client {

// Finds addresses in the topology; both outlive it.
std::unique_ptr<BlobRemover> make_grpc_blob_remover(
    const ring::TopologySource& topology, std::shared_ptr<const rpc::PeerCredentials> credentials);

}  // namespace rondel::node_client
