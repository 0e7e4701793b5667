#include "common/grpc/channel.hpp"

#include <absl/synchronization/mutex.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <thread>

#include "common/grpc/peer.hpp"
#include "common/grpc/steady_waits.h"

namespace rondel::rpc {
namespace {

// gRPC 1.51 has at least two completion threads. On two processors the one that got something from
// a socket first wakes the other to watch the sockets, for every message: one alone costs a third
// less (docs/adr/0004).
constexpr unsigned kProcessorsForTwoThreads = 3;

// Of one NodeChannels: more than a cluster has nodes.
constexpr size_t kChannelsMax = 16'384;

[[noreturn]] void rest_for_ever() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(24));
}

// gRPC's completion threads live as long as some channel that has used them. When the last such
// channel goes away on one of them, gRPC 1.51 makes that thread join itself and destroys the queue
// under it: the process dies of a double free. A channel that is never destroyed keeps them; one
// without credentials connects to nothing. Its only call completes on the thread that is one too
// many on a small machine.
void settle_completion_threads() {
  static const std::shared_ptr<grpc::Channel>* const kept = [] {
    auto* const channel = new std::shared_ptr<grpc::Channel>(grpc::CreateChannel("none", nullptr));
    struct Call {
      grpc::ClientContext context;
      grpc::Slice nothing;
      grpc::ByteBuffer request{&nothing, 1};
      grpc::ByteBuffer response;
    };
    const auto call = std::make_shared<Call>();
    grpc::GenericStub(*channel).UnaryCall(
        &call->context, "/none", {}, &call->request, &call->response, [call](const grpc::Status&) {
          if (std::thread::hardware_concurrency() < kProcessorsForTwoThreads) rest_for_ever();
        });
    return channel;
  }();
  (void)kept;
}

// Abseil, as it is built here, looks for cycles among gRPC's locks whenever one is taken, and does
// so under one lock of the whole process.
void leave_lock_cycles_alone() {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

}  // namespace

std::shared_ptr<grpc::Channel> open_channel(const std::string& address,
                                            const PeerCredentials& credentials,
                                            const ExpectedPeer& peer,
                                            grpc::ChannelArguments arguments) {
  settle_completion_threads();
  use_steady_waits();
  leave_lock_cycles_alone();
  // What is asked for in the handshake and in each call; who answers is looked at by its names.
  if (credentials.tls()) {
    arguments.SetSslTargetNameOverride("rondel-" + std::string(role_text(peer.role)));
  }
  return grpc::CreateCustomChannel(address, credentials.channel(peer), arguments);
}

std::shared_ptr<grpc::Channel> NodeChannels::to(const NodeEndpoint& node) {
  MutexLock lock(mutex_);
  if (const uint64_t version = credentials_->version();
      version != version_ || channels_.size() >= kChannelsMax) {
    channels_.clear();
    version_ = version;
  }
  auto& channel = channels_[node];
  if (!channel) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    channel = open_channel(node.address, *credentials_, {PeerRole::kNode, node.name},
                           std::move(arguments));
  }
  return channel;
}

}  // namespace rondel::rpc
