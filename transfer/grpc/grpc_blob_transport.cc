#include "transfer/grpc/grpc_blob_transport.h"

#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <unordered_map>

#include "common/base/mutex.h"
#include "common/grpc/channel.hpp"
#include "transfer/grpc/frame_stream.hpp"
#include "transfer/grpc/mailbox.h"

namespace rondel::transfer {
namespace {

// Frames may wait for a node that reads slowly; then it gets no new ones.
constexpr size_t kOutgoingBytesMax = 64 << 20;
constexpr const char* kMethod = "/rondel.storage.v1.Storage/Exchange";

// One Exchange stream, alive until gRPC says it is done. Writes are started outside of gRPC's
// callbacks, so it has a hold on the call, given back once no further write can follow: without it
// gRPC frees the call while a write is being started.
class Stream final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                     public std::enable_shared_from_this<Stream> {
 public:
  static std::shared_ptr<Stream> open(const std::shared_ptr<grpc::Channel>& channel,
                                      size_t requests_max) {
    auto stream = std::make_shared<Stream>(channel, requests_max);
    stream->self_ = stream;
    stream->stub_.PrepareBidiStreamingCall(&stream->context_, kMethod, {}, stream.get());
    stream->AddHold();
    stream->StartRead(&stream->incoming_);
    stream->StartCall();
    return stream;
  }

  Stream(const std::shared_ptr<grpc::Channel>& channel, size_t requests_max)
      : stub_(channel), requests_max_(requests_max) {}

  bool broken() const {
    MutexLock lock(mutex_);
    return broken_;
  }

  // Frames of `request` go to the mailbox until forget().
  Result<uint64_t> begin(std::shared_ptr<Mailbox> mailbox) {
    MutexLock lock(mutex_);
    if (broken_) return fail(ErrorCode::kUnavailable, "the connection to the node is broken");
    if (outgoing_bytes_ > kOutgoingBytesMax) {
      return fail(ErrorCode::kResourceExhausted, "the node does not take what it is sent");
    }
    if (mailboxes_.size() >= requests_max_) {
      return fail(ErrorCode::kResourceExhausted, "too many requests to the node");
    }
    const uint64_t id = ++last_request_;
    mailboxes_.emplace(id, std::move(mailbox));
    return id;
  }

  // `drop_frames`: what of it has not left is not sent either. That looks at all that waits.
  void forget(uint64_t request, bool drop_frames) {
    std::deque<Frame> dropped;  // Destroyed without the lock.
    MutexLock lock(mutex_);
    mailboxes_.erase(request);
    if (!drop_frames) return;
    const auto kept =
        std::stable_partition(outgoing_.begin(), outgoing_.end(),
                              [request](const Frame& frame) { return frame.request != request; });
    for (auto frame = kept; frame != outgoing_.end(); ++frame) {
      outgoing_bytes_ -= wire_size(*frame);
      dropped.push_back(std::move(*frame));
    }
    outgoing_.erase(kept, outgoing_.end());
  }

  // What is sent before the loop looks at its sockets again goes in one message.
  void send(Frame frame) {
    async::EventLoop* const loop = async::EventLoop::current();
    {
      MutexLock lock(mutex_);
      if (broken_) return;
      outgoing_bytes_ += wire_size(frame);
      outgoing_.push_back(std::move(frame));
      if (writing_ || (loop != nullptr && flushing_ == loop)) return;
      if (loop == nullptr) return write_locked();
      flushing_ = loop;
    }
    loop->post(Flush(shared_from_this()));
  }

  void close() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (!ok) return end();
    auto frames = read_message(incoming_);
    if (!frames) {
      context_.TryCancel();
      return end();
    }
    for (Frame& frame : *frames) dispatch(std::move(frame));
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    writing_ = false;
    if (ok && !broken_ && !outgoing_.empty()) write_locked();
  }

