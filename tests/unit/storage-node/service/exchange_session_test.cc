// Frames of one stream: on a disk that hangs, to a peer that takes no answers.
#include "storage-node/service/exchange_session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <map>
#include <thread>

#include "tests/fakes/forwarding_file_system.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"
#include "tests/unit/storage-node/service/open_gate.h"

namespace rondel::node {
namespace {

using namespace std::chrono_literals;
using transfer::Frame;
using transfer::FrameType;

// What waits while the test says so.
class Barrier {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !shut_; });
  }

  void shut(bool shut) {
    std::lock_guard lock(mutex_);
    shut_ = shut;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool shut_ = false;
};

class HangingFile final : public fakes::ForwardingFile {
 public:
  HangingFile(std::unique_ptr<fs::File> inner, Barrier& reads, Barrier& writes)
      : ForwardingFile(std::move(inner)), reads_(reads), writes_(writes) {}

  Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
    reads_.pass();
    return ForwardingFile::read_at(offset, buffer);
  }

  Result<void> write_at(uint64_t offset, ByteView bytes) override {
    writes_.pass();
    return ForwardingFile::write_at(offset, bytes);
  }

 private:
  Barrier& reads_;
  Barrier& writes_;
};

// The disk in /disk can be asked not to say how much space it has (no segment can be made then),
// not to read and not to write.
class HangingFileSystem final : public fakes::ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;

  Result<std::unique_ptr<fs::File>> open(const std::string& path,
                                         fs::OpenOptions options) override {
    TRY(auto file, ForwardingFileSystem::open(path, options));
    if (!path.starts_with("/disk/")) return file;
    return std::make_unique<HangingFile>(std::move(file), reads, writes);
  }

  Result<fs::Space> space(const std::string& path) override {
    spaces.pass();
    return ForwardingFileSystem::space(path);
  }

  Barrier spaces;
  Barrier reads;
  Barrier writes;
};

// Keeps what it gets; full while as much waits as the test says.
class Answers final : public FrameSink {
 public:
  void send(Frame frame) override {
    std::lock_guard lock(mutex_);
    waiting_bytes_ += frame.body.size();
    frames_.push_back(std::move(frame));
    changed_.notify_all();
  }

  bool full() const override { return waiting_bytes_ >= bytes_max; }

  // The answer that ends a request, within 20 s.
  std::optional<Frame> last(uint64_t request) {
    const auto ends = [&](const Frame& frame) {
      return frame.request == request && frame.type != FrameType::kCredit;
    };
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, 60s, [&] { return std::ranges::any_of(frames_, ends); })) {
      return std::nullopt;
    }
    return *std::ranges::find_if(frames_, ends);
  }

  bool has(uint64_t request) {
    std::lock_guard lock(mutex_);
    return std::ranges::any_of(frames_,
                               [&](const Frame& frame) { return frame.request == request; });
  }

  std::vector<Frame> take() {
    std::lock_guard lock(mutex_);
    waiting_bytes_ = 0;
    return std::exchange(frames_, {});
  }

  size_t count() {
    std::lock_guard lock(mutex_);
    return frames_.size();
  }

  size_t waiting_bytes() const { return waiting_bytes_; }

  std::atomic<size_t> bytes_max{SIZE_MAX};

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Frame> frames_;
  std::atomic<size_t> waiting_bytes_{0};
};

class ExchangeSessionTest : public testing::Test {
 protected:
  explicit ExchangeSessionTest(uint64_t background_bytes_per_second = 0) {
    std::vector<std::unique_ptr<engine::Engine>> engines;
    for (const std::string path : {"/disk", "/other"}) {
      (void)fs_.make_directory(path);
      auto options = engine::small_options(folder_.path() + path);
      options.path = path;
      options.queue_bytes_max = kQueueBytes;
      options.background_bytes_per_second = background_bytes_per_second;
      engines.push_back(engine::Engine::open(fs_, options).value());
    }
    disk_ = engines.front()->disk_id();
    disks_ = std::make_unique<DiskSet>(std::move(engines));
    readers_ = std::make_unique<DiskReaders>(*disks_, 1, 1000);
    session_ =
        std::make_shared<ExchangeSession>(ExchangeServices{*disks_, gate_, *readers_}, answers_);
  }

  ~ExchangeSessionTest() override {
    fs_.spaces.shut(false);
    fs_.reads.shut(false);
    fs_.writes.shut(false);
    session_->close();
  }

