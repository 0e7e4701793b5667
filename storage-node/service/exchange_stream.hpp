// The server end of one Exchange stream: frames from gRPC messages to an ExchangeSession, and its frames back.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>

#include "storage-node/service/exchange_session.h"

namespace rondel::node {

// A peer that asks for more than it takes is heard again once half of this is sent: at 10 Gbit/s some 3 ms, in which the link is busy.
// What was under way when this was reached comes on top: a piece for each thread that reads, short answers of puts and stats.
inline constexpr size_t kOutgoingBytesMax = 8 << 20;

// Belongs to gRPC, which deletes it when the stream is over. `outgoing_bytes`: what waits on all streams that share it, kept up to date.
grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* make_exchange_stream(ExchangeServices services,
                                                                                  std::atomic<uint64_t>& outgoing_bytes);

}  // namespace rondel::node
