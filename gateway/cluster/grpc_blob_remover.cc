#include "gateway/cluster/grpc_blob_remover.h"

#include "common/async/one_shot.h"
#include "gateway/cluster/node_stubs.h"

namespace rondel::cluster {
namespace {

namespace storage = rondel::storage::v1;

// Lives until gRPC has called back.
struct Call {
  grpc::ClientContext context;
  storage::DeleteBlobsRequest request;
  storage::DeleteBlobsReply reply;
};

Result<void> outcome(const grpc::Status& status) {
  if (status.ok()) return {};
  switch (status.error_code()) {
    case grpc::StatusCode::FAILED_PRECONDITION: return fail(ErrorCode::kPrecondition, status.error_message());
    case grpc::StatusCode::ABORTED: return fail(ErrorCode::kOutOfRange, status.error_message());
    case grpc::StatusCode::DEADLINE_EXCEEDED: return fail(ErrorCode::kDeadlineExceeded, status.error_message());
    default: return fail(ErrorCode::kUnavailable, status.error_message());
  }
}

class GrpcBlobRemover final : public BlobRemover {
 public:
  GrpcBlobRemover(const ring::TopologySource& topology, std::shared_ptr<grpc::ChannelCredentials> credentials)
      : stubs_(topology, std::move(credentials)) {}

  async::Task<Result<void>> remove(rpc::DiskAddress at, std::vector<model::BlobId> ids, RemovalOrder order, Deadline deadline) override {
    const auto stub = stubs_.find(at.node);
    if (!stub) co_return fail(ErrorCode::kUnavailable, "the address of the node is not known");
    auto call = std::make_shared<Call>();
    call->request.set_disk(std::string(as_text(at.disk.view())));
    for (const model::BlobId& id : ids) call->request.add_blob_ids(std::string(as_text(id.bytes())));
    call->request.set_coordinator_token(order.coordinator_token);
    call->request.set_trash_seconds(static_cast<uint64_t>(order.trash.count()));
    storage::MetadataGeneration* const generation = call->request.mutable_generation();
    generation->set_accepted(order.generation.accepted);
    generation->set_system(order.generation.system);
    generation->set_timeline(order.generation.timeline);
    generation->set_position(order.generation.position);
    const auto left = deadline - std::chrono::steady_clock::now();
    call->context.set_deadline(std::chrono::system_clock::now() +
                               std::chrono::duration_cast<std::chrono::system_clock::duration>(left));
    auto slot = async::OneShot<Result<void>>::make();
    stub->async()->DeleteBlobs(&call->context, &call->request, &call->reply,
                               [slot, call, stub](grpc::Status status) { slot->set(outcome(status)); });
    auto answer = co_await slot->wait_until(deadline);
    if (!answer) co_return std::unexpected(answer.error());
    co_return std::move(*answer);
  }

 private:
  NodeStubs stubs_;
};

}  // namespace

std::unique_ptr<BlobRemover> make_grpc_blob_remover(const ring::TopologySource& topology,
                                                    std::shared_ptr<grpc::ChannelCredentials> credentials) {
  return std::make_unique<GrpcBlobRemover>(topology, std::move(credentials));
}

}  // namespace rondel::cluster
