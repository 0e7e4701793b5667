// BlobTransport over long-lived gRPC streams: two to each node (small and bulk traffic), opened
// when first needed and again after they broke. Frames that wait for a stream travel in one
// message. docs/formats/wire.md.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/grpc/credentials.h"
#include "transfer/blob_transport.h"

namespace rondel::transfer {

struct GrpcBlobTransportOptions {
  // gRPC target and name of a node; nullopt = not known. Called on the caller's thread, at most
  // once a second per node.
  std::function<std::optional<rpc::NodeEndpoint>(const model::NodeId&)> address_of;
  std::shared_ptr<const rpc::PeerCredentials> credentials;  // Null = plain.
  Duration reconnect_pause = std::chrono::milliseconds(200);
  size_t requests_max = 16'384;  // Open per stream; more are kResourceExhausted.
};

// Closes its streams when destroyed; whoever still waits gets kUnavailable.
std::unique_ptr<BlobTransport> make_grpc_blob_transport(GrpcBlobTransportOptions options);

}  // namespace rondel::transfer
