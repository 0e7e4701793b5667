#include "common/grpc/channel.hpp"

#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>

namespace rondel::rpc {
namespace {

// A call that holds the channel it is made on.
struct Call {
  explicit Call(const std::shared_ptr<grpc::Channel>& channel) : stub(channel) {}

  ~Call() { ended.set_value(); }

  grpc::GenericStub stub;
  grpc::ClientContext context;
  grpc::Slice nothing;
  grpc::ByteBuffer request{&nothing, 1};
  grpc::ByteBuffer response;
  std::promise<void> ended;
};

// The last channel of the process goes away on a completion thread; the ones opened after it still
// get their answers.
TEST(Channel, TheLastHolderMayBeACompletionThread) {
  for (int round = 0; round < 20; ++round) {
    grpc::ChannelArguments arguments;
    // Connects each time: the answer does not come on this thread.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    auto call = std::make_shared<Call>(
        open_channel("127.0.0.1:1", *PeerCredentials::plain(), {PeerRole::kNode, "n"}, arguments));
    auto ended = call->ended.get_future();
    Call& raw = *call;
    raw.stub.UnaryCall(&raw.context, "/none", {}, &raw.request, &raw.response,
                       [held = std::move(call)](const grpc::Status& status) mutable {
                         EXPECT_FALSE(status.ok());
                         held.reset();
                       });
    ASSERT_EQ(ended.wait_for(std::chrono::seconds(60)), std::future_status::ready)
        << "round " << round;
  }
}

}  // namespace
}  // namespace rondel::rpc
