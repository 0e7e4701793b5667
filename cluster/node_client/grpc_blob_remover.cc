#include "cluster/node_client/grpc_blob_remover.h"

#include "cluster/node_client/node_stubs.hpp"
#include "common/async/event_loop.h"
#include "common/async/one_shot.h"
#include "common/grpc/deadline.hpp"
#include "transfer/grpc/metadata_generation.hpp"

namespace rondel::node_client {
namespace {

namespace storage = rondel::storage::v1;

// Lives until gRPC has called back.
template <class Request, class Reply>
struct Call {
  grpc::ClientContext context;
  Request request;
  Reply reply;
};

template <class Request, class Reply>
std::shared_ptr<Call<Request, Reply>> make_call(const transfer::DiskAddress& at,
                                                const std::vector<model::BlobId>& ids) {
  auto call = std::make_shared<Call<Request, Reply>>();
  call->request.set_disk(std::string(as_text(at.disk.view())));
  for (const model::BlobId& id : ids) call->request.add_blob_ids(std::string(as_text(id.bytes())));
  return call;
}

Error error_of(const grpc::Status& status) {
  const bool late = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  return {late ? ErrorCode::kDeadlineExceeded : ErrorCode::kUnavailable, status.error_message()};
}

RemovalReply read(const storage::DeleteBlobsReply& reply) {
  return {static_cast<Refusal>(reply.refusal()), transfer::from_wire(reply.seen()),
          reply.highest_order()};
}

RestoreReply read(const storage::RestoreBlobsReply& reply) {
  return {reply.restored(), reply.highest_order(), static_cast<Refusal>(reply.refusal())};
}

// A node that has not heard of what an order shows asks a gateway, and obeys the same order a
// moment later. What no gateway tells of it never does.
constexpr auto kHearingPause = std::chrono::milliseconds(60);
constexpr int kHearingAttempts = 40;

// Makes the call at a node and waits for its answer, as `read` reads it.
template <class Answer, class Request, class Reply, class Method>
async::Task<Result<Answer>> answer_to(std::shared_ptr<storage::Storage::Stub> stub,
                                      std::shared_ptr<Call<Request, Reply>> call, Method method,
                                      Deadline deadline) {
  if (!stub) co_return fail(ErrorCode::kUnavailable, "the address of the node is not known");
  call->context.set_deadline(rpc::grpc_deadline(deadline));
  auto slot = async::OneShot<Result<Answer>>::make();
  method(*stub->async(), *call, [slot, call, stub](grpc::Status status) {
    slot->set(status.ok() ? Result<Answer>(read(call->reply)) : std::unexpected(error_of(status)));
  });
  auto answer = co_await slot->wait_until(deadline);
  if (!answer) co_return std::unexpected(answer.error());
  co_return std::move(*answer);
}

template <class Answer, class Ask>
async::Task<Result<Answer>> until_heard(const Ask& ask, Deadline deadline) {
  for (int attempt = 1;; ++attempt) {
    auto answer = co_await ask();
    const bool again = answer && answer->refusal == Refusal::kUnheard &&
                       attempt < kHearingAttempts &&
                       std::chrono::steady_clock::now() + kHearingPause < deadline;
    if (!again) co_return answer;
    co_await async::sleep_for(kHearingPause);
  }
}

class GrpcBlobRemover final : public BlobRemover {
 public:
  GrpcBlobRemover(const ring::TopologySource& topology,
                  std::shared_ptr<const rpc::PeerCredentials> credentials)
      : stubs_(topology, std::move(credentials)) {}

  async::Task<Result<RemovalReply>> remove(transfer::DiskAddress at, std::vector<model::BlobId> ids,
                                           RemovalOrder order, Deadline deadline) override {
    const auto ask = [&] {
      auto call = make_call<storage::DeleteBlobsRequest, storage::DeleteBlobsReply>(at, ids);
      call->request.set_coordinator_token(order.coordinator_token);
      call->request.set_trash_seconds(static_cast<uint64_t>(order.trash.count()));
      call->request.set_order(order.number);
      *call->request.mutable_generation() = transfer::to_wire(order.generation);
      *call->request.mutable_verified() = transfer::to_wire(order.verified);
      const auto method = [](auto& stub, auto& made, auto done) {
        stub.DeleteBlobs(&made.context, &made.request, &made.reply, std::move(done));
      };
      return answer_to<RemovalReply>(stubs_.find(at.node), std::move(call), method, deadline);
    };
    co_return co_await until_heard<RemovalReply>(ask, deadline);
  }

  async::Task<Result<RestoreReply>> restore(transfer::DiskAddress at,
                                            std::vector<model::BlobId> ids, uint64_t number,
                                            Deadline deadline) override {
    const auto ask = [&] {
      auto call = make_call<storage::RestoreBlobsRequest, storage::RestoreBlobsReply>(at, ids);
      call->request.set_order(number);
      const auto method = [](auto& stub, auto& made, auto done) {
        stub.RestoreBlobs(&made.context, &made.request, &made.reply, std::move(done));
      };
      return answer_to<RestoreReply>(stubs_.find(at.node), std::move(call), method, deadline);
    };
    auto reply = co_await until_heard<RestoreReply>(ask, deadline);
    if (reply && reply->refusal != Refusal::kNone) {
      co_return fail(ErrorCode::kUnavailable, "no gateway has told the node of the order");
    }
    co_return reply;
  }

 private:
  NodeStubs stubs_;
};

}  // namespace

std::unique_ptr<BlobRemover> make_grpc_blob_remover(
    const ring::TopologySource& topology, std::shared_ptr<const rpc::PeerCredentials> credentials) {
  return std::make_unique<GrpcBlobRemover>(topology, std::move(credentials));
}

}  // namespace rondel::node_client
