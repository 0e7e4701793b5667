#include "storage-node/service/storage_service.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <map>

#include "common/base/mutex.h"
#include "common/grpc/deadline.hpp"
#include "common/grpc/peer.hpp"
#include "common/grpc/peer_machine.hpp"
#include "proto/storage/v1/storage.grpc.pb.h"
#include "storage-node/service/disk_status.h"
#include "storage-node/service/exchange_stream.hpp"
#include "transfer/grpc/frame_stream.hpp"
#include "transfer/grpc/metadata_generation.hpp"

namespace rondel::node {
namespace {

namespace wire = rondel::storage::v1;
using namespace std::chrono_literals;

constexpr int kCallThreadsMax = 1024;
constexpr size_t kCallsPerPeerMax = 256;
constexpr uint32_t kJournalEntriesMax = 4096;
constexpr size_t kListEntries = 1000;
constexpr int kDeleteBlobsMax = 100'000;
// As the longest that a setting may say; more would overflow the time at which it ends.
constexpr uint64_t kTrashSecondsMax = uint64_t{10'000} * 86'400;

// As the table of roles has them (common/grpc/peer.cc).
constexpr const char* kExchange = "/rondel.storage.v1.Storage/Exchange";
constexpr const char* kPullJournal = "/rondel.storage.v1.Storage/PullJournal";
constexpr const char* kDeleteBlobs = "/rondel.storage.v1.Storage/DeleteBlobs";
constexpr const char* kListBlobs = "/rondel.storage.v1.Storage/ListBlobs";
constexpr const char* kRestoreBlobs = "/rondel.storage.v1.Storage/RestoreBlobs";
constexpr const char* kStatus = "/rondel.storage.v1.Storage/Status";

// A stream whose caller may not open it.
class RefusingReactor final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit RefusingReactor(grpc::Status status) { Finish(std::move(status)); }

  void OnDone() override { delete this; }
};

// How many calls that hold a thread a peer has under way: one that takes no answers keeps its own
// and no others.
class CallShares {
 public:
  class Share {
   public:
    Share(CallShares& of, std::string peer) : of_(of), peer_(std::move(peer)) {
      MutexLock lock(of_.mutex_);
      size_t& calls = of_.calls_[peer_];
      granted_ = calls < kCallsPerPeerMax;
      if (granted_) ++calls;
    }

    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    ~Share() {
      if (!granted_) return;
      MutexLock lock(of_.mutex_);
      const auto calls = of_.calls_.find(peer_);
      if (--calls->second == 0) of_.calls_.erase(calls);
    }

    grpc::Status status() const {
      if (granted_) return grpc::Status::OK;
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the peer has too many calls under way"};
    }

   private:
    CallShares& of_;
    const std::string peer_;
    bool granted_ = false;
  };

