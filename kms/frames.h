// Ciphertext of a stream: AES-256-GCM in frames of 64 KiB of plaintext, so that a range decrypts
// alone and a frame that was changed, cut off, moved or taken from another stream is refused. Byte
// by byte: docs/formats/encryption.md.
//
// No I/O and no waiting: bytes in, bytes out, buffers bounded. Objects of this header belong to one
// coroutine at a time.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "common/base/bytes.h"
#include "common/base/numbers.h"
#include "common/base/result.h"
#include "common/crypto/aead.h"
#include "common/crypto/secret.h"
#include "common/model/ids.h"

namespace rondel::kms {

inline constexpr uint64_t kFrameBytes = 64ull << 10;  // Of plaintext.
// The last frame is shorter.
inline constexpr uint64_t kStoredFrameBytes = kFrameBytes + crypto::kAeadTagBytes;

constexpr uint64_t frame_count(uint64_t plaintext) {
  return plaintext / kFrameBytes + (plaintext % kFrameBytes == 0 ? 0 : 1);
}

// Bytes that `plaintext` bytes take on the disks; UINT64_MAX when that is more. 0 stays 0: an empty
// stream has no frame.
constexpr uint64_t stored_size(uint64_t plaintext) {
  return saturating_add(plaintext, frame_count(plaintext) * crypto::kAeadTagBytes);
}

// The reverse; kCorruption when no plaintext has this stored size.
Result<uint64_t> plaintext_size(uint64_t stored);

// The whole frames that hold [offset, offset + length) of the plaintext, as a range of the stored
// stream.
struct StoredRange {
  uint64_t offset = 0;
  uint64_t length = 0;
};

// kCorruption when the stream of this stored size does not hold the range.
Result<StoredRange> stored_range(uint64_t stored, uint64_t offset, uint64_t length);

// Plaintext of one stream to ciphertext, front to back. The last frame is bound as the last: with
// the size known it is seen as it begins and bytes are encrypted as they come; without, a frame is
// kept until the next byte or the end.
class FrameSealer {
 public:
  FrameSealer(const crypto::Secret& data_key, const model::StreamId& stream,
              std::optional<uint64_t> plaintext);

  // Takes bytes from the front of `in`, at most to the end of a frame. Returns a frame when one is
  // whole, otherwise nothing; to be called until `in` is used up. What is returned stays valid
  // until the next call. kInvalidArgument: more than announced.
  Result<ByteView> seal(ByteView& in);

  // The last frame, when it is not out yet. At most once. kInvalidArgument: fewer bytes than
  // announced.
  Result<ByteView> finish();

  uint64_t plaintext() const { return sealed_ + filled_; }  // Taken so far.

 private:
  Result<ByteView> gather(ByteView& in);
  ByteView seal_gathered(bool last);

  crypto::Aead aead_;
  const model::StreamId stream_;
  const std::optional<uint64_t> size_;
  uint64_t sealed_ = 0;  // Plaintext of whole frames.
  uint32_t frame_ = 0;
  uint64_t filled_ = 0;  // Of the frame that is under way.
  std::unique_ptr<std::byte[]> buffer_;
  std::unique_ptr<std::byte[]> gathered_;  // Plaintext, without size only.
};

// The reverse, for a range. Fed with the bytes of stored_range() in pieces of any length; gives out
// plaintext only of frames that are whole and true.
class FrameOpener {
 public:
  // REQUIRES: length > 0, and stored_range(stored, offset, length) is a value.
  FrameOpener(const crypto::Secret& data_key, const model::StreamId& stream, uint64_t stored,
              uint64_t offset, uint64_t length);

  // Takes bytes from the front of `in`. Returns plaintext (at most model::kPieceBytes) when a
  // buffer is full or the range ends; otherwise nothing, and `in` is used up. kCorruption: the
  // frame is not what was sealed. Slices are let go of on the thread that calls this.
  Result<ByteSlice> open(ByteView& in);

  // Stored bytes that are still to be fed.
  uint64_t stored_left() const { return stored_left_; }

 private:
  void begin_frame();
  void take_buffer(uint64_t bytes);
  Result<void> end_frame();
  ByteSlice take_ready();

  crypto::Aead aead_;
  const model::StreamId stream_;
  const uint64_t plaintext_;  // Of the whole stream.
  const uint64_t begin_;
  const uint64_t end_;
  uint64_t frame_;  // Number of the frame that is next or under way.
  uint64_t stored_left_ = 0;
  bool under_way_ = false;
  uint64_t frame_bytes_ = 0;  // Plaintext of the frame under way,
  uint64_t filled_ = 0;       // of which so much was decrypted.
  std::array<std::byte, crypto::kAeadTagBytes> tag_{};
  size_t tag_filled_ = 0;
  // Frames are decrypted side by side into one buffer; [ready_begin_, ready_end_) of it may be
  // given out. Two take turns once nobody looks at what was given out: fresh memory costs as much
  // as decrypting.
  std::shared_ptr<std::byte[]> buffer_;
  std::shared_ptr<std::byte[]> other_;
  uint64_t other_capacity_ = 0;
  uint64_t capacity_ = 0;
  uint64_t used_ = 0;
  uint64_t ready_begin_ = 0;
  uint64_t ready_end_ = 0;
};

}  // namespace rondel::kms
