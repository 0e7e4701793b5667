// The aws-chunked content coding: runs of data with a line before each, signed or not, and a
// trailer. Every line ends with CR LF, and so does every run of data; what is framed otherwise is
// refused as a whole. Source: "Signature calculations for the Authorization header: transferring
// payload in multiple chunks", S3 API reference.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/crypto/digest.h"
#include "gateway/payload/payload_reader.h"

namespace rondel::payload {

// IncompleteBody, as AWS says it of everything that is wrong with the framing.
PayloadError malformed_framing();

// Fed with bytes as they come. One coroutine.
class AwsChunkedDecoder {
 public:
  // `announced`: the name of the one line that the trailer has, as x-amz-trailer says it; both
  // outlive the decoder.
  AwsChunkedDecoder(const signature::Identity& identity, std::optional<std::string_view> announced);

  // Takes bytes from the front of `input` and returns the run of data among them, empty when there
  // is none yet (then all of `input` was taken, or the end was reached).
  std::expected<ByteView, PayloadError> decode(ByteView& input);

  // The last chunk and the trailer were read and verified.
  bool ended() const { return state_ == State::kEnded; }

  // The body has ended: kMalformedChunk unless everything was there.
  std::expected<void, PayloadError> finish();

  const std::vector<std::pair<std::string, std::string>>& trailer() const { return trailer_; }

 private:
  enum class State { kLine, kData, kDataEnd, kTrailer, kEnded };

  std::expected<void, PayloadError> begin_chunk(std::string_view line);
  std::expected<void, PayloadError> take_extension(std::string_view extension);
  std::expected<void, PayloadError> end_chunk();
  std::expected<void, PayloadError> end_trailer();
  std::optional<std::string> take_line(ByteView& input);
  std::expected<void, PayloadError> take_trailer_line(const std::string& line);

  const signature::Identity& identity_;
  const bool signed_;
  const bool has_trailer_;
  const std::optional<std::string_view> announced_;
  State state_ = State::kLine;
  std::string line_;
  uint64_t left_ = 0;
  uint64_t chunk_ = 0;        // The number of the chunk whose header came last, from 1.
  uint64_t chunk_bytes_ = 0;  // As that header says.
  std::string previous_signature_;
  std::string chunk_signature_;
  std::optional<std::string> trailer_signature_;
  std::string trailer_text_;
  crypto::Digest digest_{crypto::DigestAlgorithm::kSha256};
  std::vector<std::pair<std::string, std::string>> trailer_;
};

}  // namespace rondel::payload