 private:
  Mutex mutex_;
  std::map<std::string, size_t> calls_;  // By peer, of those that have some.
};

int milliseconds_of(Duration time) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

std::optional<model::DiskId> disk_id(const std::string& bytes) {
  return model::DiskId::from_bytes(as_bytes(bytes));
}

// nullopt: one has a wrong length, or they are more than one call may name.
std::optional<std::vector<model::BlobId>> blob_ids(
    const google::protobuf::RepeatedPtrField<std::string>& bytes) {
  if (bytes.size() > kDeleteBlobsMax) return std::nullopt;
  std::vector<model::BlobId> ids;
  for (const std::string& id : bytes) {
    if (id.size() != 16) return std::nullopt;
    ids.push_back(model::BlobId::from_bytes(as_bytes(id).data()));
  }
  return ids;
}

grpc::Status invalid(const char* message) { return {grpc::StatusCode::INVALID_ARGUMENT, message}; }

grpc::Status to_status(const Error& error) {
  const bool cancelled = error.code == ErrorCode::kCancelled;
  return {cancelled ? grpc::StatusCode::CANCELLED : grpc::StatusCode::UNAVAILABLE, error.message};
}

bool is_member(const ring::Topology& topology, const model::DiskId& disk) {
  return std::ranges::any_of(topology.rings,
                             [&](const auto& ring) { return ring->find(disk).has_value(); });
}

// A node asks in the name of its own disks. Nothing is known against it where no ring has the disk,
// or nobody has told the name of the disk's node.
bool asks_for_itself(const ring::Topology& topology, const model::DiskId& disk,
                     const rpc::Caller& caller) {
  for (const auto& ring : topology.rings) {
    const auto index = ring->find(disk);
    if (!index) continue;
    const ring::Topology::Node* const node = topology.find_node(ring->disks()[*index].node);
    if (node != nullptr && !node->name.empty() && !caller.may_be(node->name)) return false;
  }
  return true;
}

void fill(const engine::JournalEntry& entry, wire::JournalEntry& out) {
  out.set_operation(entry.operation == engine::JournalEntry::Operation::kPut
                        ? wire::JournalEntry::PUT
                        : wire::JournalEntry::DELETE);
  out.set_blob_id(std::string(as_text(entry.blob.id.bytes())));
  out.set_length(entry.blob.length);
  out.set_flushed_at_us(static_cast<uint64_t>(entry.flushed_at.time_since_epoch().count()));
  out.set_digest(transfer::encode(entry.blob.digest));
  out.set_token(entry.token);
  out.set_order(entry.blob.order);
  out.set_created_at_us(static_cast<uint64_t>(entry.blob.created_at.time_since_epoch().count()));
  if (entry.blob.trashed) {
    out.set_purge_at_us(static_cast<uint64_t>(entry.blob.purge_at.time_since_epoch().count()));
  }
  if (!entry.blob.handoff_for.is_zero()) {
    out.set_owner_disk(std::string(as_text(entry.blob.handoff_for.view())));
  }
}

std::string encode_token(uint64_t token) {
  std::string out(8, '\0');
  store_be(reinterpret_cast<std::byte*>(out.data()), token);
  return out;
}

// The synchronous methods are rare; what waits for a disk does so on the disk's threads, and the
// thread of a call waits no longer than its caller. The bytes go through Exchange.
using Base = wire::Storage::WithRawCallbackMethod_Exchange<wire::Storage::Service>;

class Service final : public StorageService, public Base {
 public:
  explicit Service(StorageServices services) : services_(std::move(services)) {
    if (!services_.memory) services_.memory = StreamBudget::make(kBufferBytes);
  }

  ~Service() override {
    if (server_) server_->Shutdown(rpc::grpc_deadline(deadline_in(1s)));
  }

