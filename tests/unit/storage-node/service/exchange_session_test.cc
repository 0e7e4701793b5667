// Frames of one stream on a disk that hangs.
#include "storage-node/service/exchange_session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>

#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::node {
namespace {

using namespace std::chrono_literals;
using rpc::Frame;
using rpc::FrameType;

// A simulated file system that does not say how much space it has while it hangs: no segment can be made.
class HangingFileSystem final : public fs::FileSystem {
 public:
  Result<std::unique_ptr<fs::File>> open(const std::string& path, fs::OpenOptions options) override { return inner_.open(path, options); }
  Result<std::vector<std::string>> list(const std::string& directory) override { return inner_.list(directory); }
  Result<void> make_directory(const std::string& path) override { return inner_.make_directory(path); }
  Result<void> remove(const std::string& path) override { return inner_.remove(path); }
  Result<void> rename(const std::string& from, const std::string& to) override { return inner_.rename(from, to); }
  Result<void> flush_directory(const std::string& directory) override { return inner_.flush_directory(directory); }
  Result<std::unique_ptr<fs::FileLock>> lock(const std::string& path) override { return inner_.lock(path); }
  Result<fs::Space> space(const std::string& path) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !hangs_; });
    return inner_.space(path);
  }

  void hang(bool hangs) {
    std::lock_guard lock(mutex_);
    hangs_ = hangs;
    changed_.notify_all();
  }

 private:
  fs::SimulatedFileSystem inner_{1};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool hangs_ = false;
};

class OpenGate final : public WriteGate {
 public:
  Result<void> check(uint64_t) const override { return {}; }
  bool accept_coordinator(uint64_t) override { return true; }
  bool accept_metadata(const model::MetadataGeneration&) override { return true; }
};

class ExchangeSessionTest : public testing::Test {
 protected:
  ExchangeSessionTest() {
    (void)fs_.make_directory("/disk");
    std::vector<std::unique_ptr<engine::Engine>> engines;
    engines.push_back(engine::Engine::open(fs_, engine::small_options(folder_.path() + "/index")).value());
    disk_ = engines.front()->disk_id();
    disks_ = std::make_unique<DiskSet>(std::move(engines));
    session_ = std::make_shared<ExchangeSession>(ExchangeServices{*disks_, gate_, readers_}, [this](Frame frame) { take(std::move(frame)); });
  }
  ~ExchangeSessionTest() override {
    fs_.hang(false);
    session_->close();
  }

  void take(Frame frame) {
    std::lock_guard lock(mutex_);
    answers_.push_back(std::move(frame));
    answered_.notify_all();
  }

  // The answer that ends a request, within 20 s.
  std::optional<Frame> last_answer(uint64_t request) {
    const auto ends = [&](const Frame& frame) { return frame.request == request && frame.type != FrameType::kCredit; };
    std::unique_lock lock(mutex_);
    if (!answered_.wait_for(lock, 20s, [&] { return std::ranges::any_of(answers_, ends); })) return std::nullopt;
    return *std::ranges::find_if(answers_, ends);
  }

  Frame open(uint64_t request, const model::BlobId& blob, uint64_t length) {
    return {.type = FrameType::kPutOpen, .request = request, .meta = rpc::encode(rpc::PutMeta{.disk = disk_, .blob = blob, .length = length, .ring_epoch = 1})};
  }

  static Frame piece(uint64_t request, const model::BlobId& blob, const ByteSlice& bytes) {
    return {.type = FrameType::kPiece, .request = request, .meta = rpc::encode(hash::block_digests(blob, 0, bytes.view())), .body = bytes};
  }

  static Frame close(uint64_t request, const model::BlobId& blob, const ByteSlice& bytes) {
    return {.type = FrameType::kPutClose, .request = request, .argument = bytes.size(),
            .meta = rpc::encode(hash::blob_digest(hash::block_digests(blob, 0, bytes.view())))};
  }

  engine::TemporaryFolder folder_;
  HangingFileSystem fs_;
  OpenGate gate_;
  async::BlockingPool readers_{"readers", 1, 100};
  model::DiskId disk_;
  std::unique_ptr<DiskSet> disks_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::vector<Frame> answers_;
  std::shared_ptr<ExchangeSession> session_;
};

// One thread may serve every stream of a node.
TEST_F(ExchangeSessionTest, AnUploadOnADiskThatHangsDoesNotHoldTheStream) {
  const auto blob = engine::make_id(1);
  const ByteSlice bytes = engine::make_bytes(blob, model::kPieceBytes);
  fs_.hang(true);
  auto handled = std::async(std::launch::async, [&] {
    session_->handle(open(1, blob, bytes.size()));
    session_->handle(piece(1, blob, bytes));
    session_->handle(close(1, blob, bytes));
  });
  const bool held = handled.wait_for(20s) != std::future_status::ready;
  fs_.hang(false);
  handled.wait();
  EXPECT_FALSE(held);
  const auto answer = last_answer(1);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->type, FrameType::kDone);
  EXPECT_FALSE(rpc::error_of(*answer)) << rpc::error_of(*answer)->message;
  EXPECT_TRUE(engine::verify(**disks_->begin(), blob, bytes.size()));
}

TEST_F(ExchangeSessionTest, AnUploadCancelledBeforeItBeganLeavesNothing) {
  const auto blob = engine::make_id(1);
  fs_.hang(true);
  session_->handle(open(1, blob, 8 << 20));
  session_->handle({.type = FrameType::kCancel, .request = 1});
  fs_.hang(false);
  session_->handle({.type = FrameType::kStat, .request = 2, .meta = std::string(as_text(disk_.view())) + std::string(as_text(blob.bytes()))});
  const auto answer = last_answer(2);
  ASSERT_TRUE(answer);
  EXPECT_EQ(rpc::error_of(*answer)->code, ErrorCode::kNotFound);
  EXPECT_EQ((*disks_->begin())->status().live_bytes, 0u);
}

TEST_F(ExchangeSessionTest, AnUploadThatCannotBeginIsRefusedOnce) {
  session_->handle(open(1, engine::make_id(1), 0));
  const auto answer = last_answer(1);
  ASSERT_TRUE(answer);
  EXPECT_EQ(rpc::error_of(*answer)->code, ErrorCode::kInvalidArgument);
  session_->handle(close(1, engine::make_id(1), {}));
  session_->handle({.type = FrameType::kStat, .request = 2, .meta = "short"});
  ASSERT_TRUE(last_answer(2));
  std::lock_guard lock(mutex_);
  EXPECT_EQ(answers_.size(), 2u);
}

}  // namespace
}  // namespace rondel::node
