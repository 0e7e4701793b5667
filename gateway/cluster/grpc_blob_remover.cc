#include "gateway/cluster/grpc_blob_remover.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <map>
#include <mutex>

#include "common/async/one_shot.h"
#include "common/rpc/peer_role.hpp"
#include "proto/storage/v1/storage.grpc.pb.h"

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
    case grpc::StatusCode::DEADLINE_EXCEEDED: return fail(ErrorCode::kDeadlineExceeded, status.error_message());
    default: return fail(ErrorCode::kUnavailable, status.error_message());
  }
}

class GrpcBlobRemover final : public BlobRemover {
 public:
  GrpcBlobRemover(const ring::TopologySource& topology, std::shared_ptr<grpc::ChannelCredentials> credentials)
      : topology_(topology), credentials_(std::move(credentials)) {}

  async::Task<Result<void>> remove(rpc::DiskAddress at, std::vector<model::BlobId> ids, uint64_t coordinator_token,
                                   std::chrono::seconds trash, Deadline deadline) override {
    const auto stub = stub_of(at.node);
    if (!stub) co_return fail(ErrorCode::kUnavailable, "the address of the node is not known");
    auto call = std::make_shared<Call>();
    call->request.set_disk(std::string(as_text(at.disk.view())));
    for (const model::BlobId& id : ids) call->request.add_blob_ids(std::string(as_text(id.bytes())));
    call->request.set_coordinator_token(coordinator_token);
    call->request.set_trash_seconds(static_cast<uint64_t>(trash.count()));
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
  std::shared_ptr<storage::Storage::Stub> stub_of(const model::NodeId& node) {
    const auto topology = topology_.topology();
    for (const ring::Topology::Node& known : topology->nodes) {
      if (known.id != node) continue;
      std::lock_guard lock(mutex_);
      auto& stub = stubs_[known.address];
      if (!stub) stub = storage::Storage::NewStub(open_channel(known.address));
      return stub;
    }
    return nullptr;
  }

  std::shared_ptr<grpc::Channel> open_channel(const std::string& address) const {
    grpc::ChannelArguments arguments;
    rpc::expect_server(arguments, rpc::PeerRole::kNode);
    return grpc::CreateCustomChannel(address, credentials_, arguments);
  }

  const ring::TopologySource& topology_;
  const std::shared_ptr<grpc::ChannelCredentials> credentials_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<storage::Storage::Stub>> stubs_;  // Guarded by mutex_; one per node address.
};

}  // namespace

std::unique_ptr<BlobRemover> make_grpc_blob_remover(const ring::TopologySource& topology,
                                                    std::shared_ptr<grpc::ChannelCredentials> credentials) {
  return std::make_unique<GrpcBlobRemover>(topology, std::move(credentials));
}

}  // namespace rondel::cluster
