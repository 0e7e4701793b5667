#include "storage-node/service/exchange_stream.hpp"

#include "common/async/coalesce.h"
#include "common/base/mutex.h"
#include "transfer/grpc/frame_stream.hpp"

namespace rondel::node {
namespace {

class ExchangeReactor;

// Frames on their way out of one stream. Whoever asks to send may outlive the stream.
class Outbox final : public FrameSink, public std::enable_shared_from_this<Outbox> {
 public:
  Outbox(ExchangeReactor* reactor, std::shared_ptr<StreamBudget::Account> memory,
         std::atomic<uint64_t>& all_bytes)
      : reactor_(reactor), memory_(std::move(memory)), all_bytes_(all_bytes) {}

  // In a Coalesce scope everything that is sent goes in one message at its end.
  void send(transfer::Frame frame) override {
    {
      MutexLock lock(mutex_);
      if (ended_) return;
      add_locked(transfer::wire_size(frame));
      outgoing_.push_back(std::move(frame));
    }
    async::Coalesce::once(this, [self = shared_from_this()] { self->flush(); });
  }

  bool full() const override { return full_; }

  bool overfull() const { return overfull_; }

  // True: no message is read until a write has made room; who read may not touch the stream any
  // more.
  bool pause_reading() {
    MutexLock lock(mutex_);
    return reading_paused_ = overfull_;
  }

  struct Written {
    bool drained = false;  // It was full and is no longer.
    bool resume_reading = false;
  };

  Written written() {
    MutexLock lock(mutex_);
    writing_ = false;
    subtract_locked(std::exchange(message_bytes_, 0));
    memory_->sending(false);
    if (!ended_ && !outgoing_.empty()) write_locked();
    Written result;
    const size_t most = bytes_max();
    if (overfull_ && bytes_ <= most) {
      overfull_ = false;
      result.resume_reading = std::exchange(reading_paused_, false);
    }
    if (full_ && bytes_ <= most / 2) {
      full_ = false;
      result.drained = true;
    }
    return result;
  }

  // False: it had ended before. The reactor is not touched afterwards.
  bool end() {
    MutexLock lock(mutex_);
    outgoing_.clear();
    message_bytes_ = 0;
    subtract_locked(bytes_);
    memory_->sending(false);
    full_ = false;
    overfull_ = false;
    return !std::exchange(ended_, true);
  }

 private:
  void flush() {
    MutexLock lock(mutex_);
    if (!ended_ && !writing_ && !outgoing_.empty()) write_locked();
  }

  void write_locked();

  void add_locked(size_t bytes) {
    bytes_ += bytes;
    all_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    memory_->take(bytes);
    const size_t most = bytes_max();
    if (bytes_ >= most) full_ = true;
    if (bytes_ >= 2 * most) overfull_ = true;
  }

  size_t bytes_max() const {
    return std::clamp<uint64_t>(memory_->limit(), model::kPieceBytes, kOutgoingBytesMax);
  }

  void subtract_locked(size_t bytes) {
    bytes_ -= bytes;
    all_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    memory_->give_back(bytes);
  }

  ExchangeReactor* const reactor_;
  const std::shared_ptr<StreamBudget::Account> memory_;
  std::atomic<uint64_t>& all_bytes_;
  Mutex mutex_;
  grpc::ByteBuffer message_;
  size_t message_bytes_ = 0;
  std::deque<transfer::Frame> outgoing_;
  size_t bytes_ = 0;                   // Of both.
  std::atomic<bool> full_{false};      // From bytes_max() until drained to half of it.
  std::atomic<bool> overfull_{false};  // From twice bytes_max() until drained to it.
  bool reading_paused_ = false;
  bool writing_ = false;
  bool ended_ = false;
};

// Deleted when gRPC is done with it; the outbox and the session live on while somebody sends.
class ExchangeReactor final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  ExchangeReactor(ExchangeServices services, std::shared_ptr<StreamBudget::Account> memory,
                  std::atomic<uint64_t>& outgoing_bytes)
      : memory_(std::move(memory)),
        outbox_(std::make_shared<Outbox>(this, memory_, outgoing_bytes)),
        session_(std::make_shared<ExchangeSession>(services, outbox_, memory_)) {
    StartRead(&incoming_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return end();
    // Counted for as long as anybody has some of its bytes, be they the least of it.
    const uint64_t bytes = incoming_.Length();
    auto frames = transfer::read_message(incoming_, std::make_shared<Held>(memory_, bytes));
    memory_->set_current(bytes);
    if (!frames) return end({grpc::StatusCode::INVALID_ARGUMENT, frames.error().message});
    frames_ = *std::move(frames);
    next_frame_ = 0;
    handle_frames();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return end();
    const Outbox::Written written = outbox_->written();
    if (written.drained) session_->drained();
    if (written.resume_reading) handle_frames();
  }

  void OnCancel() override { end(); }

  void OnDone() override {
    (void)outbox_->end();
    session_->close();
    memory_->end();
    delete this;
  }

 private:
  // Of one message; then the next one is read. When the outbox is overfull the rest waits for
  // OnWriteDone.
  void handle_frames() {
    for (;;) {
      {
        const async::Coalesce scope;
        while (next_frame_ < frames_.size() && !outbox_->overfull()) {
          session_->handle(std::move(frames_[next_frame_++]));
        }
      }
      if (outbox_->overfull() && outbox_->pause_reading()) return;
      if (next_frame_ == frames_.size()) break;
    }
    frames_ = {};
    memory_->set_current(0);
    StartRead(&incoming_);
  }

  void end(grpc::Status status = grpc::Status::OK) {
    if (!outbox_->end()) return;
    session_->close();
    memory_->end();
    Finish(std::move(status));
  }

  grpc::ByteBuffer incoming_;
  std::vector<transfer::Frame> frames_;
  size_t next_frame_ = 0;
  const std::shared_ptr<StreamBudget::Account> memory_;
  const std::shared_ptr<Outbox> outbox_;
  const std::shared_ptr<ExchangeSession> session_;
};

void Outbox::write_locked() {
  writing_ = true;
  message_ = transfer::take_message(outgoing_);
  message_bytes_ = message_.Length();
  memory_->sending(true);
  reactor_->StartWrite(&message_);
}

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* make_exchange_stream(
    ExchangeServices services, std::shared_ptr<StreamBudget::Account> memory,
    std::atomic<uint64_t>& outgoing_bytes) {
  return new ExchangeReactor(services, std::move(memory), outgoing_bytes);
}

}  // namespace rondel::node
