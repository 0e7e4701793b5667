// The part that client and server ends of an Exchange stream share: frames to and from gRPC
// messages, one write at a time, everything that waits in one message.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <deque>
#include <vector>

#include "transfer/grpc/wire.h"

namespace rondel::transfer {

// What an end takes in one frame of HTTP/2: in the 16 KiB of the default a message of pieces has a
// head and a slice for each.
inline constexpr int kHttp2FrameBytes = 1 << 20;
inline constexpr size_t kMessageBytesMax = 1 << 20;
// The longest that take_message() makes, and some: heads and metas of the last frame come on top.
inline constexpr int kMessageBytesAccepted = 2 << 20;
// Smaller bodies are copied behind their head: a slice of its own costs more.
inline constexpr size_t kCopyBytesMax = 16 << 10;

// Takes frames from the front of `queue`, at most about kMessageBytesMax of them.
inline grpc::ByteBuffer take_message(std::deque<Frame>& queue) {
  std::vector<grpc::Slice> slices;
  std::string run;
  size_t bytes = 0;
  const auto close_run = [&] {
    if (run.empty()) return;
    auto* owned = new std::string(std::move(run));
    slices.emplace_back(
        owned->data(), owned->size(), [](void* p) { delete static_cast<std::string*>(p); }, owned);
    run.clear();
  };
  // Growing step by step would copy bodies again.
  const auto reserve_run = [&] {
    size_t together = 0;
    for (const Frame& frame : queue) {
      const bool copied = frame.body.size() <= kCopyBytesMax;
      together += wire_size(frame) - (copied ? 0 : frame.body.size());
      if (!copied || bytes + together >= kMessageBytesMax) break;
    }
    run.reserve(together);
  };
  while (!queue.empty() && (bytes == 0 || bytes < kMessageBytesMax)) {
    Frame& frame = queue.front();
    if (run.empty()) reserve_run();
    encode_head(frame, run);
    bytes += wire_size(frame);
    if (frame.body.size() <= kCopyBytesMax) {
      run += as_text(frame.body.view());
    } else {
      close_run();
      auto* owned = new ByteSlice(std::move(frame.body));
      slices.emplace_back(
          const_cast<std::byte*>(owned->data()), owned->size(),
          [](void* p) { delete static_cast<ByteSlice*>(p); }, owned);
    }
    queue.pop_front();
  }
  close_run();
  return {slices.data(), slices.size()};
}

// `beside` lives as long as any of the message's bytes is held.
inline Result<std::vector<Frame>> read_message(grpc::ByteBuffer& message,
                                               std::shared_ptr<const void> beside = nullptr) {
  struct Message {
    std::shared_ptr<const void> beside;
    grpc::Slice slice;
  };

  auto owner = std::make_shared<Message>(std::move(beside));
  grpc::Slice* const slice = &owner->slice;
  if (!message.TrySingleSlice(slice).ok() && !message.DumpToSingleSlice(slice).ok()) {
    return fail(ErrorCode::kInternal, "a gRPC message without bytes");
  }
  message.Clear();
  const ByteView bytes{reinterpret_cast<const std::byte*>(slice->begin()), slice->size()};
  return decode_frames(ByteSlice(std::move(owner), bytes));
}

}  // namespace rondel::transfer
