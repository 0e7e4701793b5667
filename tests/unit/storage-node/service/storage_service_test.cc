// Calls about one disk while another, or that one, hangs.
#include "storage-node/service/storage_service.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "proto/storage/v1/storage.grpc.pb.h"
#include "tests/fakes/fixed_topology.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"
#include "tests/unit/storage-node/repair/hanging_engine.h"
#include "tests/unit/storage-node/service/open_gate.h"

namespace rondel::node {
namespace {

using namespace std::chrono_literals;
namespace wire = rondel::storage::v1;

// Two disks; the first hangs when the test says so.
class StorageServiceTest : public ::testing::Test {
 protected:
  StorageServiceTest() {
    std::vector<std::unique_ptr<engine::Engine>> engines;
    for (const std::string name : {"first", "second"}) {
      EXPECT_TRUE(files_.make_directory("/" + name));
      auto options = engine::small_options(folder_.path() + "/" + name);
      options.path = "/" + name;
      inner_.push_back(engine::Engine::open(files_, options).value());
      auto disk = std::make_unique<repair::HangingEngine>(*inner_.back());
      if (!hanging_) hanging_ = disk.get();
      engines.push_back(std::move(disk));
    }
    disks_ = std::make_unique<DiskSet>(std::move(engines));
    readers_ = std::make_unique<DiskReaders>(*disks_, 2, 1000);
    StorageServices services{*disks_,
                             gate_,
                             topology_,
                             *readers_,
                             model::NodeId::random(),
                             [](auto&&...) {},
                             [](auto&&...) { return model::ReplicationLag{}; },
                             outgoing_bytes_};
    service_ =
        StorageService::start(std::move(services), "127.0.0.1:0", grpc::InsecureServerCredentials())
            .value();
    stub_ = wire::Storage::NewStub(grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(service_->port()), grpc::InsecureChannelCredentials()));
  }

  ~StorageServiceTest() override {
    hanging_->hang(false);
    service_.reset();
  }

  std::string disk(size_t i) const { return std::string(as_text(inner_[i]->disk_id().view())); }

  grpc::Status restore(size_t i, size_t blobs, grpc::ClientContext& context,
                       wire::RestoreBlobsReply* reply) {
    wire::RestoreBlobsRequest request;
    request.set_disk(disk(i));
    request.set_order(9);
    for (size_t n = 0; n < blobs; ++n) {
      request.add_blob_ids(std::string(as_text(engine::make_id(n).bytes())));
    }
    return stub_->RestoreBlobs(&context, request, reply);
  }

  grpc::Status list(size_t i, grpc::ClientContext& context) {
    wire::ListBlobsRequest request;
    request.set_disk(disk(i));
    request.set_to_hash(UINT64_MAX);
    const auto reader = stub_->ListBlobs(&context, request);
    for (wire::BlobList page; reader->Read(&page);) {
    }
    return reader->Finish();
  }

  grpc::Status pull(size_t i, grpc::ClientContext& context) {
    wire::PullJournalRequest request;
    request.set_serving_disk(disk(i));
    request.set_asking_disk(disk(1 - i));
    const auto reader = stub_->PullJournal(&context, request);
    for (wire::JournalBatch batch; reader->Read(&batch);) {
    }
    return reader->Finish();
  }

  engine::TemporaryFolder folder_;
  fs::SimulatedFileSystem files_{1};
  std::vector<std::unique_ptr<engine::Engine>> inner_;
  repair::HangingEngine* hanging_ = nullptr;
  std::unique_ptr<DiskSet> disks_;
  std::unique_ptr<DiskReaders> readers_;
  node::OpenGate gate_;
  fakes::FixedTopology topology_;
  std::atomic<uint64_t> outgoing_bytes_{0};
  std::unique_ptr<StorageService> service_;
  std::unique_ptr<wire::Storage::Stub> stub_;
};

TEST_F(StorageServiceTest, ADiskThatHangsHoldsNoCallLongerThanItsCallerWaits) {
  using Call = std::function<grpc::Status(size_t, grpc::ClientContext&)>;
  wire::RestoreBlobsReply reply;

  const struct {
    const char* name;
    Call call;
  } cases[] = {
      {"list", [&](size_t i, auto& context) { return list(i, context); }},
      {"journal", [&](size_t i, auto& context) { return pull(i, context); }},
      {"restore", [&](size_t i, auto& context) { return restore(i, 3, context, &reply); }},
      {"restore nothing", [&](size_t i, auto& context) { return restore(i, 0, context, &reply); }},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    hanging_->hang(true);
    grpc::ClientContext waits;
    std::future<grpc::Status> held =
        std::async(std::launch::async, [&] { return c.call(0, waits); });
    while (hanging_->waiting() == 0) std::this_thread::yield();
    grpc::ClientContext other;
    EXPECT_TRUE(c.call(1, other).ok()) << "the other disk answers";
    waits.TryCancel();
    EXPECT_EQ(held.get().error_code(), grpc::StatusCode::CANCELLED);
    hanging_->hang(false);
    while (hanging_->waiting() > 0) std::this_thread::yield();
    grpc::ClientContext again;
    EXPECT_TRUE(c.call(0, again).ok()) << "and so does this one when it goes on";
  }
}

// Calls end with the service, and hold it up for no disk.
TEST_F(StorageServiceTest, EndsWhileADiskHangs) {
  hanging_->hang(true);
  wire::RestoreBlobsReply reply;
  grpc::ClientContext contexts[3];
  std::vector<std::future<grpc::Status>> calls;
  calls.push_back(std::async(std::launch::async, [&] { return list(0, contexts[0]); }));
  calls.push_back(std::async(std::launch::async, [&] { return pull(0, contexts[1]); }));
  while (hanging_->waiting() < 2) std::this_thread::yield();
  // Both threads of the disk are held: this one waits for them.
  calls.push_back(
      std::async(std::launch::async, [&] { return restore(0, 1, contexts[2], &reply); }));
  const auto& pool = readers_->of(*hanging_);
  while (pool.queued() == 0 && hanging_->waiting() < 3) std::this_thread::yield();
  auto ended = std::async(std::launch::async, [&] { service_.reset(); });
  EXPECT_EQ(ended.wait_for(60s), std::future_status::ready);
  for (auto& call : calls) EXPECT_FALSE(call.get().ok());
  hanging_->hang(false);
}

}  // namespace
}  // namespace rondel::node