  Frame get(uint64_t request, const model::BlobId& blob, uint64_t length,
            std::optional<model::DiskId> disk = {}) {
    return {.type = FrameType::kGet,
            .request = request,
            .meta = transfer::encode(transfer::GetMeta{disk.value_or(disk_), blob, 0, length})};
  }

  engine::Engine& engine(ptrdiff_t i = 0) { return *disks_->begin()[i]; }

  // What the disk's pool had to do for the session is done: it has one thread.
  void let_readers_finish() { let_readers_finish(session_.get()); }

  void let_readers_finish(const ExchangeSession* session) {
    std::promise<void> done;
    // As long as the queue is full there is no place in it.
    while (!readers_->of(engine()).try_submit([&done] { done.set_value(); }, session)) {
      std::this_thread::yield();
    }
    done.get_future().wait();
  }

  static constexpr uint64_t kQueueBytes = 4 << 20;

  Frame open(uint64_t request, const model::BlobId& blob, uint64_t length) {
    return {.type = FrameType::kPutOpen,
            .request = request,
            .meta = transfer::encode(
                transfer::PutMeta{.disk = disk_, .blob = blob, .length = length, .ring_epoch = 1})};
  }

  static Frame piece(uint64_t request, const model::BlobId& blob, const ByteSlice& bytes) {
    return {.type = FrameType::kPiece,
            .request = request,
            .meta = transfer::encode(hash::block_digests(blob, 0, bytes.view())),
            .body = bytes};
  }

  static Frame close(uint64_t request, const model::BlobId& blob, const ByteSlice& bytes) {
    return {
        .type = FrameType::kPutClose,
        .request = request,
        .argument = bytes.size(),
        .meta = transfer::encode(hash::blob_digest(hash::block_digests(blob, 0, bytes.view())))};
  }

  engine::TemporaryFolder folder_;
  fs::SimulatedFileSystem disk_files_{1};
  HangingFileSystem fs_{disk_files_};
  node::OpenGate gate_;
  model::DiskId disk_;
  std::unique_ptr<DiskSet> disks_;
  std::unique_ptr<DiskReaders> readers_;
  const std::shared_ptr<Answers> answers_ = std::make_shared<Answers>();
  std::shared_ptr<ExchangeSession> session_;
};

// One thread may serve every stream of a node.
TEST_F(ExchangeSessionTest, AnUploadOnADiskThatHangsDoesNotHoldTheStream) {
  const auto blob = engine::make_id(1);
  const ByteSlice bytes = engine::make_bytes(blob, model::kPieceBytes);
  fs_.spaces.shut(true);
  auto handled = std::async(std::launch::async, [&] {
    session_->handle(open(1, blob, bytes.size()));
    session_->handle(piece(1, blob, bytes));
    session_->handle(close(1, blob, bytes));
  });
  const bool held = handled.wait_for(60s) != std::future_status::ready;
  fs_.spaces.shut(false);
  handled.wait();
  EXPECT_FALSE(held);
  const auto answer = answers_->last(1);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->type, FrameType::kDone);
  EXPECT_FALSE(transfer::error_of(*answer)) << transfer::error_of(*answer)->message;
  EXPECT_TRUE(engine::verify(engine(), blob, bytes.size()));
}

TEST_F(ExchangeSessionTest, AnUploadCancelledBeforeItBeganLeavesNothing) {
  const auto blob = engine::make_id(1);
  fs_.spaces.shut(true);
  session_->handle(open(1, blob, 8 << 20));
  session_->handle({.type = FrameType::kCancel, .request = 1});
  fs_.spaces.shut(false);
  session_->handle(
      {.type = FrameType::kStat,
       .request = 2,
       .meta = std::string(as_text(disk_.view())) + std::string(as_text(blob.bytes()))});
  const auto answer = answers_->last(2);
  ASSERT_TRUE(answer);
  EXPECT_EQ(transfer::error_of(*answer)->code, ErrorCode::kNotFound);
  EXPECT_EQ((*disks_->begin())->status().live_bytes, 0u);
}

TEST_F(ExchangeSessionTest, AnUploadThatCannotBeginIsRefusedOnce) {
  session_->handle(open(1, engine::make_id(1), 0));
  const auto answer = answers_->last(1);
  ASSERT_TRUE(answer);
  EXPECT_EQ(transfer::error_of(*answer)->code, ErrorCode::kInvalidArgument);
  session_->handle(close(1, engine::make_id(1), {}));
  session_->handle({.type = FrameType::kStat, .request = 2, .meta = "short"});
  ASSERT_TRUE(answers_->last(2));
  EXPECT_EQ(answers_->count(), 2u);
}

