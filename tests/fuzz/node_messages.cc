// What a gateway may send a storage node on an Exchange stream: frames, and the session that takes
// them.
#include <array>

#include "storage-node/service/exchange_session.h"
#include "tests/fuzz/input.h"
#include "transfer/grpc/wire.h"

using namespace rondel;

namespace {

class OpenGate final : public node::WriteGate {
 public:
  Result<void> check(uint64_t epoch) const override {
    if (epoch > 1'000'000) return fail(ErrorCode::kPrecondition, "fenced");
    return {};
  }

  node::OrderRefusal accept_order(const node::OrderOrigin&) override {
    return node::OrderRefusal::kNone;
  }

  bool heard_of(uint64_t) override { return true; }

  model::MetadataGeneration database_seen() const override { return {}; }
};

// Frames with a right head: their fields are the input's.
std::string frames_of(fuzz::Input input) {
  static constexpr transfer::FrameType kTypes[] = {
      transfer::FrameType::kPut,      transfer::FrameType::kPutOpen, transfer::FrameType::kPiece,
      transfer::FrameType::kPutClose, transfer::FrameType::kCancel,  transfer::FrameType::kGet,
      transfer::FrameType::kCredit,   transfer::FrameType::kStat,    transfer::FrameType::kDone,
      transfer::FrameType::kData};
  std::string message;
  for (uint8_t i = input.choice() % 6; i > 0; --i) {
    transfer::Frame frame;
    frame.type = kTypes[input.choice() % std::size(kTypes)];
    frame.request = input.choice() % 4;
    frame.argument = input.choice() & 1 ? input.number() : input.choice();
    const uint8_t meta = input.choice() % 4;
    const std::string_view rest = input.rest();
    if (meta == 0) frame.meta = rest.substr(0, 72);
    if (meta == 1) {
      frame.meta = transfer::encode(transfer::PutMeta{.length = rest.size(), .ring_epoch = 1}) +
                   std::string(rest.substr(0, 16));
    }
    if (meta == 2) {
      frame.meta =
          transfer::encode(transfer::GetMeta{.offset = rest.size(), .length = input.choice()});
    }
    const std::string body(rest.substr(0, input.choice()));
    frame.body = ByteSlice(nullptr, as_bytes(body));
    transfer::encode_head(frame, message);
    message += body;
  }
  return message;
}

// Each answer can be read by a client. Full after every other one: what waits for the peer goes on.
class Answers final : public node::FrameSink {
 public:
  void send(transfer::Frame frame) override {
    ++count;
    std::string text;
    transfer::encode_head(frame, text);
    fuzz::require(!transfer::decode_frames(ByteSlice(nullptr, as_bytes(text))) ==
                  (frame.body.size() > 0));
  }

  bool full() const override { return count % 2 != 0; }

  uint64_t count = 0;
};

void feed(std::string_view bytes) {
  static const node::DiskSet disks({});
  static const OpenGate gate;
  static const node::DiskReaders readers(disks, 1, 16);
  const auto owned = std::make_shared<std::string>(bytes);
  const auto frames = transfer::decode_frames(ByteSlice(owned, as_bytes(*owned)));
  if (!frames) return;
  const auto answers = std::make_shared<Answers>();
  const auto session = std::make_shared<node::ExchangeSession>(
      node::ExchangeServices{disks, gate, readers}, answers);
  for (const transfer::Frame& frame : *frames) {
    fuzz::require(frame.meta.size() <= transfer::kMetaBytesMax &&
                  frame.body.size() <= transfer::kBodyBytesMax);
    session->handle(frame);
    session->drained();
  }
  session->close();
  fuzz::require(answers->count <= frames->size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const bool whole_frames = input.choice() & 1;
  const std::string_view text = input.rest();
  (void)transfer::decode_put_meta(text);
  (void)transfer::decode_get_meta(text);
  (void)transfer::decode_digests(text);
  (void)transfer::decode_blob_digest(text);
  feed(whole_frames ? frames_of(input) : std::string(text));
  return 0;
}
