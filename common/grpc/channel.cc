#include "common/grpc/channel.hpp"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <thread>

#include "common/grpc/peer_role.hpp"
#include "common/grpc/steady_waits.h"

namespace rondel::rpc {
namespace {

// gRPC 1.51 has at least two completion threads. On two processors the one that got something from a socket first wakes the other to
// watch the sockets, for every message: one alone costs a third less (docs/adr/0004).
constexpr unsigned kProcessorsForTwoThreads = 3;

[[noreturn]] void rest_for_ever() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(24));
}

// gRPC's completion threads live as long as some channel that has used them. When the last such channel goes away on one of
// them, gRPC 1.51 makes that thread join itself and destroys the queue under it: the process dies of a double free. A
// channel that is never destroyed keeps them; one without credentials connects to nothing. Its only call completes on the thread that is
// one too many on a small machine.
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
    grpc::GenericStub(*channel).UnaryCall(&call->context, "/none", {}, &call->request, &call->response, [call](const grpc::Status&) {
      if (std::thread::hardware_concurrency() < kProcessorsForTwoThreads) rest_for_ever();
    });
    return channel;
  }();
  (void)kept;
}

}  // namespace

std::shared_ptr<grpc::Channel> open_channel(const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                                            PeerRole role, grpc::ChannelArguments arguments) {
  settle_completion_threads();
  use_steady_waits();
  expect_server(arguments, role);
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

std::shared_ptr<grpc::Channel> NodeChannels::to(const std::string& address) {
  std::lock_guard lock(mutex_);
  auto& channel = channels_[address];
  if (!channel) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    channel = open_channel(address, credentials_, PeerRole::kNode, std::move(arguments));
  }
  return channel;
}

}  // namespace rondel::rpc
