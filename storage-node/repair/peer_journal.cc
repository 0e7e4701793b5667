#include "storage-node/repair/peer_journal.h"

#include <functional>
#include <map>

#include "common/async/one_shot.h"
#include "common/base/mutex.h"
#include "common/grpc/channel.hpp"
#include "common/grpc/deadline.hpp"
#include "proto/storage/v1/storage.grpc.pb.h"
#include "transfer/grpc/wire.h"

namespace rondel::repair {
namespace {

namespace wire = rondel::storage::v1;

constexpr size_t kCallsPerNode = 256;
constexpr size_t kEntriesMax = 100'000;  // Of one answer.
constexpr size_t kListMax = 5000;
constexpr uint64_t kTimeMax = uint64_t{1} << 53;  // Beyond it ages overflow.

template <class Id>
std::string to_wire(const Id& id) {
  return std::string(as_text(id.view()));
}

Error to_error(const grpc::Status& status) {
  const ErrorCode code = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED
                             ? ErrorCode::kDeadlineExceeded
                             : ErrorCode::kUnavailable;
  return {code, status.error_message()};
}

engine::JournalEntry read_entry(const wire::JournalEntry& in) {
  engine::JournalEntry entry;
  entry.operation = in.operation() == wire::JournalEntry::DELETE
                        ? engine::JournalEntry::Operation::kDelete
                        : engine::JournalEntry::Operation::kPut;
  entry.blob.id = model::BlobId::from_bytes(as_bytes(in.blob_id()).data());
  entry.blob.length = in.length();
  entry.token = in.token();
  entry.blob.order = in.order();
  entry.blob.created_at = SystemTime(std::chrono::microseconds(in.created_at_us()));
  entry.flushed_at = SystemTime(std::chrono::microseconds(in.flushed_at_us()));
  entry.blob.trashed = in.purge_at_us() != 0;
  entry.blob.purge_at = SystemTime(std::chrono::microseconds(in.purge_at_us()));
  if (const auto owner = model::DiskId::from_bytes(as_bytes(in.owner_disk()))) {
    entry.blob.handoff_for = *owner;
  }
  return entry;
}

// How many calls a node may have unanswered.
class Budget {
 public:
  bool take(const model::NodeId& node) {
    MutexLock lock(mutex_);
    size_t& taken = taken_[node];
    if (taken >= kCallsPerNode) return false;
    ++taken;
    return true;
  }

  void give_back(const model::NodeId& node) {
    MutexLock lock(mutex_);
    --taken_[node];
  }

 private:
  Mutex mutex_;
  std::map<model::NodeId, size_t> taken_ GUARDED_BY(mutex_);
};

enum class Step { kMore, kEnough, kMalformed };

// One call whose answers come as a stream. Lives until gRPC is done with it, whether or not
// somebody still waits.
template <class Message, class Answer>
class Call final : public grpc::ClientReadReactor<Message> {
 public:
  using Take = std::function<Step(const Message&, Answer&)>;

  Call(std::shared_ptr<wire::Storage::Stub> stub, std::shared_ptr<Budget> budget,
       model::NodeId node, Take take)
      : stub_(std::move(stub)), budget_(std::move(budget)), node_(node), take_(std::move(take)) {}

  // Begins it; the slot gets the answer.
  template <class Request, class Start>
  std::shared_ptr<async::OneShot<Result<Answer>>> begin(Request request, Answer empty,
                                                        Deadline deadline, Start start) {
    answer_ = std::move(empty);
    context_.set_deadline(rpc::grpc_deadline(deadline));
    auto slot = slot_;
    start(*stub_, context_, request, this);
    this->StartRead(&message_);
    this->StartCall();
    return slot;
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    step_ = take_(message_, answer_);
    if (step_ == Step::kMore) return this->StartRead(&message_);
    context_.TryCancel();
  }

  void OnDone(const grpc::Status& status) override {
    budget_->give_back(node_);
    if (step_ == Step::kMalformed) {
      slot_->set(fail(ErrorCode::kInternal, "the peer sent a malformed entry"));
    } else if (step_ == Step::kMore && !status.ok()) {
      // A list cut short is not the end of the list.
      slot_->set(std::unexpected(to_error(status)));
    } else {
      slot_->set(std::move(answer_));
    }
    delete this;
  }

