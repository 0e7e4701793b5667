// What only streams of gRPC can suffer: they end while others send, their peers do not read.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/async/event_loop.h"
#include "common/grpc/channel.hpp"
#include "common/grpc/peer.hpp"
#include "storage-node/service/exchange_stream.hpp"
#include "tests/contract/blob_transport/freezing_relay.h"
#include "tests/contract/blob_transport/grpc_node.hpp"
#include "transfer/grpc/frame_stream.hpp"
#include "transfer/grpc/grpc_blob_transport.h"

namespace rondel::transfer {
namespace {

using namespace std::chrono_literals;

// How long something may take that does happen: beside any work that the machine has.
constexpr auto kPatience = 120s;

// A port where nobody listens.
int refusing_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  (void)::bind(socket, reinterpret_cast<sockaddr*>(&address), length);
  (void)::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length);
  ::close(socket);
  return ntohs(address.sin_port);
}

async::Task<void> ask_often(BlobTransport& transport, DiskAddress at, int times,
                            std::atomic<int>& refused) {
  for (int i = 0; i < times; ++i) {
    const auto answer =
        co_await transport.stat(at, {model::StreamId::random(), 0}, deadline_in(kPatience));
    if (!answer && answer.error().code == ErrorCode::kUnavailable) ++refused;
  }
}

// An Exchange stream that is read when the test says so.
class RawStream final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit RawStream(const std::shared_ptr<grpc::Channel>& channel) : stub_(channel) {
    stub_.PrepareBidiStreamingCall(&context_, "/rondel.storage.v1.Storage/Exchange", {}, this);
    AddHold();
    StartCall();
  }

  ~RawStream() override {
    context_.TryCancel();
    RemoveHold();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
  }

  // False: the message has not been taken in time.
  bool write(std::deque<Frame> frames) {
    message_ = take_message(frames);
    written_ = false;
    StartWrite(&message_);
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [this] { return written_; });
  }

  void read() { StartRead(&incoming_); }

  // How many requests have ended and how many of them well, once `count` have ended or kPatience
  // has gone by without an answer.
  struct Ended {
    size_t all = 0;
    size_t well = 0;
    bool operator==(const Ended&) const = default;
  };

  Ended wait_for_answers(size_t count) {
    std::unique_lock lock(mutex_);
    size_t seen = 0;
    do {
      seen = ended_.all;
    } while (seen < count && changed_.wait_for(lock, kPatience, [&] { return ended_.all > seen; }));
    return ended_;
  }

  void OnWriteDone(bool) override {
    std::lock_guard lock(mutex_);
    written_ = true;
    changed_.notify_all();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    const auto frames = read_message(incoming_).value();
    {
      std::lock_guard lock(mutex_);
      for (const Frame& frame : frames) {
        if (frame.type == FrameType::kData && (frame.flags & kLast) == 0) continue;
        ++ended_.all;
        if (!error_of(frame)) ++ended_.well;
      }
      changed_.notify_all();
    }
    StartRead(&incoming_);
  }

  void OnDone(const grpc::Status&) override {
    std::lock_guard lock(mutex_);
    done_ = true;
    changed_.notify_all();
  }

 private:
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::ByteBuffer message_;
  grpc::ByteBuffer incoming_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool written_ = false;
  bool done_ = false;
  Ended ended_;
};

// A node with a blob of two pieces, and what asks for it.
class GrpcStreams : public testing::Test {
 protected:
  GrpcStreams() {
    EXPECT_TRUE(engine::put(node_.engine(), blob_, 2 * model::kPieceBytes));
    GrpcBlobTransportOptions options;
    options.address_of = [this](const model::NodeId&) { return node_.target(); };
    transport_ = make_grpc_blob_transport(std::move(options));
    channel_ = channel_to(node_.port());
  }

