#include "gateway/payload/aws_chunked.h"

#include <algorithm>
#include <charconv>

#include "common/base/encoding.h"

namespace rondel::payload {
namespace {

constexpr size_t kLineBytesMax = 1024;
constexpr size_t kTrailerLinesMax = 16;
constexpr uint64_t kChunkBytesMin = 8192;    // Of signed chunks but the last.
constexpr std::string_view kSignature = "chunk-signature=";

std::unexpected<PayloadError> refuse(PayloadRefusal refusal, std::string message) {
  return std::unexpected(PayloadError{refusal, std::move(message)});
}

const std::string kBadSignature = "The request signature we calculated does not match the signature you provided. Check your key and signing method.";

}  // namespace

AwsChunkedDecoder::AwsChunkedDecoder(const signature::Identity& identity)
    : identity_(identity),
      signed_(identity.payload_form == signature::PayloadForm::kStreamingSigned || identity.payload_form == signature::PayloadForm::kStreamingSignedTrailer),
      has_trailer_(identity.payload_form != signature::PayloadForm::kStreamingSigned),
      previous_signature_(identity.seed_signature) {}

// A whole line without its end; nullopt: it has not come yet, or is too long (then line_ is above the bound).
std::optional<std::string> AwsChunkedDecoder::take_line(ByteView& input) {
  const std::string_view text = as_text(input);
  const size_t end = text.find('\n');
  line_ += text.substr(0, end);
  input = input.subspan(end == std::string_view::npos ? input.size() : end + 1);
  if (end == std::string_view::npos || line_.size() > kLineBytesMax) return std::nullopt;
  if (line_.ends_with('\r')) line_.pop_back();
  return std::exchange(line_, {});
}

std::expected<ByteView, PayloadError> AwsChunkedDecoder::decode(ByteView& input) {
  while (!input.empty() && state_ != State::kEnded) {
    if (state_ == State::kData) {
      const ByteView run = input.first(std::min<uint64_t>(left_, input.size()));
      input = input.subspan(run.size());
      left_ -= run.size();
      if (signed_) digest_.update(run);
      if (left_ == 0) {
        if (auto ended = end_chunk(); !ended) return std::unexpected(ended.error());
        state_ = State::kDataEnd;
      }
      return run;
    }
    const auto line = take_line(input);
    if (!line) {
      if (line_.size() > kLineBytesMax) return refuse(PayloadRefusal::kMalformedChunk, "A chunk header is too long.");
      break;
    }
    std::expected<void, PayloadError> done;
    switch (state_) {
      case State::kLine: done = begin_chunk(*line); break;
      case State::kDataEnd:
        if (!line->empty()) return refuse(PayloadRefusal::kMalformedChunk, "A chunk is longer than it says.");
        state_ = State::kLine;
        break;
      case State::kTrailer: done = take_trailer_line(*line); break;
      default: break;
    }
    if (!done) return std::unexpected(done.error());
  }
  if (state_ == State::kEnded && has_trailer_) take_blank_line(input);
  return ByteView{};
}

void AwsChunkedDecoder::take_blank_line(ByteView& input) {
  while (!input.empty() && !blank_line_.empty() && as_text(input).front() == blank_line_.front()) {
    input = input.subspan(1);
    blank_line_.remove_prefix(1);
  }
}

std::expected<void, PayloadError> AwsChunkedDecoder::begin_chunk(std::string_view line) {
  const size_t semicolon = line.find(';');
  const std::string_view digits = line.substr(0, semicolon);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty()) {
    return refuse(PayloadRefusal::kMalformedChunk, "A chunk header is malformed.");
  }
  if (signed_) {
    const std::string_view extension = semicolon == std::string_view::npos ? "" : line.substr(semicolon + 1);
    if (!extension.starts_with(kSignature)) return refuse(PayloadRefusal::kChunkSignatureMismatch, kBadSignature);
    chunk_signature_ = extension.substr(kSignature.size());
    if (left_ > 0 && short_chunk_) return refuse(PayloadRefusal::kInvalidChunkSize, "Only the last chunk is allowed to have a size less than 8192 bytes");
    short_chunk_ = left_ < kChunkBytesMin;
  }
  if (left_ > 0) {
    state_ = State::kData;
    return {};
  }
  state_ = State::kTrailer;
  return end_chunk();
}

std::expected<void, PayloadError> AwsChunkedDecoder::end_chunk() {
  if (!signed_) return {};
  const std::string text = sigv4::chunk_string_to_sign(identity_.timestamp, identity_.scope, previous_signature_, to_hex(as_bytes(digest_.finish())));
  previous_signature_ = sigv4::signature(identity_.signing_key, text);
  if (!crypto::constant_time_equal(previous_signature_, chunk_signature_)) return refuse(PayloadRefusal::kChunkSignatureMismatch, kBadSignature);
  return {};
}

std::expected<void, PayloadError> AwsChunkedDecoder::take_trailer_line(const std::string& line) {
  if (line.empty()) return end_trailer();
  const size_t colon = line.find(':');
  if (!has_trailer_ || colon == std::string::npos || trailer_.size() >= kTrailerLinesMax) {
    return refuse(PayloadRefusal::kMalformedTrailer, "The request contained trailing data that was not well-formed or did not conform to our published schema.");
  }
  std::string name = line.substr(0, colon);
  std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  std::string value = line.substr(colon + 1);
  value.erase(0, value.find_first_not_of(' '));
  if (name == "x-amz-trailer-signature") {
    trailer_signature_ = value;
    return {};
  }
  trailer_text_ += name + ":" + value + "\n";
  trailer_.emplace_back(std::move(name), std::move(value));
  return {};
}

std::expected<void, PayloadError> AwsChunkedDecoder::end_trailer() {
  // Between trailer and its signature some clients leave a blank line.
  if (signed_ && has_trailer_ && !trailer_.empty() && !trailer_signature_) return {};
  state_ = State::kEnded;
  if (!signed_ || !has_trailer_) return {};
  const std::string text = sigv4::trailer_string_to_sign(identity_.timestamp, identity_.scope, previous_signature_, crypto::sha256_hex(trailer_text_));
  if (!trailer_signature_ || !crypto::constant_time_equal(sigv4::signature(identity_.signing_key, text), *trailer_signature_)) {
    return refuse(PayloadRefusal::kChunkSignatureMismatch, kBadSignature);
  }
  return {};
}

std::expected<void, PayloadError> AwsChunkedDecoder::finish() {
  if (blank_line_.size() == 1) return refuse(PayloadRefusal::kMalformedChunk, "There are bytes behind the last chunk.");
  if (state_ == State::kEnded) return {};
  if (state_ != State::kTrailer) return refuse(PayloadRefusal::kIncompleteBody, "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header");
  // The last line may come without its end, and the blank line behind it not at all.
  if (!line_.empty()) {
    if (line_.ends_with('\r')) line_.pop_back();
    if (auto taken = take_trailer_line(std::exchange(line_, {})); !taken) return taken;
  }
  if (state_ == State::kEnded) return {};
  if (signed_ && has_trailer_ && !trailer_signature_) return refuse(PayloadRefusal::kChunkSignatureMismatch, kBadSignature);
  return end_trailer();
}

}  // namespace rondel::payload
