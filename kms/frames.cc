#include "kms/frames.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/assert.h"
#include "common/crypto/digest.h"

namespace rondel::kms {
namespace {

constexpr std::string_view kStreamKeyLabel = "rondel stream key 1";
constexpr size_t kAdditionalBytes = model::StreamId::kBytes + 5;

// Every stream has a key of its own, so that frame numbers never meet under one key however many
// streams an object has.
crypto::Secret stream_key(const crypto::Secret& data_key, const model::StreamId& stream) {
  return crypto::Secret(crypto::hmac_sha256(
      data_key.view(), std::string(kStreamKeyLabel) + std::string(as_text(stream.view()))));
}

void begin(crypto::Aead& aead, const model::StreamId& stream, uint32_t frame, bool last) {
  std::array<std::byte, kAdditionalBytes> additional;
  std::ranges::copy(stream.view(), additional.begin());
  store_be(additional.data() + model::StreamId::kBytes, frame);
  additional.back() = std::byte{last};
  std::array<std::byte, crypto::kAeadNonceBytes> nonce{};
  nonce[7] = std::byte{last};
  store_be(nonce.data() + 8, frame);
  aead.begin(nonce, additional);
}

std::unexpected<Error> damaged() {
  return fail(ErrorCode::kCorruption, "a frame of ciphertext is not what was sealed");
}

}  // namespace

Result<uint64_t> plaintext_size(uint64_t stored) {
  const uint64_t rest = stored % kStoredFrameBytes;
  if (rest != 0 && rest <= crypto::kAeadTagBytes) {
    return fail(ErrorCode::kCorruption, "no ciphertext has this size");
  }
  return stored / kStoredFrameBytes * kFrameBytes + (rest == 0 ? 0 : rest - crypto::kAeadTagBytes);
}

Result<StoredRange> stored_range(uint64_t stored, uint64_t offset, uint64_t length) {
  TRY(const uint64_t plaintext, plaintext_size(stored));
  if (offset > plaintext || length > plaintext - offset) {
    return fail(ErrorCode::kCorruption, "a range outside of the ciphertext");
  }
  if (length == 0) return StoredRange{};
  const uint64_t first = offset / kFrameBytes;
  const uint64_t end = frame_count(offset + length);
  const uint64_t begin = first * kStoredFrameBytes;
  return StoredRange{begin, std::min(end * kStoredFrameBytes, stored) - begin};
}

FrameSealer::FrameSealer(const crypto::Secret& data_key, const model::StreamId& stream,
                         std::optional<uint64_t> plaintext)
    : aead_(stream_key(data_key, stream).view(), crypto::Aead::Direction::kSeal),
      stream_(stream),
      size_(plaintext),
      buffer_(std::make_unique_for_overwrite<std::byte[]>(
          stored_size(std::min(plaintext.value_or(kFrameBytes), kFrameBytes)))),
      gathered_(plaintext ? nullptr : std::make_unique_for_overwrite<std::byte[]>(kFrameBytes)) {}

Result<ByteView> FrameSealer::seal(ByteView& in) {
  if (in.empty()) return ByteView{};
  if (!size_) return gather(in);
  const uint64_t left = *size_ - sealed_;
  if (left == 0) return fail(ErrorCode::kInvalidArgument, "more bytes than announced");
  const uint64_t frame_bytes = std::min(left, kFrameBytes);
  if (filled_ == 0) begin(aead_, stream_, frame_, frame_bytes == left);
  const size_t count = std::min<uint64_t>(in.size(), frame_bytes - filled_);
  aead_.update(in.first(count), buffer_.get() + filled_);
  filled_ += count;
  in = in.subspan(count);
  if (filled_ < frame_bytes) return ByteView{};
  aead_.finish_seal(buffer_.get() + filled_);
  ++frame_;
  sealed_ += frame_bytes;
  filled_ = 0;
  return ByteView(buffer_.get(), frame_bytes + crypto::kAeadTagBytes);
}

Result<ByteView> FrameSealer::gather(ByteView& in) {
  // Only now it is known that the full frame is not the last.
  if (filled_ == kFrameBytes) return seal_gathered(false);
  const size_t count = std::min<uint64_t>(in.size(), kFrameBytes - filled_);
  std::ranges::copy(in.first(count), gathered_.get() + filled_);
  filled_ += count;
  in = in.subspan(count);
  return ByteView{};
}

ByteView FrameSealer::seal_gathered(bool last) {
  ASSERT(frame_ < UINT32_MAX);
  begin(aead_, stream_, frame_++, last);
  const uint64_t frame_bytes = std::exchange(filled_, 0);
  aead_.update(ByteView(gathered_.get(), frame_bytes), buffer_.get());
  aead_.finish_seal(buffer_.get() + frame_bytes);
  sealed_ += frame_bytes;
  return {buffer_.get(), frame_bytes + crypto::kAeadTagBytes};
}

Result<ByteView> FrameSealer::finish() {
  if (size_ && sealed_ != *size_) {
    return fail(ErrorCode::kInvalidArgument, "fewer bytes than announced");
  }
  if (size_ || filled_ == 0) return ByteView{};
  return seal_gathered(true);
}

FrameOpener::FrameOpener(const crypto::Secret& data_key, const model::StreamId& stream,
                         uint64_t stored, uint64_t offset, uint64_t length)
    : aead_(stream_key(data_key, stream).view(), crypto::Aead::Direction::kOpen),
      stream_(stream),
      plaintext_(plaintext_size(stored).value_or(0)),
      begin_(offset),
      end_(offset + length),
      frame_(offset / kFrameBytes) {
  const auto range = stored_range(stored, offset, length);
  ASSERT(range && length > 0);
  stored_left_ = range->length;
}

void FrameOpener::take_buffer(uint64_t bytes) {
  std::swap(buffer_, other_);
  std::swap(capacity_, other_capacity_);
  if (buffer_.use_count() == 1 && capacity_ >= bytes) return;
  capacity_ = bytes;
  buffer_ = std::make_shared_for_overwrite<std::byte[]>(bytes);
}

void FrameOpener::begin_frame() {
  frame_bytes_ = std::min(kFrameBytes, plaintext_ - frame_ * kFrameBytes);
  if (capacity_ - used_ < frame_bytes_) {
    const uint64_t rest =
        std::min(frame_count(end_) * kFrameBytes, plaintext_) - frame_ * kFrameBytes;
    take_buffer(std::min(rest, model::kPieceBytes));
    used_ = ready_begin_ = ready_end_ = 0;
  }
  begin(aead_, stream_, static_cast<uint32_t>(frame_), frame_ + 1 == frame_count(plaintext_));
  filled_ = 0;
  tag_filled_ = 0;
  under_way_ = true;
}

Result<void> FrameOpener::end_frame() {
  under_way_ = false;
  if (!aead_.finish_open(tag_)) return damaged();
  const uint64_t base = frame_ * kFrameBytes;
  const uint64_t skip = begin_ > base ? begin_ - base : 0;
  const uint64_t stop = std::min(end_ - base, frame_bytes_);
  if (ready_begin_ == ready_end_) ready_begin_ = used_ + skip;
  ready_end_ = used_ + stop;
  used_ += frame_bytes_;
  ++frame_;
  return {};
}

ByteSlice FrameOpener::take_ready() {
  const ByteView bytes(buffer_.get() + ready_begin_, ready_end_ - ready_begin_);
  ready_begin_ = ready_end_;
  return bytes.empty() ? ByteSlice{} : ByteSlice(buffer_, bytes);
}

Result<ByteSlice> FrameOpener::open(ByteView& in) {
  while (!in.empty() && stored_left_ > 0) {
    const uint64_t next = std::min(kFrameBytes, plaintext_ - frame_ * kFrameBytes);
    if (!under_way_ && capacity_ - used_ < next && ready_end_ > ready_begin_) return take_ready();
    if (!under_way_) begin_frame();
    const size_t count = std::min<uint64_t>(in.size(), frame_bytes_ - filled_);
    if (count > 0) {
      aead_.update(in.first(count), buffer_.get() + used_ + filled_);
      filled_ += count;
    }
    const size_t tag = std::min(in.size() - count, tag_.size() - tag_filled_);
    std::ranges::copy(in.subspan(count, tag), tag_.begin() + static_cast<ptrdiff_t>(tag_filled_));
    tag_filled_ += tag;
    stored_left_ -= count + tag;
    in = in.subspan(count + tag);
    if (tag_filled_ == tag_.size()) TRY_VOID(end_frame());
  }
  return stored_left_ == 0 || used_ == capacity_ ? take_ready() : ByteSlice{};
}

}  // namespace rondel::kms
