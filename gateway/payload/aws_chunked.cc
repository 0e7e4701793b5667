#include "gateway/payload/aws_chunked.h"

#include <algorithm>
#include <charconv>

#include "common/base/encoding.h"
#include "gateway/signature/credential_scope.h"

namespace rondel::payload {
namespace {

constexpr size_t kLineBytesMax = 1024;
constexpr uint64_t kChunkBytesMin = 8192;  // Of all chunks but the last.
constexpr size_t kSignatureDigits = 64;
constexpr std::string_view kChunkSignature = "chunk-signature=";
constexpr std::string_view kTrailerSignature = "x-amz-trailer-signature";

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

bool is_signature(std::string_view text) {
  return text.size() == kSignatureDigits && from_hex(text).has_value();
}

std::unexpected<PayloadError> refuse_framing() { return std::unexpected(malformed_framing()); }

// A signature that is one, but not ours: shown as a request's is.
std::unexpected<PayloadError> mismatch(const signature::Identity& identity,
                                       const std::string& to_sign, std::string_view provided) {
  const std::string access_key =
      identity.credential == nullptr ? "" : identity.credential->key.access_key;
  return std::unexpected(PayloadError{PayloadRefusal::kChunkSignatureMismatch,
                                      "The request signature we calculated does not match the "
                                      "signature you provided. Check your key and signing method.",
                                      {{"AWSAccessKeyId", access_key},
                                       {"StringToSign", to_sign},
                                       {"SignatureProvided", std::string(provided)},
                                       {"StringToSignBytes", signature::spaced_hex(to_sign)}}});
}

}  // namespace

PayloadError malformed_framing() {
  return {PayloadRefusal::kMalformedChunk, "The request body terminated unexpectedly", {}};
}

AwsChunkedDecoder::AwsChunkedDecoder(const signature::Identity& identity,
                                     std::optional<std::string_view> announced)
    : identity_(identity),
      signed_(identity.payload_form == signature::PayloadForm::kStreamingSigned ||
              identity.payload_form == signature::PayloadForm::kStreamingSignedTrailer),
      has_trailer_(identity.payload_form != signature::PayloadForm::kStreamingSigned),
      announced_(announced),
      previous_signature_(identity.seed_signature) {}

// A whole line without its CR LF; nullopt: it has not come yet, or is too long (then line_ is above
// the bound).
std::optional<std::string> AwsChunkedDecoder::take_line(ByteView& input) {
  while (!input.empty() && line_.size() <= kLineBytesMax) {
    const std::string_view text = as_text(input);
    const size_t end = text.find('\n');
    const size_t taken = end == std::string_view::npos ? text.size() : end + 1;
    line_ += text.substr(0, taken);
    input = input.subspan(taken);
    if (!line_.ends_with("\r\n") || line_.size() > kLineBytesMax) continue;
    line_.resize(line_.size() - 2);
    return std::exchange(line_, {});
  }
  return std::nullopt;
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
      if (line_.size() > kLineBytesMax) return refuse_framing();
      break;
    }
    std::expected<void, PayloadError> done;
    switch (state_) {
      case State::kLine: done = begin_chunk(*line); break;
      case State::kDataEnd:
        if (!line->empty()) return refuse_framing();
        state_ = State::kLine;
        break;
      case State::kTrailer: done = take_trailer_line(*line); break;
      default: break;
    }
    if (!done) return std::unexpected(done.error());
  }
  return ByteView{};
}

std::expected<void, PayloadError> AwsChunkedDecoder::begin_chunk(std::string_view line) {
  const size_t semicolon = line.find(';');
  const std::string_view digits = line.substr(0, semicolon);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty()) {
    return refuse_framing();
  }
  if (signed_ != (semicolon != std::string_view::npos)) return refuse_framing();
  if (signed_) {
    if (auto taken = take_extension(line.substr(semicolon + 1)); !taken) return taken;
  }

  // That a chunk is too short is seen where another one follows, and told by that one's number.
  if (++chunk_ > 1 && left_ > 0 && chunk_bytes_ < kChunkBytesMin) {
    return std::unexpected(PayloadError{
        PayloadRefusal::kInvalidChunkSize,
        "Only the last chunk is allowed to have a size less than 8192 bytes",
        {{"Chunk", std::to_string(chunk_)}, {"BadChunkSize", std::to_string(chunk_bytes_)}}});
  }
  chunk_bytes_ = left_;

  if (left_ > 0) {
    state_ = State::kData;
    return {};
  }
  state_ = State::kTrailer;
  return end_chunk();
}

std::expected<void, PayloadError> AwsChunkedDecoder::take_extension(std::string_view extension) {
  if (!extension.starts_with(kChunkSignature)) return refuse_framing();
  chunk_signature_ = extension.substr(kChunkSignature.size());
  if (!is_signature(chunk_signature_)) return refuse_framing();
  return {};
}

std::expected<void, PayloadError> AwsChunkedDecoder::end_chunk() {
  if (!signed_) return {};
  const std::string text =
      sigv4::chunk_string_to_sign(identity_.timestamp, identity_.scope, previous_signature_,
                                  to_hex(as_bytes(digest_.finish())));
  previous_signature_ = sigv4::signature(identity_.signing_key, text);
  if (!crypto::constant_time_equal(previous_signature_, chunk_signature_)) {
    return mismatch(identity_, text, chunk_signature_);
  }
  return {};
}

// A line feed before the end of a line is a blank: minio-go, and the example of the S3 API
// reference, end the line with one and then CR LF.
std::expected<void, PayloadError> AwsChunkedDecoder::take_trailer_line(const std::string& line) {
  if (line.empty()) return end_trailer();
  const size_t colon = line.find(':');
  if (!has_trailer_ || colon == std::string::npos) return std::unexpected(malformed_trailer());
  const std::string_view name = trim(std::string_view(line).substr(0, colon));
  const std::string_view value = trim(std::string_view(line).substr(colon + 1));
  if (trailer_signature_) return std::unexpected(malformed_trailer());
  if (signed_ && http::iequals(name, kTrailerSignature)) {
    if (!is_signature(value)) return refuse_framing();
    trailer_signature_ = value;
    return {};
  }
  if (!announced_ || !http::iequals(name, trim(*announced_)) || !trailer_.empty() ||
      value.contains('\n')) {
    return std::unexpected(malformed_trailer());
  }
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  trailer_text_ = lower + ":" + std::string(value) + "\n";
  trailer_.emplace_back(std::move(lower), value);
  return {};
}

std::expected<void, PayloadError> AwsChunkedDecoder::end_trailer() {
  if (announced_ && trailer_.empty()) return std::unexpected(malformed_trailer());
  state_ = State::kEnded;
  if (!signed_ || !has_trailer_) return {};
  if (!trailer_signature_) return refuse_framing();
  const std::string text = sigv4::trailer_string_to_sign(
      identity_.timestamp, identity_.scope, previous_signature_, crypto::sha256_hex(trailer_text_));
  if (!crypto::constant_time_equal(sigv4::signature(identity_.signing_key, text),
                                   *trailer_signature_)) {
    return mismatch(identity_, text, *trailer_signature_);
  }
  return {};
}

std::expected<void, PayloadError> AwsChunkedDecoder::finish() {
  if (state_ == State::kEnded) return {};
  return refuse_framing();
}

}  // namespace rondel::payload
