// What the client makes of a node that answers otherwise than it should. What it makes of a good
// one: tests/contract/blob_transport.
#include "transfer/grpc/grpc_blob_transport.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <functional>

#include "common/async/event_loop.h"
#include "transfer/grpc/frame_stream.hpp"

namespace rondel::transfer {
namespace {

using namespace std::chrono_literals;

// Answers a message with all the frames that the test says, in messages of about `message_bytes`.
class ScriptedNode final : grpc::CallbackGenericService {
 public:
  using Script = std::function<std::deque<Frame>(const Frame&)>;

  explicit ScriptedNode(Script script, size_t message_bytes)
      : script_(std::move(script)), message_bytes_(message_bytes) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.SetMaxReceiveMessageSize(kMessageBytesAccepted);
    builder.RegisterCallbackGenericService(this);
    server_ = builder.BuildAndStart();
  }

  ~ScriptedNode() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  class Stream final : public grpc::ServerGenericBidiReactor {
   public:
    Stream(const Script& script, size_t message_bytes)
        : script_(script), message_bytes_(message_bytes) {
      StartRead(&incoming_);
    }

    void OnReadDone(bool ok) override {
      if (!ok) return Finish(grpc::Status::OK);
      const auto frames = read_message(incoming_).value();
      for (const Frame& frame : frames) {
        for (Frame& answer : script_(frame)) {
          answer.request = frame.request;
          if (answers_.empty() || answers_.back().size() >= message_bytes_) answers_.emplace_back();
          encode_head(answer, answers_.back());
          answers_.back() += as_text(answer.body.view());
        }
      }
      go_on();
    }

    void OnWriteDone(bool ok) override { ok ? go_on() : Finish(grpc::Status::OK); }

    void OnDone() override { delete this; }

   private:
    void go_on() {
      if (answers_.empty()) return StartRead(&incoming_);
      const grpc::Slice slice(answers_.front());
      answers_.pop_front();
      outgoing_ = grpc::ByteBuffer(&slice, 1);
      StartWrite(&outgoing_);
    }

    const Script& script_;
    const size_t message_bytes_;
    std::deque<std::string> answers_;
    grpc::ByteBuffer incoming_;
    grpc::ByteBuffer outgoing_;
  };

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    return new Stream(script_, message_bytes_);
  }

  const Script script_;
  const size_t message_bytes_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

const model::BlobId kBlob{model::StreamId::random(), 0};

// As a node that has a blob of 8 MiB sends them.
Frame data(uint64_t offset, uint64_t size, uint8_t flags = 0) {
  const auto bytes = ByteSlice::copy_of(as_bytes(std::string(size, 'x')));
  return {.type = FrameType::kData,
          .flags = flags,
          .argument = offset,
          .meta = encode(hash::block_digests(
              kBlob, static_cast<uint32_t>(offset / model::kBlockBytes), bytes.view())),
          .body = bytes};
}

class OddNode : public testing::Test {
 protected:
  void answer(ScriptedNode::Script script, size_t message_bytes = 1 << 20) {
    transport_.reset();
    node_ = std::make_unique<ScriptedNode>(std::move(script), message_bytes);
    transport_ = make_grpc_blob_transport(
        {.address_of = [this](const model::NodeId&) { return node_->address(); }});
  }

  ~OddNode() override { transport_.reset(); }

  std::unique_ptr<BlobDownload> start_get(uint64_t offset, uint64_t length) {
    return transport_->start_get(disk_, kBlob, offset, length, {.deadline = deadline_in(60s)});
  }

  static Result<Piece> next(BlobDownload& download) {
    return async::block_on(download.next(deadline_in(60s)));
  }

  // What a get of [offset, offset + length) comes to.
  Result<uint64_t> bytes_of_get(uint64_t offset, uint64_t length) {
    const auto download = start_get(offset, length);
    for (uint64_t bytes = 0;;) {
      TRY(const Piece piece, next(*download));
      if (piece.bytes.empty()) return bytes;
      bytes += piece.bytes.size();
    }
  }

  static Piece piece(uint64_t offset, uint64_t size) {
    Frame frame = data(offset, size);
    return {frame.body, offset, decode_digests(frame.meta).value()};
  }

  static PutOptions put_options() { return {.ring_epoch = 1, .deadline = deadline_in(60s)}; }

  const DiskAddress disk_{model::NodeId::random(), model::DiskId::random()};
  std::unique_ptr<ScriptedNode> node_;
  std::unique_ptr<BlobTransport> transport_;
};

std::deque<Frame> nothing() { return {}; }

std::deque<Frame> pieces(uint64_t bytes) {
  std::deque<Frame> frames;
  for (uint64_t at = 0; at < bytes; at += model::kPieceBytes) {
    frames.push_back(data(at, model::kPieceBytes));
  }
  frames.back().flags = kLast;
  return frames;
}

}  // namespace