  // A stream that is not read takes 64 KiB and no more: with the probe gRPC measures how much comes
  // between a ping and its answer, and on a busy machine takes megabytes in advance.
  static std::shared_ptr<grpc::Channel> channel_to(int port) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    return rpc::open_channel("127.0.0.1:" + std::to_string(port), *rpc::PeerCredentials::plain(),
                             {rpc::PeerRole::kNode}, std::move(arguments));
  }

  std::deque<Frame> gets(size_t count, uint64_t length) {
    std::deque<Frame> frames;
    for (size_t i = 0; i < count; ++i) {
      frames.push_back({.type = FrameType::kGet,
                        .request = ++last_request_,
                        .meta = encode(GetMeta{node_.address().disk, blob_, 0, length})});
    }
    return frames;
  }

  std::deque<Frame> stats(size_t count) {
    std::deque<Frame> frames;
    for (size_t i = 0; i < count; ++i) {
      frames.push_back({.type = FrameType::kStat,
                        .request = ++last_request_,
                        .meta = std::string(as_text(node_.address().disk.view())) +
                                std::string(as_text(blob_.bytes()))});
    }
    return frames;
  }

  static bool becomes(const std::function<bool()>& wanted) {
    const Deadline deadline = deadline_in(kPatience);
    while (!wanted()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(1ms);
    }
    return true;
  }

  bool outgoing_bytes_become(const std::function<bool(uint64_t)>& wanted) {
    return becomes([&] { return wanted(node_.outgoing_bytes); });
  }

  const model::BlobId blob_ = engine::make_id(1);
  GrpcNode node_;
  std::unique_ptr<BlobTransport> transport_;
  std::shared_ptr<grpc::Channel> channel_;
  uint64_t last_request_ = 0;
};

// A piece for each of the two threads that read may be on its way when the bound is reached.
constexpr uint64_t kDownloadsWaiting =
    node::kOutgoingBytesMax + 2 * model::kPieceBytes + (64 << 10);

}  // namespace

