#include "storage-node/repair/peer_journal.h"

#include <grpcpp/security/credentials.h>

#include "common/async/blocking_pool.h"
#include "common/rpc/channel.hpp"
#include "common/rpc/deadline.hpp"
#include "common/rpc/wire.h"
#include "proto/storage/v1/storage.grpc.pb.h"

namespace rondel::repair {
namespace {

namespace wire = rondel::storage::v1;

constexpr size_t kThreads = 8;
constexpr size_t kQueueMax = 4096;
constexpr size_t kListMax = 5000;

template <class Id>
std::string to_wire(const Id& id) {
  return std::string(as_text(id.view()));
}

Error to_error(const grpc::Status& status) {
  const ErrorCode code = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ? ErrorCode::kDeadlineExceeded : ErrorCode::kUnavailable;
  return {code, status.error_message()};
}

engine::JournalEntry read_entry(const wire::JournalEntry& in) {
  engine::JournalEntry entry;
  entry.operation = in.operation() == wire::JournalEntry::DELETE ? engine::JournalEntry::Operation::kDelete : engine::JournalEntry::Operation::kPut;
  entry.blob.id = model::BlobId::from_bytes(as_bytes(in.blob_id()).data());
  entry.blob.length = in.length();
  entry.token = in.token();
  entry.blob.order = in.order();
  entry.blob.created_at = SystemTime(std::chrono::microseconds(in.created_at_us()));
  entry.flushed_at = SystemTime(std::chrono::microseconds(in.flushed_at_us()));
  entry.blob.trashed = in.purge_at_us() != 0;
  entry.blob.purge_at = SystemTime(std::chrono::microseconds(in.purge_at_us()));
  if (const auto owner = model::DiskId::from_bytes(as_bytes(in.owner_disk()))) entry.blob.handoff_for = *owner;
  return entry;
}

class GrpcPeerJournal final : public PeerJournal {
 public:
  GrpcPeerJournal(const ring::TopologySource& topology, std::shared_ptr<grpc::ChannelCredentials> credentials)
      : topology_(topology), channels_(credentials ? std::move(credentials) : grpc::InsecureChannelCredentials()) {}

  async::Task<Result<engine::JournalPage>> pull(model::DiskId asking, rpc::DiskAddress serving, uint64_t token, uint32_t max,
                                                Deadline deadline) override {
    const auto stub = stub_of(serving.node);
    if (!stub) co_return fail(ErrorCode::kUnavailable, "the address of the node is not known");
    auto answer = co_await pool_.run([=] { return pull_now(*stub, asking, serving.disk, token, max, deadline); }, deadline);
    if (!answer) co_return std::unexpected(answer.error());
    co_return std::move(*answer);
  }

  async::Task<Result<std::vector<PeerBlob>>> list(rpc::DiskAddress serving, model::BlobId after, Deadline deadline) override {
    const auto stub = stub_of(serving.node);
    if (!stub) co_return fail(ErrorCode::kUnavailable, "the address of the node is not known");
    auto answer = co_await pool_.run([=] { return list_now(*stub, serving.disk, after, deadline); }, deadline);
    if (!answer) co_return std::unexpected(answer.error());
    co_return std::move(*answer);
  }

 private:
  using Stub = wire::Storage::Stub;

  static void bound(grpc::ClientContext& context, Deadline deadline) {
    context.set_deadline(rpc::grpc_deadline(deadline));
  }

  static Result<engine::JournalPage> pull_now(Stub& stub, model::DiskId asking, model::DiskId serving, uint64_t token, uint32_t max,
                                              Deadline deadline) {
    grpc::ClientContext context;
    bound(context, deadline);
    wire::PullJournalRequest request;
    request.set_asking_disk(to_wire(asking));
    request.set_serving_disk(to_wire(serving));
    std::string raw(8, '\0');
    store_be(reinterpret_cast<std::byte*>(raw.data()), token);
    request.set_token(raw);
    request.set_entries_max(max);
    auto reader = stub.PullJournal(&context, request);
    engine::JournalPage page;
    page.next = token;
    wire::JournalBatch batch;
    while (reader->Read(&batch)) {
      for (const wire::JournalEntry& entry : batch.entries()) {
        if (entry.blob_id().size() != 16) return fail(ErrorCode::kInternal, "the peer sent a malformed entry");
        page.entries.push_back(read_entry(entry));
      }
      if (batch.next_token().size() == 8) page.next = load_be<uint64_t>(as_bytes(batch.next_token()).data());
      page.truncated = batch.truncated();
      page.caught_up = batch.caught_up();
    }
    const grpc::Status status = reader->Finish();
    if (!status.ok()) return std::unexpected(to_error(status));
    return page;
  }

  static Result<std::vector<PeerBlob>> list_now(Stub& stub, model::DiskId serving, model::BlobId after, Deadline deadline) {
    grpc::ClientContext context;
    bound(context, deadline);
    wire::ListBlobsRequest request;
    request.set_disk(to_wire(serving));
    request.set_to_hash(UINT64_MAX);
    if (after != model::BlobId{}) request.set_after_blob_id(std::string(as_text(after.bytes())));
    auto reader = stub.ListBlobs(&context, request);
    std::vector<PeerBlob> blobs;
    wire::BlobList list;
    while (blobs.size() < kListMax && reader->Read(&list)) {
      for (const wire::BlobInfo& info : list.blobs()) {
        if (info.blob_id().size() != 16) return fail(ErrorCode::kInternal, "the peer sent a malformed entry");
        blobs.push_back({model::BlobId::from_bytes(as_bytes(info.blob_id()).data()), info.length(), info.handoff()});
      }
    }
    const bool enough = blobs.size() >= kListMax;
    if (enough) context.TryCancel();
    const grpc::Status status = reader->Finish();
    // A list cut short is not the end of the list.
    if (!enough && !status.ok()) return std::unexpected(to_error(status));
    return blobs;
  }

  std::shared_ptr<Stub> stub_of(const model::NodeId& node) {
    const auto topology = topology_.topology();
    const ring::Topology::Node* const known = topology->find_node(node);
    return known == nullptr ? nullptr : wire::Storage::NewStub(channels_.to(known->address));
  }

  const ring::TopologySource& topology_;
  rpc::NodeChannels channels_;
  async::BlockingPool pool_{"peer journal", kThreads, kQueueMax};
};

}  // namespace

std::unique_ptr<PeerJournal> make_grpc_peer_journal(const ring::TopologySource& topology,
                                                    std::shared_ptr<grpc::ChannelCredentials> credentials) {
  return std::make_unique<GrpcPeerJournal>(topology, std::move(credentials));
}

}  // namespace rondel::repair