TEST_F(ExchangeSessionTest, ADiskThatHangsDoesNotHoldTheOthers) {
  constexpr uint64_t kBytes = 2 * model::kPieceBytes;
  const auto blob = engine::make_id(1);
  for (ptrdiff_t i = 0; i < 2; ++i) ASSERT_TRUE(engine::put(engine(i), blob, kBytes));
  fs_.reads.shut(true);
  for (uint64_t request = 1; request <= 10; ++request) session_->handle(get(request, blob, kBytes));
  session_->handle(get(11, blob, kBytes, engine(1).disk_id()));
  EXPECT_TRUE(answers_->last(11));
  EXPECT_FALSE(answers_->has(1));
  fs_.reads.shut(false);
  for (uint64_t request = 1; request <= 10; ++request) {
    EXPECT_TRUE(answers_->last(request)) << request;
  }
}

// Bytes as the stream gives them: counted for as long as somebody has them.
ByteSlice counted(const std::shared_ptr<StreamBudget::Account>& memory, const ByteSlice& bytes) {
  struct Owner {
    ByteSlice bytes;
    Held held;
  };

  auto owner = std::make_shared<Owner>(bytes, Held(memory, bytes.size()));
  const ByteView view = owner->bytes.view();
  return {std::move(owner), view};
}

// Uploads to a disk that begins none, on two streams of two peers.
TEST_F(ExchangeSessionTest, WhatWaitsForADiskHasABound) {
  constexpr uint64_t kPieces = 4;
  constexpr uint64_t kCapacity = 50 * model::kPieceBytes;
  const auto budget = StreamBudget::make(kCapacity);
  const auto greedy = budget->open("greedy", [] {}).value();
  const auto modest = budget->open("modest", [] {}).value();
  const auto answers = std::make_shared<Answers>();
  const auto others = std::make_shared<Answers>();
  const auto session = std::make_shared<ExchangeSession>(
      ExchangeServices{*disks_, gate_, *readers_}, answers, greedy);
  const auto other = std::make_shared<ExchangeSession>(ExchangeServices{*disks_, gate_, *readers_},
                                                       others, modest);
  const ByteSlice bytes = engine::make_bytes(engine::make_id(1), model::kPieceBytes);
  const auto feed = [&](ExchangeSession& to, const auto& memory, uint64_t request) {
    to.handle(open(request, engine::make_id(request), kPieces * model::kPieceBytes));
    for (uint64_t i = 0; i < kPieces; ++i) {
      to.handle({.type = FrameType::kPiece, .request = request, .body = counted(memory, bytes)});
    }
  };
  // The disk's one thread is taken: no upload begins.
  Barrier busy;
  busy.shut(true);
  ASSERT_TRUE(readers_->of(engine()).try_submit([&busy] { busy.pass(); }));
  for (uint64_t request = 1; request <= 100; ++request) feed(*session, greedy, request);
  EXPECT_LE(budget->in_use(), kCapacity / 5 * 4 + 2 * model::kPieceBytes);
  EXPECT_GT(budget->in_use(), kCapacity / 2);
  ASSERT_GE(answers->count(), 90u);
  EXPECT_EQ(transfer::error_of(*answers->last(100))->code, ErrorCode::kResourceExhausted);
  EXPECT_GE(budget->refused(), 90u);
  // The other peer has its share.
  feed(*other, modest, 1);
  EXPECT_EQ(others->count(), 0u);
  EXPECT_LE(budget->in_use(), kCapacity);
  // What is cancelled makes room.
  for (uint64_t request = 1; request <= 100; ++request) {
    session->handle({.type = FrameType::kCancel, .request = request});
  }
  (void)answers->take();
  feed(*session, greedy, 1000);
  EXPECT_EQ(answers->count(), 0u);
  session->close();
  other->close();
  busy.shut(false);
  let_readers_finish(session.get());
  let_readers_finish(other.get());
  EXPECT_EQ(engine().status().live_bytes, 0u);
  EXPECT_EQ(budget->in_use(), 0u);
}

class PacedSession : public ExchangeSessionTest {
 protected:
  PacedSession() : ExchangeSessionTest(1) {}  // A byte a second: what is paced does not end.
};

