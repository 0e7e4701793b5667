// The server end of one Exchange stream: frames from gRPC messages to an ExchangeSession, and its
// frames back.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>

#include "storage-node/service/exchange_session.h"

namespace rondel::node {

// With so much waiting for a peer that asks for more than it takes nothing is read from a disk for
// it, until half is sent: at 10 Gbit/s some 3 ms, in which the link is busy. What was under way
// comes on top, a piece for each thread that reads. Uploads go on.
inline constexpr size_t kOutgoingBytesMax = 8 << 20;
// Short answers go on growing meanwhile: with so much waiting the stream is not read, until those 8
// MiB are left.
inline constexpr size_t kOutgoingBytesHeard = 2 * kOutgoingBytesMax;

// While the node's memory is short less of it waits, down to a piece.
//
// `memory`: of this stream, open; it is ended with the stream.
// Belongs to gRPC, which deletes it when the stream is over. `outgoing_bytes`: what waits on all
// streams that share it, kept up to date.
grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* make_exchange_stream(
    ExchangeServices services, std::shared_ptr<StreamBudget::Account> memory,
    std::atomic<uint64_t>& outgoing_bytes);

}  // namespace rondel::node