  void OnDone(const grpc::Status& status) override {
    std::unordered_map<uint64_t, std::shared_ptr<Mailbox>> left;
    {
      MutexLock lock(mutex_);
      left.swap(mailboxes_);
      outgoing_.clear();
      outgoing_bytes_ = 0;
    }
    const Error error{ErrorCode::kUnavailable,
                      "the connection to the node ended: " + status.error_message()};
    for (auto& [id, mailbox] : left) mailbox->close(error);
    self_.reset();
  }

 private:
  // What a loop has been asked to do; done when the loop ends instead and destroys it.
  class Flush {
   public:
    explicit Flush(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}

    Flush(Flush&&) = default;
    Flush& operator=(Flush&&) = delete;

    ~Flush() { (*this)(); }

    void operator()() {
      if (const auto stream = std::exchange(stream_, nullptr)) stream->flush();
    }

   private:
    std::shared_ptr<Stream> stream_;
  };

  void flush() {
    MutexLock lock(mutex_);
    flushing_ = nullptr;
    if (!broken_ && !writing_ && !outgoing_.empty()) write_locked();
  }

  void write_locked() REQUIRES(mutex_) {
    writing_ = true;
    message_ = take_message(outgoing_);
    outgoing_bytes_ -= message_.Length();
    StartWrite(&message_);
  }

  // Nothing comes any more: nothing is sent any more. Once, at the end of reading.
  void end() {
    {
      MutexLock lock(mutex_);
      broken_ = true;
    }
    RemoveHold();
  }

  void dispatch(Frame frame) {
    std::shared_ptr<Mailbox> mailbox;
    {
      MutexLock lock(mutex_);
      const auto found = mailboxes_.find(frame.request);
      if (found == mailboxes_.end()) return;  // Given up meanwhile.
      mailbox = found->second;
    }
    mailbox->push(std::move(frame));
  }

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  const size_t requests_max_;
  grpc::ByteBuffer incoming_;
  grpc::ByteBuffer message_;
  std::shared_ptr<Stream> self_;
  mutable Mutex mutex_;
  std::deque<Frame> outgoing_ GUARDED_BY(mutex_);
  size_t outgoing_bytes_ GUARDED_BY(mutex_) = 0;
  bool writing_ GUARDED_BY(mutex_) = false;
  // The loop that was asked last to write what waits.
  const async::EventLoop* flushing_ GUARDED_BY(mutex_) = nullptr;
  bool broken_ GUARDED_BY(mutex_) = false;
  uint64_t last_request_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<uint64_t, std::shared_ptr<Mailbox>> mailboxes_ GUARDED_BY(mutex_);
};

// A request on a stream; forgotten, and cancelled unless it ended, when destroyed.
class Request {
 public:
  static Result<Request> begin(Result<std::shared_ptr<Stream>> stream) {
    if (!stream) return std::unexpected(stream.error());
    Request request;
    request.stream_ = *std::move(stream);
    TRY(request.id_, request.stream_->begin(request.mailbox_));
    return request;
  }

  Request() = default;

  Request(Request&& other) noexcept
      : stream_(std::move(other.stream_)),
        mailbox_(std::move(other.mailbox_)),
        id_(std::exchange(other.id_, 0)),
        ended_(other.ended_),
        large_(other.large_) {}

  Request& operator=(Request&&) = delete;

  ~Request() {
    if (id_ == 0) return;
    stream_->forget(id_, large_ && !ended_);
    if (!ended_) send({.type = FrameType::kCancel});
  }

  void send(Frame frame) {
    frame.request = id_;
    stream_->send(std::move(frame));
  }

  async::Task<Result<Frame>> next(Deadline deadline) { return mailbox_->next(deadline); }

  void end_when_cancelled(async::Cancellation* cancel) {
    if (cancel == nullptr) return;
    cancel->on_cancel([mailbox = mailbox_] {
      mailbox->close({ErrorCode::kCancelled, "the answer is no longer wanted"});
    });
  }