TEST_F(OddNode, DataIsTakenOnlyInItsPlace) {
  constexpr uint64_t kBlock = model::kBlockBytes;

  struct Case {
    const char* what;
    bool good;
    std::vector<std::pair<uint64_t, uint64_t>> frames;  // Offset and size; the last one is flagged.
  };

  // Asked for: the second half of block 1, blocks 2 and 3, one byte of block 4.
  for (const auto& [what, good, frames] : std::vector<Case>{
           {"as it should be", true, {{kBlock, 3 * kBlock}, {4 * kBlock, kBlock}}},
           {"block by block",
            true,
            {{kBlock, kBlock}, {2 * kBlock, kBlock}, {3 * kBlock, kBlock}, {4 * kBlock, 1}}},
           {"behind its beginning", false, {{2 * kBlock, 2 * kBlock}, {4 * kBlock, kBlock}}},
           {"before its beginning", false, {{0, 4 * kBlock}, {4 * kBlock, kBlock}}},
           {"far behind its end", false, {{uint64_t{1} << 50, kBlock}}},
           {"a block left out", false, {{kBlock, 2 * kBlock}, {4 * kBlock, kBlock}}},
           {"a block twice",
            false,
            {{kBlock, 2 * kBlock}, {2 * kBlock, 2 * kBlock}, {4 * kBlock, kBlock}}},
           {"less of the first block than was asked for",
            false,
            {{kBlock, 10}, {2 * kBlock, 2 * kBlock}, {4 * kBlock, kBlock}}},
           {"a short block among others",
            false,
            {{kBlock, kBlock + 10}, {2 * kBlock, 2 * kBlock}, {4 * kBlock, kBlock}}},
           {"an end too early", false, {{kBlock, 3 * kBlock}}},
           {"a block too much", false, {{kBlock, 3 * kBlock}, {4 * kBlock, kBlock + 1}}},
           {"a frame too much", false, {{kBlock, 4 * kBlock}, {5 * kBlock, kBlock}}},
       }) {
    answer([&](const Frame& frame) {
      if (frame.type != FrameType::kGet) return nothing();
      std::deque<Frame> answers;
      for (const auto& [offset, size] : frames) {
        answers.push_back(data(offset, size, answers.size() + 1 == frames.size() ? kLast : 0));
      }
      return answers;
    });
    const auto bytes = bytes_of_get(kBlock + kBlock / 2, 2 * kBlock + kBlock / 2 + 1);
    EXPECT_EQ(bytes.has_value(), good) << what;
    if (!bytes) EXPECT_EQ(bytes.error().code, ErrorCode::kInternal) << what;
  }
}

TEST_F(OddNode, OnlyDoneEndsAPutWell) {
  for (const FrameType type :
       {FrameType::kCredit, FrameType::kData, FrameType::kStatReply, FrameType::kPut}) {
    answer([type](const Frame& frame) {
      return frame.type == FrameType::kPut ? std::deque<Frame>{{.type = type}} : nothing();
    });
    const auto result =
        async::block_on(transport_->put(disk_, kBlob, put_options(), piece(0, 100)));
    ASSERT_FALSE(result) << static_cast<int>(type);
    EXPECT_EQ(result.error().code, ErrorCode::kInternal);
  }
}

TEST_F(OddNode, OnlyAStatReplyAnswersAStat) {
  answer([](const Frame& frame) {
    return frame.type == FrameType::kStat
               ? std::deque<Frame>{{.type = FrameType::kDone, .meta = std::string(25, '\0')}}
               : nothing();
  });
  const auto known = async::block_on(transport_->stat(disk_, kBlob, deadline_in(60s)));
  ASSERT_FALSE(known);
  EXPECT_EQ(known.error().code, ErrorCode::kInternal);
}

// The window is 1 MiB whatever the node says: here it takes eight pieces and refuses the upload.
TEST_F(OddNode, CreditIsNeverMoreThanTheWindow) {
  answer([pieces = std::make_shared<int>(0)](const Frame& frame) {
    if (frame.type == FrameType::kPutOpen) {
      return std::deque<Frame>{{.type = FrameType::kCredit, .argument = UINT64_MAX}};
    }
    if (frame.type != FrameType::kPiece || ++*pieces < 8) return nothing();
    return std::deque<Frame>{
        error_frame(FrameType::kDone, 0, {ErrorCode::kPrecondition, "enough"})};
  });
  const auto upload = transport_->start_put(disk_, kBlob, model::kChunkBytes, put_options());
  for (uint64_t at = 0; at < 8; ++at) {
    const auto sent =
        async::block_on(upload->send(piece(at * model::kPieceBytes, model::kPieceBytes)));
    ASSERT_TRUE(sent) << at << ": " << sent.error().message;
  }
  const auto sent =
      async::block_on(upload->send(piece(8 * model::kPieceBytes, model::kPieceBytes)));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::kPrecondition);
}

TEST_F(OddNode, MoreThanItsCreditIsNotKept) {
  constexpr uint64_t kBytes = 6 << 20;
  answer([](const Frame& frame) {
    if (frame.type == FrameType::kPut) return std::deque<Frame>{{.type = FrameType::kDone}};
    return frame.type == FrameType::kGet ? pieces(kBytes) : nothing();
  });
  const auto download = start_get(0, kBytes);
  // Answered on the same stream behind all the data.
  auto behind = put_options();
  behind.background = true;
  ASSERT_TRUE(async::block_on(transport_->put(disk_, kBlob, behind, piece(0, 100))));
  uint64_t bytes = 0;
  Result<Piece> got = next(*download);
  for (; got && !got->bytes.empty(); got = next(*download)) bytes += got->bytes.size();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::kInternal);
  EXPECT_LE(bytes, 2 * kWindowBytes);
}

TEST_F(OddNode, AMessageAboveTheBoundEndsTheStream) {
  answer(
      [](const Frame& frame) {
        return frame.type == FrameType::kGet ? pieces(model::kChunkBytes) : nothing();
      },
      model::kChunkBytes);
  const auto bytes = bytes_of_get(0, model::kChunkBytes);
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, ErrorCode::kUnavailable);
}

}  // namespace rondel::transfer
