#include "transfer/grpc/wire.h"

#include <algorithm>

namespace rondel::transfer {
namespace {

class Writer {
 public:
  template <class T>
  Writer& number(T value) {
    std::byte raw[sizeof value];
    store_le(raw, value);
    out_.append(reinterpret_cast<const char*>(raw), sizeof value);
    return *this;
  }

  Writer& bytes(ByteView view) {
    out_ += as_text(view);
    return *this;
  }

  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class Reader {
 public:
  explicit Reader(std::string_view from) : at_(as_bytes(from).data()) {}

  template <class T>
  T number() {
    const T value = load_le<T>(at_);
    at_ += sizeof value;
    return value;
  }

  model::DiskId disk() {
    const auto id = model::DiskId::from_bytes({at_, model::DiskId::kBytes});
    at_ += model::DiskId::kBytes;
    return *id;
  }

  model::BlobId blob() {
    const auto id = model::BlobId::from_bytes(at_);
    at_ += 16;
    return id;
  }

 private:
  const std::byte* at_;
};

bool known(FrameType type) {
  const auto value = static_cast<uint8_t>(type);
  return (value >= 1 && value <= 8) || (value >= 16 && value <= 18);
}

}  // namespace

void encode_head(const Frame& frame, std::string& out) {
  const size_t at = out.size();
  out.resize(at + kFrameHeadBytes);
  auto* head = reinterpret_cast<std::byte*>(out.data() + at);
  std::fill_n(head, kFrameHeadBytes, std::byte{0});
  head[0] = static_cast<std::byte>(frame.type);
  head[1] = static_cast<std::byte>(frame.flags);
  store_le(head + 4, static_cast<uint32_t>(frame.meta.size()));
  store_le(head + 8, static_cast<uint32_t>(frame.body.size()));
  store_le(head + 12, frame.code);
  store_le(head + 16, frame.request);
  store_le(head + 24, frame.argument);
  out += frame.meta;
}

Result<std::vector<Frame>> decode_frames(const ByteSlice& message) {
  std::vector<Frame> frames;
  size_t at = 0;
  while (at < message.size()) {
    if (message.size() - at < kFrameHeadBytes) {
      return fail(ErrorCode::kInvalidArgument, "a frame is cut short");
    }
    const std::byte* head = message.data() + at;
    Frame frame;
    frame.type = static_cast<FrameType>(head[0]);
    frame.flags = std::to_integer<uint8_t>(head[1]);
    const auto meta = load_le<uint32_t>(head + 4);
    const auto body = load_le<uint32_t>(head + 8);
    frame.code = load_le<uint32_t>(head + 12);
    frame.request = load_le<uint64_t>(head + 16);
    frame.argument = load_le<uint64_t>(head + 24);
    at += kFrameHeadBytes;
    if (!known(frame.type)) return fail(ErrorCode::kInvalidArgument, "a frame of an unknown type");
    if (meta > kMetaBytesMax || body > kBodyBytesMax ||
        message.size() - at < uint64_t{meta} + body) {
      return fail(ErrorCode::kInvalidArgument, "a frame's lengths are out of bounds");
    }
    frame.meta = as_text(message.view().subspan(at, meta));
    if (body > 0) frame.body = message.sub(at + meta, body);
    at += meta + body;
    frames.push_back(std::move(frame));
  }
  return frames;
}

std::string encode(const PutMeta& meta) {
  return Writer()
      .bytes(meta.disk.view())
      .bytes(meta.blob.bytes())
      .number(meta.length)
      .number(meta.ring_epoch)
      .number(meta.created_us)
      .bytes(meta.handoff_for.view())
      .number(meta.order)
      .take();
}

std::optional<PutMeta> decode_put_meta(std::string_view bytes) {
  if (bytes.size() < kPutMetaBytes) return std::nullopt;
  Reader in(bytes);
  PutMeta meta;
  meta.disk = in.disk();
  meta.blob = in.blob();
  meta.length = in.number<uint64_t>();
  meta.ring_epoch = in.number<uint64_t>();
  meta.created_us = in.number<uint64_t>();
  meta.handoff_for = in.disk();
  meta.order = in.number<uint64_t>();
  return meta;
}

std::string encode(const StatMeta& meta) {
  return Writer()
      .number(meta.length)
      .number(meta.digest.low)
      .number(meta.digest.high)
      .bytes(meta.handoff_for.view())
      .number(meta.created_us)
      .number(meta.order)
      .number(static_cast<uint8_t>(meta.removed ? 1 : 0))
      .take();
}

std::optional<StatMeta> decode_stat_meta(std::string_view bytes) {
  if (bytes.size() != kStatMetaBytes) return std::nullopt;
  Reader in(bytes);
  StatMeta meta;
  meta.length = in.number<uint64_t>();
  meta.digest.low = in.number<uint64_t>();
  meta.digest.high = in.number<uint64_t>();
  meta.handoff_for = in.disk();
  meta.created_us = in.number<uint64_t>();
  meta.order = in.number<uint64_t>();
  meta.removed = in.number<uint8_t>() != 0;
  return meta;
}

std::string encode(const GetMeta& meta) {
  return Writer()
      .bytes(meta.disk.view())
      .bytes(meta.blob.bytes())
      .number(meta.offset)
      .number(meta.length)
      .take();
}

std::optional<GetMeta> decode_get_meta(std::string_view bytes) {
  if (bytes.size() != kGetMetaBytes) return std::nullopt;
  Reader in(bytes);
  GetMeta meta;
  meta.disk = in.disk();
  meta.blob = in.blob();
  meta.offset = in.number<uint64_t>();
  meta.length = in.number<uint64_t>();
  return meta;
}

std::string encode(std::span<const hash::BlockDigest> digests) {
  Writer out;
  for (const hash::BlockDigest digest : digests) out.number(digest);
  return out.take();
}

std::optional<std::vector<hash::BlockDigest>> decode_digests(std::string_view bytes) {
  if (bytes.size() % sizeof(hash::BlockDigest) != 0) return std::nullopt;
  std::vector<hash::BlockDigest> digests(bytes.size() / sizeof(hash::BlockDigest));
  Reader in(bytes);
  for (hash::BlockDigest& digest : digests) digest = in.number<uint64_t>();
  return digests;
}

std::string encode(const hash::BlobDigest& digest) {
  return Writer().number(digest.low).number(digest.high).take();
}

std::optional<hash::BlobDigest> decode_blob_digest(std::string_view bytes) {
  if (bytes.size() != 16) return std::nullopt;
  Reader in(bytes);
  hash::BlobDigest digest;
  digest.low = in.number<uint64_t>();
  digest.high = in.number<uint64_t>();
  return digest;
}

Frame error_frame(FrameType type, uint64_t request, const Error& error) {
  Frame frame;
  frame.type = type;
  frame.flags = kLast;
  frame.request = request;
  frame.code = static_cast<uint32_t>(error.code);
  frame.meta = error.message.substr(0, 1024);
  return frame;
}

std::optional<Error> error_of(const Frame& frame) {
  if (frame.code == 0) return std::nullopt;
  const bool in_range = frame.code <= static_cast<uint32_t>(ErrorCode::kStorageFull);
  return Error{in_range ? static_cast<ErrorCode>(frame.code) : ErrorCode::kInternal, frame.meta};
}

}  // namespace rondel::transfer
