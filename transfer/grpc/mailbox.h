// Mailbox: frames of one request, from the stream's thread to the coroutine that waits for them.
#pragma once

#include <deque>
#include <memory>

#include "common/async/one_shot.h"
#include "common/base/mutex.h"
#include "transfer/grpc/wire.h"

namespace rondel::transfer {

// push() and close() from any thread; next() by one coroutine at a time.
class Mailbox {
 public:
  // Whole blocks are sent, so that a little more than the window may be on its way. A peer that
  // sends more than this is not believed.
  static constexpr size_t kBytesMax = 2 * kWindowBytes;

  void push(Frame frame) {
    if (!deliver(std::move(frame))) {
      close({ErrorCode::kInternal, "the node sends more than it may"});
    }
  }

  // Every next() answers the error once what was pushed is taken.
  void close(Error error) {
    {
      MutexLock lock(mutex_);
      if (closed_) return;
      closed_ = error;
    }
    (void)deliver(std::unexpected(std::move(error)));
  }

  async::Task<Result<Frame>> next(Deadline deadline) {
    auto slot = Slot::make();
    {
      MutexLock lock(mutex_);
      if (!frames_.empty()) {
        Frame frame = std::move(frames_.front());
        frames_.pop_front();
        bytes_ -= wire_size(frame);
        co_return frame;
      }
      if (closed_) co_return std::unexpected(*closed_);
      waiter_ = slot;
    }
    auto outcome = co_await slot->wait_until(deadline);
    {
      MutexLock lock(mutex_);
      if (waiter_ == slot) waiter_.reset();
    }
    if (!outcome) co_return std::unexpected(outcome.error());
    co_return std::move(*outcome);
  }

 private:
  using Slot = async::OneShot<Result<Frame>>;

  // False: it is a frame for which there is no room.
  bool deliver(Result<Frame> item) {
    std::shared_ptr<Slot> waiter;
    {
      MutexLock lock(mutex_);
      waiter = std::exchange(waiter_, nullptr);
      if (!waiter) {
        if (!item || closed_) return true;
        const size_t bytes = wire_size(*item);
        if (bytes > kBytesMax - bytes_) return false;
        bytes_ += bytes;
        frames_.push_back(*std::move(item));
        return true;
      }
    }
    // The waiter may have given up meanwhile; its request is over then.
    (void)waiter->set(std::move(item));
    return true;
  }

  Mutex mutex_;
  std::deque<Frame> frames_ GUARDED_BY(mutex_);
  size_t bytes_ GUARDED_BY(mutex_) = 0;  // Of frames_.
  std::optional<Error> closed_ GUARDED_BY(mutex_);
  std::shared_ptr<Slot> waiter_ GUARDED_BY(mutex_);
};

}  // namespace rondel::transfer