  void end() { ended_ = true; }

  // It sends pieces, which must not wait on when it is given up.
  void set_large() { large_ = true; }

 private:
  std::shared_ptr<Stream> stream_;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  uint64_t id_ = 0;
  bool ended_ = false;
  bool large_ = false;
};

std::unexpected<Error> unexpected_frame() {
  return fail(ErrorCode::kInternal, "the node sent a frame that does not belong here");
}

PutMeta put_meta(const DiskAddress& to, const model::BlobId& id, uint64_t length,
                 const PutOptions& options) {
  return {to.disk,
          id,
          length,
          options.ring_epoch,
          static_cast<uint64_t>(options.created_at.time_since_epoch().count()),
          options.handoff_for,
          options.order};
}

uint8_t put_flags(const PutOptions& options) {
  return static_cast<uint8_t>((options.fresh ? kFresh : 0) |
                              (options.background ? kBackground : 0));
}

class Upload final : public BlobUpload {
 public:
  Upload(Result<Request> request, std::string open_meta, const PutOptions& options)
      : deadline_(options.deadline) {
    if (!request) {
      error_ = request.error();
      return;
    }
    request_.emplace(*std::move(request));
    request_->set_large();
    request_->end_when_cancelled(options.cancel.get());
    const uint8_t flags = options.background ? kBackground : 0;
    request_->send({.type = FrameType::kPutOpen, .flags = flags, .meta = std::move(open_meta)});
  }

  async::Task<Result<void>> send(Piece piece) override {
    while (!error_ && credit_ < piece.bytes.size()) {
      auto frame = co_await request_->next(deadline_);
      if (!frame) {
        error_ = frame.error();
      } else if (frame->type == FrameType::kCredit) {
        credit_ = std::min(credit_ + std::min(frame->argument, kWindowBytes), kWindowBytes);
      } else {
        request_->end();
        error_ = error_of(*frame).value_or(
            Error{ErrorCode::kInternal, "the node ended the upload early"});
      }
    }
    if (error_) co_return std::unexpected(*error_);
    credit_ -= piece.bytes.size();
    request_->send({.type = FrameType::kPiece,
                    .argument = piece.offset,
                    .meta = encode(piece.digests),
                    .body = std::move(piece.bytes)});
    co_return Result<void>{};
  }

  async::Task<Result<void>> finish(uint64_t length, hash::BlobDigest digest) override {
    if (error_) co_return std::unexpected(*error_);
    request_->send({.type = FrameType::kPutClose, .argument = length, .meta = encode(digest)});
    for (;;) {
      auto frame = co_await request_->next(deadline_);
      if (!frame) co_return std::unexpected(frame.error());
      if (frame->type != FrameType::kDone) continue;
      request_->end();
      if (auto error = error_of(*frame)) co_return std::unexpected(*std::move(error));
      co_return Result<void>{};
    }
  }

 private:
  const Deadline deadline_;
  std::optional<Request> request_;
  std::optional<Error> error_;
  uint64_t credit_ = kWindowBytes;
};

class Download final : public BlobDownload {
 public:
  Download(Result<Request> request, const GetMeta& meta, const GetOptions& options)
      : id_(meta.blob),
        end_(meta.offset + meta.length),
        deadline_(options.deadline),
        next_(meta.offset / model::kBlockBytes * model::kBlockBytes) {
    if (!request) {
      error_ = request.error();
      return;
    }
    request_.emplace(*std::move(request));
    const uint8_t flags = options.background ? kBackground : 0;
    request_->send({.type = FrameType::kGet, .flags = flags, .meta = encode(meta)});
  }

