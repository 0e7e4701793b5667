#include "cluster/node_client/grpc_blob_lister.h"

#include "cluster/node_client/node_stubs.hpp"
#include "common/async/one_shot.h"
#include "common/grpc/deadline.hpp"

namespace rondel::node_client {
namespace {

namespace storage = rondel::storage::v1;

constexpr size_t kPageMax = 5'000;

// Ages are reckoned with it: what a node says must not overflow them.
SystemTime time_of(uint64_t told_us) {
  constexpr uint64_t kMax = uint64_t{1} << 53;
  return SystemTime(std::chrono::microseconds(std::min(told_us, kMax)));
}

using Slot = async::OneShot<Result<std::vector<ListedBlob>>>;

// Reads until there is enough, then cancels. Deletes itself when gRPC is done.
class Listing final : public grpc::ClientReadReactor<storage::BlobList> {
 public:
  static void start(std::shared_ptr<storage::Storage::Stub> stub, storage::ListBlobsRequest request,
                    Deadline deadline, std::shared_ptr<Slot> slot) {
    auto* listing = new Listing(std::move(stub), std::move(request), std::move(slot));
    listing->context_.set_deadline(rpc::grpc_deadline(deadline));
    listing->stub_->async()->ListBlobs(&listing->context_, &listing->request_, listing);
    listing->StartRead(&listing->list_);
    listing->StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    for (const storage::BlobInfo& info : list_.blobs()) {
      if (info.blob_id().size() != 16) continue;
      blobs_.push_back({model::BlobId::from_bytes(as_bytes(info.blob_id()).data()), info.length(),
                        time_of(info.created_at_us()), time_of(info.received_at_us())});
    }
    enough_ = blobs_.size() >= kPageMax;
    if (enough_) context_.TryCancel();
    StartRead(&list_);
  }

  void OnDone(const grpc::Status& status) override {
    // A list cut short is not the end of the list.
    if (enough_ || status.ok()) {
      slot_->set(std::move(blobs_));
    } else {
      slot_->set(fail(ErrorCode::kUnavailable, status.error_message()));
    }
    delete this;
  }

 private:
  Listing(std::shared_ptr<storage::Storage::Stub> stub, storage::ListBlobsRequest request,
          std::shared_ptr<Slot> slot)
      : stub_(std::move(stub)), request_(std::move(request)), slot_(std::move(slot)) {}

  const std::shared_ptr<storage::Storage::Stub> stub_;
  const storage::ListBlobsRequest request_;
  const std::shared_ptr<Slot> slot_;
  grpc::ClientContext context_;
  storage::BlobList list_;
  std::vector<ListedBlob> blobs_;
  bool enough_ = false;
};

class GrpcBlobLister final : public BlobLister {
 public:
  GrpcBlobLister(const ring::TopologySource& topology,
                 std::shared_ptr<const rpc::PeerCredentials> credentials, bool trash)
      : stubs_(topology, std::move(credentials)), trash_(trash) {}

  async::Task<Result<std::vector<ListedBlob>>> list(transfer::DiskAddress at, model::BlobId after,
                                                    Deadline deadline) override {
    auto stub = stubs_.find(at.node);
    if (!stub) co_return fail(ErrorCode::kUnavailable, "the address of the node is not known");
    storage::ListBlobsRequest request;
    request.set_disk(std::string(as_text(at.disk.view())));
    request.set_to_hash(UINT64_MAX);
    request.set_trashed(trash_);
    if (after != model::BlobId{}) request.set_after_blob_id(std::string(as_text(after.bytes())));
    auto slot = Slot::make();
    Listing::start(std::move(stub), std::move(request), deadline, slot);
    auto answer = co_await slot->wait_until(deadline + std::chrono::seconds(1));
    if (!answer) co_return std::unexpected(answer.error());
    co_return std::move(*answer);
  }

 private:
  NodeStubs stubs_;
  const bool trash_;
};

}  // namespace

std::unique_ptr<BlobLister> make_grpc_blob_lister(
    const ring::TopologySource& topology, std::shared_ptr<const rpc::PeerCredentials> credentials,
    bool trash) {
  return std::make_unique<GrpcBlobLister>(topology, std::move(credentials), trash);
}

}  // namespace rondel::node_client