// Repair that may not move on keeps no client waiting, be it with gets or puts, small ones or
// large.
TEST_F(PacedSession, RepairGivesWay) {
  constexpr uint64_t kBytes = 2 * model::kPieceBytes;
  const auto blob = engine::make_id(1);
  ASSERT_TRUE(engine::put(engine(), blob, kBytes));
  const auto put = [&](uint64_t request, uint64_t number, uint8_t flags) {
    const auto id = engine::make_id(number);
    const ByteSlice bytes = engine::make_bytes(id, 1000);
    session_->handle(
        {.type = FrameType::kPut,
         .flags = flags,
         .request = request,
         .meta = transfer::encode(transfer::PutMeta{
                     .disk = disk_, .blob = id, .length = bytes.size(), .ring_epoch = 1}) +
                 transfer::encode(hash::block_digests(id, 0, bytes.view())),
         .body = bytes});
  };
  const auto upload = [&](uint64_t request, uint64_t number, uint8_t flags) {
    const auto id = engine::make_id(number);
    const ByteSlice bytes = engine::make_bytes(id, model::kPieceBytes);
    Frame opening = open(request, id, bytes.size());
    opening.flags = flags;
    session_->handle(std::move(opening));
    session_->handle(piece(request, id, bytes));
    session_->handle(close(request, id, bytes));
  };
  // The first may go at once; it uses up what may.
  Frame first = get(1, blob, kBytes);
  first.flags = transfer::kBackground;
  session_->handle(std::move(first));
  for (uint64_t request = 2; request < 40; ++request) {
    Frame more = get(request, blob, kBytes);
    more.flags = transfer::kBackground;
    session_->handle(std::move(more));
    put(100 + request, 100 + request, transfer::kBackground);
    upload(200 + request, 200 + request, transfer::kBackground);
  }
  session_->handle(get(1000, blob, kBytes));
  put(1001, 1001, 0);
  upload(1002, 1002, 0);
  for (const uint64_t request : {1000, 1001, 1002}) {
    const auto answer = answers_->last(request);
    ASSERT_TRUE(answer) << request;
    EXPECT_FALSE(transfer::error_of(*answer)) << request;
  }
  size_t ended = 0;
  for (uint64_t request = 2; request < 40; ++request) {
    ended += answers_->has(100 + request) || answers_->has(200 + request);
  }
  EXPECT_LE(ended, 1u);
}