 private:
  const std::shared_ptr<wire::Storage::Stub> stub_;
  const std::shared_ptr<Budget> budget_;
  const model::NodeId node_;
  const Take take_;
  const std::shared_ptr<async::OneShot<Result<Answer>>> slot_ =
      async::OneShot<Result<Answer>>::make();
  grpc::ClientContext context_;
  Message message_;
  Answer answer_;
  Step step_ = Step::kMore;
};

Step take_batch(const wire::JournalBatch& batch, engine::JournalPage& page) {
  for (const wire::JournalEntry& entry : batch.entries()) {
    if (entry.blob_id().size() != 16 || page.entries.size() >= kEntriesMax) return Step::kMalformed;
    if (std::max({entry.created_at_us(), entry.flushed_at_us(), entry.purge_at_us()}) > kTimeMax) {
      return Step::kMalformed;
    }
    page.entries.push_back(read_entry(entry));
  }
  if (batch.next_token().size() == 8) {
    page.next = load_be<uint64_t>(as_bytes(batch.next_token()).data());
  }
  page.truncated = batch.truncated();
  page.caught_up = batch.caught_up();
  return Step::kMore;
}

Step take_list(const wire::BlobList& list, std::vector<PeerBlob>& blobs) {
  for (const wire::BlobInfo& info : list.blobs()) {
    if (info.blob_id().size() != 16 || info.created_at_us() > kTimeMax) return Step::kMalformed;
    blobs.push_back({model::BlobId::from_bytes(as_bytes(info.blob_id()).data()), info.length(),
                     info.created_at_us(), info.order()});
  }
  return blobs.size() >= kListMax ? Step::kEnough : Step::kMore;
}

// Calls hold no thread: however many peers hang, the others are asked.
class GrpcPeerJournal final : public PeerJournal {
 public:
  GrpcPeerJournal(const ring::TopologySource& topology,
                  std::shared_ptr<const rpc::PeerCredentials> credentials)
      : topology_(topology), channels_(std::move(credentials)) {}

  async::Task<Result<engine::JournalPage>> pull(model::DiskId asking, transfer::DiskAddress serving,
                                                uint64_t token, uint32_t max,
                                                Deadline deadline) override {
    wire::PullJournalRequest request;
    request.set_asking_disk(to_wire(asking));
    request.set_serving_disk(to_wire(serving.disk));
    std::string raw(8, '\0');
    store_be(reinterpret_cast<std::byte*>(raw.data()), token);
    request.set_token(raw);
    request.set_entries_max(max);
    const auto topology = topology_.topology();
    if (topology->current() != nullptr) request.set_ring_epoch(topology->current()->epoch());
    engine::JournalPage empty;
    empty.next = token;
    const auto start = [](wire::Storage::Stub& stub, grpc::ClientContext& context,
                          const wire::PullJournalRequest& asked,
                          grpc::ClientReadReactor<wire::JournalBatch>* reactor) {
      stub.async()->PullJournal(&context, &asked, reactor);
    };
    co_return co_await ask<wire::JournalBatch>(serving.node, take_batch, std::move(request),
                                               std::move(empty), deadline, start);
  }

  async::Task<Result<std::vector<PeerBlob>>> list(transfer::DiskAddress serving,
                                                  model::BlobId after, Deadline deadline) override {
    wire::ListBlobsRequest request;
    request.set_disk(to_wire(serving.disk));
    request.set_to_hash(UINT64_MAX);
    if (after != model::BlobId{}) request.set_after_blob_id(std::string(as_text(after.bytes())));
    const auto start = [](wire::Storage::Stub& stub, grpc::ClientContext& context,
                          const wire::ListBlobsRequest& asked,
                          grpc::ClientReadReactor<wire::BlobList>* reactor) {
      stub.async()->ListBlobs(&context, &asked, reactor);
    };
    co_return co_await ask<wire::BlobList>(serving.node, take_list, std::move(request),
                                           std::vector<PeerBlob>{}, deadline, start);
  }

 private:
  template <class Message, class Answer, class Request, class Start>
  async::Task<Result<Answer>> ask(model::NodeId node, Step (*take)(const Message&, Answer&),
                                  Request request, Answer empty, Deadline deadline, Start start) {
    const auto topology = topology_.topology();
    const ring::Topology::Node* const known = topology->find_node(node);
    if (known == nullptr) {
      co_return fail(ErrorCode::kUnavailable, "the address of the node is not known");
    }
    if (!budget_->take(node)) {
      co_return fail(ErrorCode::kResourceExhausted, "the node has too many calls to answer");
    }
    std::shared_ptr<wire::Storage::Stub> stub =
        wire::Storage::NewStub(channels_.to({known->address, known->name}));
    // Deletes itself.
    auto* const call = new Call<Message, Answer>(std::move(stub), budget_, node, take);
    const auto slot = call->begin(std::move(request), std::move(empty), deadline, start);
    auto answer = co_await slot->wait_until(deadline);
    if (!answer) co_return std::unexpected(answer.error());
    co_return std::move(*answer);
  }

  const ring::TopologySource& topology_;
  rpc::NodeChannels channels_;
  const std::shared_ptr<Budget> budget_ = std::make_shared<Budget>();
};

}  // namespace

std::unique_ptr<PeerJournal> make_grpc_peer_journal(
    const ring::TopologySource& topology, std::shared_ptr<const rpc::PeerCredentials> credentials) {
  return std::make_unique<GrpcPeerJournal>(topology, std::move(credentials));
}

}  // namespace rondel::repair