// Streams end while other threads send on them, thousands of times.
TEST(GrpcStreamsToNowhere, MayEndWhileRequestsSend) {
  GrpcBlobTransportOptions options;
  const std::string nowhere = "127.0.0.1:" + std::to_string(refusing_port());
  options.address_of = [&](const model::NodeId&) { return nowhere; };
  options.reconnect_pause = Duration::zero();
  const auto transport = make_grpc_blob_transport(std::move(options));
  const DiskAddress to{model::NodeId::random(), model::DiskId::random()};
  std::atomic<int> refused{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] { async::block_on(ask_often(*transport, to, 10'000, refused)); });
    }
  }
  EXPECT_EQ(refused, 8 * 10'000);
}

TEST_F(GrpcStreams, DownloadsOfAPeerThatTakesNoAnswersWait) {
  RawStream deaf(channel_);
  ASSERT_TRUE(deaf.write(gets(200, model::kPieceBytes)));
  ASSERT_TRUE(deaf.write(gets(100, 2 * model::kPieceBytes)));
  ASSERT_TRUE(deaf.write(stats(100)));
  ASSERT_TRUE(
      outgoing_bytes_become([](uint64_t bytes) { return bytes > node::kOutgoingBytesMax / 2; }));
  for (int i = 0; i < 50; ++i) {
    const auto known =
        async::block_on(transport_->stat(node_.address(), blob_, deadline_in(kPatience)));
    ASSERT_TRUE(known) << known.error().message;
    auto download = transport_->start_get(node_.address(), blob_, 0, 2 * model::kPieceBytes,
                                          {.deadline = deadline_in(kPatience)});
    for (int piece = 0; piece < 2; ++piece) {
      ASSERT_TRUE(async::block_on(download->next(deadline_in(kPatience))));
    }
    EXPECT_LE(node_.outgoing_bytes, kDownloadsWaiting);
  }
  RawStream beside(channel_);
  beside.read();
  ASSERT_TRUE(beside.write(gets(1, model::kPieceBytes)));
  EXPECT_EQ(beside.wait_for_answers(1), (RawStream::Ended{1, 1}));
  EXPECT_LE(node_.outgoing_bytes, kDownloadsWaiting);

  deaf.read();
  EXPECT_EQ(deaf.wait_for_answers(400), (RawStream::Ended{400, 400}));
  EXPECT_TRUE(outgoing_bytes_become([](uint64_t bytes) { return bytes == 0; }))
      << node_.outgoing_bytes;
}

// Twice as long as what asks for them: refusals.
TEST_F(GrpcStreams, APeerThatTakesNoAnswersIsNotHeard) {
  constexpr size_t kMessages = 12;
  constexpr size_t kFrames = 32'000;
  RawStream deaf(channel_);
  std::atomic<size_t> taken{0};
  std::jthread writer([&] {
    for (size_t message = 0; message < kMessages; ++message) {
      std::deque<Frame> frames(kFrames);
      for (Frame& frame : frames) frame = {.type = FrameType::kStat, .request = 1};
      if (deaf.write(std::move(frames))) ++taken;
    }
  });
  ASSERT_TRUE(
      outgoing_bytes_become([](uint64_t bytes) { return bytes >= node::kOutgoingBytesHeard; }));
  RawStream beside(channel_);
  beside.read();
  ASSERT_TRUE(beside.write(gets(1, model::kPieceBytes)));
  EXPECT_EQ(beside.wait_for_answers(1), (RawStream::Ended{1, 1}));
  EXPECT_LE(node_.outgoing_bytes, node::kOutgoingBytesHeard + model::kPieceBytes + 1024);
  deaf.read();
  EXPECT_EQ(deaf.wait_for_answers(kMessages * kFrames), (RawStream::Ended{kMessages * kFrames, 0}));
  writer.join();
  EXPECT_EQ(taken, kMessages);
  EXPECT_TRUE(outgoing_bytes_become([](uint64_t bytes) { return bytes == 0; }))
      << node_.outgoing_bytes;
}

TEST_F(GrpcStreams, WhatWaitsForAPeerGoesWithItsStream) {
  {
    RawStream deaf(channel_);
    ASSERT_TRUE(deaf.write(gets(100, model::kPieceBytes)));
    ASSERT_TRUE(deaf.write(gets(100, 2 * model::kPieceBytes)));
    ASSERT_TRUE(
        outgoing_bytes_become([](uint64_t bytes) { return bytes > node::kOutgoingBytesMax / 2; }));
  }
  EXPECT_TRUE(outgoing_bytes_become([](uint64_t bytes) { return bytes == 0; }))
      << node_.outgoing_bytes;
}

// Sixty streams ask for ten times what the node may hold and take nothing: it holds what it may,
// and others are served.
TEST_F(GrpcStreams, PeersThatStallHoldNoMoreThanTheNodeMay) {
  constexpr uint64_t kCapacity = 64 << 20;
  constexpr size_t kStreams = 60;
  GrpcNode node(10s, 20s, kCapacity);
  ASSERT_TRUE(engine::put(node.engine(), blob_, 2 * model::kPieceBytes));
  const auto gets_of = [&](size_t count) {
    std::deque<Frame> frames;
    for (size_t i = 1; i <= count; ++i) {
      frames.push_back(
          {.type = FrameType::kGet,
           .request = i,
           .meta = encode(GetMeta{node.address().disk, blob_, 0, 2 * model::kPieceBytes})});
    }
    return frames;
  };
  const auto channel = channel_to(node.port());
  std::vector<std::unique_ptr<RawStream>> deaf;
  for (size_t i = 0; i < kStreams; ++i) {
    deaf.push_back(std::make_unique<RawStream>(channel));
    ASSERT_TRUE(deaf.back()->write(gets_of(20)));
  }
  ASSERT_TRUE(becomes([&] { return node.memory->in_use() > kCapacity / 5 * 4; }))
      << node.memory->in_use();
  const auto most = kCapacity + kStreams * 2 * model::kPieceBytes;
  GrpcBlobTransportOptions options;
  options.address_of = [&](const model::NodeId&) { return node.target(); };
  const auto transport = make_grpc_blob_transport(std::move(options));
  for (int i = 0; i < 20; ++i) {
    const model::BlobId id = engine::make_id(static_cast<uint64_t>(100 + i));
    const ByteSlice bytes = engine::make_bytes(id, 5000);
    const auto put = async::block_on(
        transport->put(node.address(), id, {.ring_epoch = 1, .deadline = deadline_in(kPatience)},
                       {bytes, 0, hash::block_digests(id, 0, bytes.view())}));
    ASSERT_TRUE(put) << put.error().message;
    for (const uint64_t length : {uint64_t{5000}, uint64_t{2} * model::kPieceBytes}) {
      auto download = transport->start_get(node.address(), length == 5000 ? id : blob_, 0, length,
                                           {.deadline = deadline_in(kPatience)});
      const auto piece = async::block_on(download->next(deadline_in(kPatience)));
      ASSERT_TRUE(piece) << piece.error().message;
    }
    EXPECT_LE(node.memory->in_use(), most);
  }
  deaf.clear();
  EXPECT_TRUE(becomes([&] { return node.memory->in_use() == 0; })) << node.memory->in_use();
}

TEST_F(GrpcStreams, APeerHasSoManyStreamsAndNoMore) {
  std::vector<std::unique_ptr<RawStream>> streams;
  for (size_t i = 0; i < node::StreamBudget::kStreamsPerPeerMax + 20; ++i) {
    streams.push_back(std::make_unique<RawStream>(channel_));
    streams.back()->read();
  }
  EXPECT_TRUE(becomes([&] { return node_.memory->refused() >= 20; })) << node_.memory->refused();
  EXPECT_LE(node_.memory->streams(), node::StreamBudget::kStreamsPerPeerMax);
  streams.clear();
  EXPECT_TRUE(becomes([&] { return node_.memory->streams() == 0; }));
  RawStream beside(channel_);
  beside.read();
  ASSERT_TRUE(beside.write(gets(1, model::kPieceBytes)));
  EXPECT_EQ(beside.wait_for_answers(1), (RawStream::Ended{1, 1}));
}

TEST_F(GrpcStreams, WhatIsOpenCountsAndMessagesThatAreThroughDoNot) {
  RawStream stream(channel_);
  stream.read();
  std::deque<Frame> frames;
  const PutMeta upload{.disk = node_.address().disk,
                       .blob = engine::make_id(2),
                       .length = model::kChunkBytes,
                       .ring_epoch = 1};
  frames.push_back({.type = FrameType::kPutOpen, .request = 1, .meta = encode(upload)});
  ASSERT_TRUE(stream.write(std::move(frames)));
  EXPECT_TRUE(becomes([&] { return node_.engine().status().large_puts == 1; }));
  EXPECT_TRUE(becomes([&] {
    return node_.memory->in_use() == node::ExchangeSession::kUploadBytes;
  })) << node_.memory->in_use();
}

TEST_F(GrpcStreams, APeerThatVanishesHoldsNothingForLong) {
  GrpcNode node(1s, 5s);  // A peer that is there answers within 5 s on a busy machine too.
  FreezingRelay relay(node.port());
  RawStream stream(channel_to(relay.port()));
  const auto uploads = [&] { return node.engine().status().large_puts; };
  const PutMeta upload{.disk = node.address().disk,
                       .blob = engine::make_id(2),
                       .length = model::kChunkBytes,
                       .ring_epoch = 1};
  ASSERT_TRUE(stream.write({{.type = FrameType::kPutOpen, .request = 1, .meta = encode(upload)}}));
  ASSERT_TRUE(becomes([&] { return uploads() == 1; }));
  relay.freeze();
  EXPECT_TRUE(becomes([&] { return uploads() == 0; }));
}

}  // namespace rondel::transfer