// One stream asks for more than the disk gives; another one's request waits for one of it at most.
TEST_F(ExchangeSessionTest, StreamsTakeTurnsAtADisk) {
  const auto others = std::make_shared<Answers>();
  const auto other =
      std::make_shared<ExchangeSession>(ExchangeServices{*disks_, gate_, *readers_}, others);
  const auto stat = [&](ExchangeSession& to, uint64_t request) {
    to.handle({.type = FrameType::kStat,
               .request = request,
               .meta = std::string(as_text(disk_.view())) +
                       std::string(as_text(engine::make_id(1).bytes()))});
  };
  Barrier busy;
  busy.shut(true);
  ASSERT_TRUE(readers_->of(engine()).try_submit([&busy] { busy.pass(); }));
  for (uint64_t request = 1; request <= 5'000; ++request) stat(*session_, request);
  EXPECT_EQ(transfer::error_of(*answers_->last(5'000))->code, ErrorCode::kResourceExhausted);
  const size_t refused = answers_->count();
  EXPECT_GE(refused, 4'000u);
  stat(*other, 1);
  EXPECT_EQ(others->count(), 0u);
  // Runs when at most two of the first have had their turn.
  size_t answered_before = 0;
  ASSERT_TRUE(readers_->of(engine()).try_submit(
      [&] { answered_before = answers_->count() + others->count() - refused; }, others.get()));
  busy.shut(false);
  ASSERT_TRUE(others->last(1));
  let_readers_finish();
  EXPECT_LE(answered_before, 4u);
  other->close();
}

// Threads of a disk are for all streams.
TEST_F(ExchangeSessionTest, UploadsThatWaitForADiskTakeOneThread) {
  constexpr uint64_t kUploads = 2 * kQueueBytes / model::kPieceBytes;
  const auto bytes_of = [](uint64_t request) {
    return engine::make_bytes(engine::make_id(request), model::kPieceBytes);
  };
  session_->handle(open(1, engine::make_id(1), model::kPieceBytes));
  let_readers_finish();
  // The segment has begun: what follows needs its pieces written only.
  fs_.writes.shut(true);
  for (uint64_t request = 2; request <= kUploads; ++request) {
    session_->handle(open(request, engine::make_id(request), model::kPieceBytes));
  }
  let_readers_finish();
  for (uint64_t request = 1; request <= kUploads; ++request) {
    session_->handle(piece(request, engine::make_id(request), bytes_of(request)));
    session_->handle(close(request, engine::make_id(request), bytes_of(request)));
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_LE(readers_->of(engine()).queued(), 1u);
    let_readers_finish();
  }
  fs_.writes.shut(false);
  for (uint64_t request = 1; request <= kUploads; ++request) {
    const auto answer = answers_->last(request);
    ASSERT_TRUE(answer) << request;
    EXPECT_FALSE(transfer::error_of(*answer)) << transfer::error_of(*answer)->message;
    EXPECT_TRUE(engine::verify(engine(), engine::make_id(request), model::kPieceBytes));
  }
}

// Also those that could be answered from memory; what is no download goes on.
TEST_F(ExchangeSessionTest, AFullSinkHoldsDownloadsAlone) {
  const auto blob = engine::make_id(1);
  const ByteSlice bytes = engine::make_bytes(blob, 1000);
  answers_->bytes_max = 0;
  session_->handle(
      {.type = FrameType::kPut,
       .request = 1,
       .meta = transfer::encode(transfer::PutMeta{
                   .disk = disk_, .blob = blob, .length = bytes.size(), .ring_epoch = 1}) +
               transfer::encode(hash::block_digests(blob, 0, bytes.view())),
       .body = bytes});
  ASSERT_TRUE(answers_->last(1));
  EXPECT_FALSE(transfer::error_of(*answers_->last(1)));
  session_->handle(get(2, blob, bytes.size()));
  session_->handle(
      {.type = FrameType::kStat,
       .request = 3,
       .meta = std::string(as_text(disk_.view())) + std::string(as_text(blob.bytes()))});
  ASSERT_TRUE(answers_->last(3));
  EXPECT_FALSE(answers_->has(2));
  answers_->bytes_max = SIZE_MAX;
  session_->drained();
  ASSERT_TRUE(answers_->last(2));
  EXPECT_EQ(as_text(answers_->last(2)->body.view()), as_text(bytes.view()));
}

// Each download has credit for all of its bytes.
TEST_F(ExchangeSessionTest, DownloadsWaitForAPeerThatTakesNothing) {
  constexpr size_t kDownloads = 40;
  constexpr size_t kBytes = 4 * model::kPieceBytes;
  const auto blob = engine::make_id(1);
  ASSERT_TRUE(engine::put(engine(), blob, kBytes));
  answers_->bytes_max = 6 * model::kPieceBytes;
  for (uint64_t request = 1; request <= kDownloads; ++request) {
    session_->handle(get(request, blob, kBytes));
  }
  std::map<uint64_t, uint64_t> got;
  size_t ended = 0;
  while (ended < kDownloads) {
    let_readers_finish();
    EXPECT_LE(answers_->waiting_bytes(), answers_->bytes_max);
    const std::vector<Frame> frames = answers_->take();
    ASSERT_FALSE(frames.empty()) << ended << " have ended";
    for (const Frame& frame : frames) {
      ASSERT_FALSE(transfer::error_of(frame)) << transfer::error_of(frame)->message;
      EXPECT_EQ(frame.argument, got[frame.request]);
      got[frame.request] += frame.body.size();
      if ((frame.flags & transfer::kLast) != 0) ++ended;
    }
    session_->drained();
  }
  for (uint64_t request = 1; request <= kDownloads; ++request) {
    EXPECT_EQ(got[request], kBytes) << request;
  }
}

TEST_F(ExchangeSessionTest, DownloadsThatWaitForThePeerCanBeCancelled) {
  constexpr size_t kBytes = 2 * model::kPieceBytes;
  const auto blob = engine::make_id(1);
  ASSERT_TRUE(engine::put(engine(), blob, kBytes));
  answers_->bytes_max = 0;
  for (uint64_t request = 1; request <= 10; ++request) session_->handle(get(request, blob, kBytes));
  let_readers_finish();
  EXPECT_EQ(answers_->count(), 0u);
  for (uint64_t request = 1; request < 10; ++request) {
    session_->handle({.type = FrameType::kCancel, .request = request});
  }
  answers_->bytes_max = SIZE_MAX;
  session_->drained();
  let_readers_finish();
  const std::vector<Frame> frames = answers_->take();
  ASSERT_EQ(frames.size(), 2u);
  for (const Frame& frame : frames) EXPECT_EQ(frame.request, 10u);
}

}  // namespace
}  // namespace rondel::node