  async::Task<Result<Piece>> next(Deadline step) override {
    if (error_) co_return std::unexpected(*error_);
    if (last_) co_return Piece{};
    if (owed_ > 0) {
      request_->send({.type = FrameType::kCredit, .argument = std::exchange(owed_, 0)});
    }
    auto frame = co_await request_->next(std::min(step, deadline_));
    if (!frame) co_return give_up(frame.error());
    if (auto error = error_of(*frame)) {
      request_->end();
      co_return give_up(*std::move(error));
    }
    auto digests = decode_digests(frame->meta);
    if (!digests || !continues(*frame)) co_return give_up(unexpected_frame().error());
    if (hash::block_digests(id_, static_cast<uint32_t>(next_ / model::kBlockBytes),
                            frame->body.view()) != *digests) {
      co_return give_up({ErrorCode::kCorruption, "the bytes that came do not match their digests"});
    }
    owed_ += frame->body.size();
    next_ += frame->body.size();
    if ((frame->flags & kLast) != 0) {
      if (next_ < end_) {
        co_return give_up({ErrorCode::kInternal, "the node sent fewer bytes than asked for"});
      }
      last_ = true;
      request_->end();
    }
    co_return Piece{std::move(frame->body), frame->argument, *std::move(digests)};
  }

 private:
  // Whole blocks behind those that came before, none beyond the end: who asked counts on it.
  bool continues(const Frame& frame) const {
    const uint64_t after = next_ + frame.body.size();
    const uint64_t last_block_end =
        (end_ + model::kBlockBytes - 1) / model::kBlockBytes * model::kBlockBytes;
    return frame.type == FrameType::kData && frame.argument == next_ && next_ < end_ &&
           !frame.body.empty() && after <= last_block_end &&
           (after >= end_ || after % model::kBlockBytes == 0);
  }

  std::unexpected<Error> give_up(Error error) {
    error_ = error;
    return std::unexpected(std::move(error));
  }

  const model::BlobId id_;
  const uint64_t end_;
  const Deadline deadline_;
  uint64_t next_;  // Where the next piece begins.
  std::optional<Request> request_;
  std::optional<Error> error_;
  uint64_t owed_ = 0;
  bool last_ = false;
};

class GrpcBlobTransport final : public BlobTransport {
 public:
  explicit GrpcBlobTransport(GrpcBlobTransportOptions options) : options_(std::move(options)) {
    if (!options_.credentials) options_.credentials = rpc::PeerCredentials::plain();
  }

  ~GrpcBlobTransport() override {
    MutexLock lock(mutex_);
    for (auto& [node, peer] : peers_) {
      for (auto& stream : peer.streams) {
        if (stream) stream->close();
      }
    }
  }

  async::Task<Result<void>> put(DiskAddress to, model::BlobId id, PutOptions options,
                                Piece whole) override {
    CO_TRY(Request request,
           Request::begin(stream_to(to.node, options.background ? kBulk : kSmall)));
    request.end_when_cancelled(options.cancel.get());
    Frame frame{.type = FrameType::kPut, .flags = put_flags(options)};
    frame.meta = encode(put_meta(to, id, whole.bytes.size(), options)) + encode(whole.digests);
    frame.body = std::move(whole.bytes);
    request.send(std::move(frame));
    CO_TRY(const Frame answer, co_await request.next(options.deadline));
    if (answer.type != FrameType::kDone) co_return unexpected_frame();
    request.end();
    if (auto error = error_of(answer)) co_return std::unexpected(*std::move(error));
    co_return Result<void>{};
  }

  std::unique_ptr<BlobUpload> start_put(DiskAddress to, model::BlobId id, uint64_t length,
                                        PutOptions options) override {
    return std::make_unique<Upload>(Request::begin(stream_to(to.node, kBulk)),
                                    encode(put_meta(to, id, length, options)), options);
  }

  std::unique_ptr<BlobDownload> start_get(DiskAddress from, model::BlobId id, uint64_t offset,
                                          uint64_t length, GetOptions options) override {
    const bool bulk = options.background || length > model::kPieceBytes;
    return std::make_unique<Download>(Request::begin(stream_to(from.node, bulk ? kBulk : kSmall)),
                                      GetMeta{from.disk, id, offset, length}, options);
  }