  Result<void> listen(const std::string& address,
                      std::shared_ptr<grpc::ServerCredentials> credentials) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, std::move(credentials), &port_);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, transfer::kHttp2FrameBytes);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds_of(services_.peer_quiet));
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                               milliseconds_of(services_.peer_patience));
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    builder.SetMaxReceiveMessageSize(transfer::kMessageBytesAccepted);
    builder.SetMaxSendMessageSize(-1);
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
    // Beyond it calls are refused: each has a page of its answer in memory.
    grpc::ResourceQuota quota("storage service");
    quota.SetMaxThreads(kCallThreadsMax);
    builder.SetResourceQuota(quota);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    if (!server_ || port_ == 0) {
      return fail(ErrorCode::kAlreadyExists, "cannot listen on " + address);
    }
    return {};
  }

  int port() const override { return port_; }

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Exchange(
      grpc::CallbackServerContext* context) override {
    rpc::Admission admission = rpc::admit(*context, kExchange);
    if (!admission.status.ok()) return new RefusingReactor(std::move(admission.status));
    auto memory =
        services_.memory->open(rpc::peer_machine(*context), [context] { context->TryCancel(); });
    if (!memory) {
      return new RefusingReactor({grpc::StatusCode::RESOURCE_EXHAUSTED, memory.error().message});
    }
    ExchangeServices services{services_.disks, services_.gate, services_.readers};
    if (admission.caller.only_node()) services.owners = &services_.topology;
    return make_exchange_stream(services, *std::move(memory), services_.outgoing_bytes);
  }

  grpc::Status PullJournal(grpc::ServerContext* context, const wire::PullJournalRequest* request,
                           grpc::ServerWriter<wire::JournalBatch>* writer) override {
    const rpc::Admission admission = rpc::admit(*context, kPullJournal);
    if (!admission.status.ok()) return admission.status;
    const CallShares::Share share(calls_, rpc::peer_machine(*context));
    if (auto room = share.status(); !room.ok()) return room;
    const auto asking = disk_id(request->asking_disk());
    const auto serving = disk_id(request->serving_disk());
    if (!asking || !serving || (!request->token().empty() && request->token().size() != 8)) {
      return invalid("malformed ids or token");
    }
    engine::Engine* const engine = services_.disks.find(*serving);
    if (engine == nullptr) return {grpc::StatusCode::NOT_FOUND, "the disk is not in this node"};
    uint64_t token =
        request->token().empty() ? 0 : load_be<uint64_t>(as_bytes(request->token()).data());
    const uint32_t limit = std::clamp<uint32_t>(request->entries_max(), 1, kJournalEntriesMax);
    const auto topology = services_.topology.topology();
    if (!asks_for_itself(*topology, *asking, admission.caller)) {
      return {grpc::StatusCode::PERMISSION_DENIED, "the asking disk is another node's"};
    }
    // Entries are picked by the ring: what one that is too old leaves out would never be asked for
    // again.
    const uint64_t epoch = topology->current() == nullptr ? 0 : topology->current()->epoch();
    if (epoch < request->ring_epoch()) {
      return {grpc::StatusCode::UNAVAILABLE, "this node does not know the ring yet"};
    }
    const auto page = on_disk<engine::JournalPage>(
        *engine, *context, [engine, token, limit] { return engine->journal_after(token, limit); });
    // Who asks holds what came before, but nothing that has not come yet.
    if (is_member(*topology, *asking)) {
      services_.on_journal_pull(*asking, *serving, page ? std::min(token, page->next) : token);
    }
    if (!page) return to_status(page.error());
    wire::JournalBatch batch;
    for (const engine::JournalEntry& entry : page->entries) {
      if (topology->is_owner(*asking, entry.blob.id)) fill(entry, *batch.add_entries());
    }
    batch.set_next_token(encode_token(page->next));
    batch.set_truncated(page->truncated);
    batch.set_caught_up(page->caught_up);
    writer->Write(batch);
    return grpc::Status::OK;
  }

  grpc::Status DeleteBlobs(grpc::ServerContext* context, const wire::DeleteBlobsRequest* request,
                           wire::DeleteBlobsReply* reply) override {
    if (auto admission = rpc::admit(*context, kDeleteBlobs); !admission.status.ok()) {
      return admission.status;
    }
    const CallShares::Share share(calls_, rpc::peer_machine(*context));
    if (auto room = share.status(); !room.ok()) return room;
    const auto disk = disk_id(request->disk());
    auto ids = blob_ids(request->blob_ids());
    if (!disk || !ids) return invalid("malformed ids or too many blobs");
    if (request->trash_seconds() > kTrashSecondsMax) return invalid("trash_seconds is too long");
    const OrderOrigin origin{request->coordinator_token(),
                             transfer::from_wire(request->generation()),
                             transfer::from_wire(request->verified()), request->order()};
    const OrderRefusal refusal = services_.gate.accept_order(origin);
    *reply->mutable_seen() = transfer::to_wire(services_.gate.database_seen());
    reply->set_refusal(static_cast<wire::Refusal>(refusal));
    reply->set_highest_order(highest_order());
    if (refusal != OrderRefusal::kNone || ids->empty()) return grpc::Status::OK;
    engine::Engine* const engine = services_.disks.find(*disk);
    if (engine == nullptr) return {grpc::StatusCode::NOT_FOUND, "the disk is not in this node"};
    const size_t asked = ids->size();
    const auto removed = remove(*engine, *std::move(ids), *request, *context);
    reply->set_highest_order(highest_order());
    if (!removed) return to_status(removed.error());
    reply->set_deleted(*removed);
    reply->set_absent(asked - *removed);
    return grpc::Status::OK;
  }

  grpc::Status ListBlobs(grpc::ServerContext* context, const wire::ListBlobsRequest* request,
                         grpc::ServerWriter<wire::BlobList>* writer) override {
    if (auto admission = rpc::admit(*context, kListBlobs); !admission.status.ok()) {
      return admission.status;
    }
    const CallShares::Share share(calls_, rpc::peer_machine(*context));
    if (auto room = share.status(); !room.ok()) return room;
    const auto disk = disk_id(request->disk());
    if (!disk || (!request->after_blob_id().empty() && request->after_blob_id().size() != 16)) {
      return invalid("malformed ids");
    }
    engine::Engine* const engine = services_.disks.find(*disk);
    if (engine == nullptr) return {grpc::StatusCode::NOT_FOUND, "the disk is not in this node"};
    model::BlobId after;
    if (!request->after_blob_id().empty()) {
      after = model::BlobId::from_bytes(as_bytes(request->after_blob_id()).data());
    }
    while (!context->IsCancelled()) {
      const auto page = on_disk<std::vector<engine::BlobEntry>>(
          *engine, *context, [engine, from = request->from_hash(), to = request->to_hash(), after] {
            return engine->list(from, to, after, kListEntries);
          });
      if (!page) return to_status(page.error());
      wire::BlobList list;
      for (const engine::BlobEntry& entry : *page) {
        if (entry.trashed != request->trashed()) continue;
        wire::BlobInfo* info = list.add_blobs();
        info->set_blob_id(std::string(as_text(entry.id.bytes())));
        info->set_length(entry.length);
        info->set_created_at_us(static_cast<uint64_t>(entry.created_at.time_since_epoch().count()));
        info->set_received_at_us(
            static_cast<uint64_t>(entry.received_at.time_since_epoch().count()));
        info->set_digest(transfer::encode(entry.digest));
        info->set_handoff(!entry.handoff_for.is_zero());
        info->set_order(entry.order);
      }
      if (!page->empty() && !writer->Write(list)) break;
      if (page->size() < kListEntries) break;
      after = page->back().id;
    }
    return grpc::Status::OK;
  }

  grpc::Status RestoreBlobs(grpc::ServerContext* context, const wire::RestoreBlobsRequest* request,
                            wire::RestoreBlobsReply* reply) override {
    if (auto admission = rpc::admit(*context, kRestoreBlobs); !admission.status.ok()) {
      return admission.status;
    }
    const CallShares::Share share(calls_, rpc::peer_machine(*context));
    if (auto room = share.status(); !room.ok()) return room;
    const auto disk = disk_id(request->disk());
    auto ids = blob_ids(request->blob_ids());
    if (!disk || !ids) return invalid("malformed ids or too many blobs");
    if (!services_.gate.heard_of(request->order())) {
      reply->set_refusal(wire::REFUSAL_UNHEARD);
      reply->set_highest_order(highest_order());
      return grpc::Status::OK;
    }
    engine::Engine* const engine = services_.disks.find(*disk);
    if (engine == nullptr) return {grpc::StatusCode::NOT_FOUND, "the disk is not in this node"};
    // Without blobs too: what a disk that is not open has seen nobody knows, and a restore below
    // that would change nothing.
    const auto work = [engine, ids = *std::move(ids), order = request->order()] {
      return engine->restore(ids, order);
    };
    const auto restored = on_disk<uint64_t>(*engine, *context, work);
    if (!restored) return to_status(restored.error());
    reply->set_restored(*restored);
    reply->set_highest_order(highest_order());
    return grpc::Status::OK;
  }

  grpc::Status Status(grpc::ServerContext* context, const wire::StatusRequest*,
                      wire::StatusReply* reply) override {
    if (auto admission = rpc::admit(*context, kStatus); !admission.status.ok()) {
      return admission.status;
    }
    const CallShares::Share share(calls_, rpc::peer_machine(*context));
    if (auto room = share.status(); !room.ok()) return room;
    reply->set_node_id(std::string(as_text(services_.node.view())));
    for (const auto& engine : services_.disks.identified()) {
      fill_disk_status(*engine, services_.lag_of(engine->disk_id()), *reply->add_disks());
    }
    const auto topology = services_.topology.topology();
    if (topology->current() != nullptr) reply->set_ring_epoch(topology->current()->epoch());
    reply->set_highest_order(highest_order());
    return grpc::Status::OK;
  }

 private:
  // `function` on a thread of the disk: one that hangs keeps its own threads, and this call no
  // longer than its caller waits.
  template <class T, class F>
  Result<T> on_disk(const engine::Engine& engine, const grpc::ServerContext& context,
                    F function) const {
    struct Wait {
      Mutex mutex;
      CondVar ready;
      std::optional<Result<T>> result GUARDED_BY(mutex);
      bool given_up GUARDED_BY(mutex) = false;
    };

    auto wait = std::make_shared<Wait>();
    // A disk that answers again does not work off what nobody waits for.
    DiskQueue& pool = services_.readers.of(engine);
    const bool accepted = pool.try_submit([wait, function = std::move(function)] {
      {
        MutexLock lock(wait->mutex);
        if (wait->given_up) return;
      }
      Result<T> result = function();
      MutexLock lock(wait->mutex);
      wait->result = std::move(result);
      wait->ready.notify_all();
    });
    if (!accepted) return fail(ErrorCode::kResourceExhausted, "too many calls wait for the disk");
    MutexLock lock(wait->mutex);
    while (!wait->result) {
      if (wait->ready.wait_until(wait->mutex, deadline_in(100ms)) || !context.IsCancelled()) {
        continue;
      }
      wait->given_up = true;
      return fail(ErrorCode::kCancelled, "nobody waits any more");
    }
    return *std::move(wait->result);
  }

  uint64_t highest_order() const {
    uint64_t highest = 0;
    for (const auto& engine : services_.disks) highest = std::max(highest, engine->highest_order());
    return highest;
  }

  // Of blobs that the disk should hold the removal is remembered, here or not. How many were here.
  // kCancelled: nobody waits any more.
  Result<uint64_t> remove(engine::Engine& engine, std::vector<model::BlobId> ids,
                          const wire::DeleteBlobsRequest& request,
                          const grpc::ServerContext& context) const {
    const auto topology = services_.topology.topology();
    const auto others = std::ranges::partition(
        ids, [&](const model::BlobId& id) { return topology->is_owner(engine.disk_id(), id); });
    const std::vector<model::BlobId> strays(others.begin(), others.end());
    ids.erase(others.begin(), others.end());

    struct Wait {
      Mutex mutex;
      CondVar ready;
      Result<uint64_t> result GUARDED_BY(mutex) = 0;
      int left GUARDED_BY(mutex) = 2;
    };

    auto wait = std::make_shared<Wait>();
    const auto done = [wait](Result<uint64_t> result) {
      MutexLock lock(wait->mutex);
      if (wait->result && result) result = *result + *wait->result;
      if (wait->result) wait->result = std::move(result);
      if (--wait->left == 0) wait->ready.notify_all();
    };
    engine::RemoveOptions options{request.order(), std::chrono::seconds(request.trash_seconds()),
                                  true};
    engine.remove_async(std::move(ids), options, done);
    options.mark_absent = false;
    engine.remove_async(strays, options, done);
    MutexLock lock(wait->mutex);
    while (wait->left > 0) {
      if (wait->ready.wait_until(wait->mutex, deadline_in(100ms)) || !context.IsCancelled()) {
        continue;
      }
      return fail(ErrorCode::kCancelled, "nobody waits any more");
    }
    return wait->result;
  }

  StorageServices services_;
  mutable CallShares calls_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

Result<std::unique_ptr<StorageService>> StorageService::start(
    StorageServices services, std::string address,
    std::shared_ptr<grpc::ServerCredentials> credentials) {
  auto service = std::make_unique<Service>(std::move(services));
  TRY_VOID(service->listen(address, std::move(credentials)));
  return std::unique_ptr<StorageService>(std::move(service));
}

}  // namespace rondel::node
