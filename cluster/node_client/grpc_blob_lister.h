// BlobLister over the Storage service of nodes.
#pragma once

#include <memory>

#include "cluster/node_client/blob_lister.h"
#include "common/ring/ring.h"

namespace rondel::rpc {
class PeerCredentials;
}

namespace rondel::node_client {

// Finds addresses in the topology; both outlive it. `trash`: lists what is in the trash instead.
std::unique_ptr<BlobLister> make_grpc_blob_lister(
    const ring::TopologySource& topology, std::shared_ptr<const rpc::PeerCredentials> credentials,
    bool trash = false);

}  // namespace rondel::node_client