  async::Task<Result<BlobStat>> stat(DiskAddress at, model::BlobId id, Deadline deadline) override {
    CO_TRY(Request request, Request::begin(stream_to(at.node, kSmall)));
    request.send({.type = FrameType::kStat,
                  .meta = std::string(as_text(at.disk.view())) + std::string(as_text(id.bytes()))});
    CO_TRY(const Frame answer, co_await request.next(deadline));
    if (answer.type != FrameType::kStatReply) co_return unexpected_frame();
    request.end();
    if (auto error = error_of(answer)) co_return std::unexpected(*std::move(error));
    const auto meta = decode_stat_meta(answer.meta);
    if (!meta) co_return fail(ErrorCode::kInternal, "the node's answer has a wrong length");
    co_return BlobStat{meta->length,      meta->digest,
                       meta->handoff_for, SystemTime(std::chrono::microseconds(meta->created_us)),
                       meta->order,       meta->removed};
  }

 private:
  enum Kind { kSmall = 0, kBulk = 1 };

  struct Peer {
    rpc::NodeEndpoint endpoint;
    uint64_t version = 0;  // Of the credentials of the channels.
    std::array<std::shared_ptr<grpc::Channel>, 2> channels;
    std::array<std::shared_ptr<Stream>, 2> streams;
    std::array<SteadyTime, 2> opened_at{};
    SteadyTime address_checked_at{};
  };

  Result<std::shared_ptr<Stream>> stream_to(const model::NodeId& node, Kind kind) {
    const SteadyTime now = std::chrono::steady_clock::now();
    MutexLock lock(mutex_);
    Peer& peer = peers_[node];
    auto& stream = peer.streams[kind];
    if (stream && !stream->broken()) return stream;
    // A node that is away is not asked more often than this.
    if (stream && now - peer.opened_at[kind] < options_.reconnect_pause) {
      return fail(ErrorCode::kUnavailable, "the node cannot be reached");
    }
    if (peer.endpoint.address.empty() || now - peer.address_checked_at > std::chrono::seconds(1)) {
      const auto endpoint = options_.address_of(node);
      if (!endpoint) return fail(ErrorCode::kUnavailable, "the node's address is not known");
      if (*endpoint != peer.endpoint) peer.channels = {};
      peer.endpoint = *endpoint;
      peer.address_checked_at = now;
    }
    // What is connected stays so; what connects anew does so with the certificates of now.
    const uint64_t version = options_.credentials->version();
    if (std::exchange(peer.version, version) != version) peer.channels = {};
    auto& channel = peer.channels[kind];
    if (!channel) channel = make_channel(peer.endpoint, kind);
    // Our own pause is enough: a node that is back is reached at once, also when it was away for
    // long.
    grpc::experimental::ChannelResetConnectionBackoff(channel.get());
    stream = Stream::open(channel, options_.requests_max);
    peer.opened_at[kind] = now;
    return stream;
  }

  std::shared_ptr<grpc::Channel> make_channel(const rpc::NodeEndpoint& node, Kind kind) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMessageBytesAccepted);
    arguments.SetMaxSendMessageSize(-1);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kHttp2FrameBytes);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // A TCP connection for each kind.
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    // How long an attempt may take: a busy machine needs more than 100 ms.
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    arguments.SetInt("rondel.kind", kind);
    return rpc::open_channel(node.address, *options_.credentials, {rpc::PeerRole::kNode, node.name},
                             std::move(arguments));
  }

  GrpcBlobTransportOptions options_;
  Mutex mutex_;
  std::map<model::NodeId, Peer> peers_ GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<BlobTransport> make_grpc_blob_transport(GrpcBlobTransportOptions options) {
  return std::make_unique<GrpcBlobTransport>(std::move(options));
}

}  // namespace rondel::transfer
