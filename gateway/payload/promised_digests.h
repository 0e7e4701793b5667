// What the head promises about the plain bytes of a body, and whether they keep it.
#pragma once

#include <optional>

#include "gateway/payload/object_checksum.h"
#include "gateway/payload/payload_reader.h"

namespace rondel::payload {

// The one x-amz-checksum-* header that a request may have; its value is not looked at.
struct ChecksumHeader {
  model::ChecksumAlgorithm algorithm;
  std::string_view value;
};

// kInvalidChecksum: there are several, of whatever value, or one of no known algorithm.
std::expected<std::optional<ChecksumHeader>, PayloadError> find_checksum_header(
    const http::Fields& fields);

// The words for a value that parse_checksum() cannot read, in a header or in the trailer.
PayloadError malformed_checksum(model::ChecksumAlgorithm algorithm, bool in_trailer = false);

// One coroutine. begin() looks at the head alone; update() takes the plain bytes; finish()
// compares.
class PromisedDigests {
 public:
  static std::expected<PromisedDigests, PayloadError> begin(const http::RequestHead& head,
                                                            const signature::Identity& identity,
                                                            const PayloadOptions& options);

  void update(ByteView bytes);
  // `trailer`: name (lower case) and value of what came behind the body.
  std::expected<PayloadSummary, PayloadError> finish(
      uint64_t size, const std::vector<std::pair<std::string, std::string>>& trailer);

  std::optional<model::ChecksumAlgorithm> algorithm() const { return algorithm_; }

 private:
  std::expected<void, PayloadError> take_checksum(const http::Fields& fields);
  std::expected<void, PayloadError> take_trailer(
      const std::vector<std::pair<std::string, std::string>>& trailer);
  std::expected<void, PayloadError> check_announced(const http::Fields& fields) const;

  std::optional<crypto::Digest> md5_;
  std::optional<std::string> expected_md5_;
  std::optional<crypto::Digest> sha256_;
  std::string expected_sha256_;
  std::optional<model::ChecksumAlgorithm> algorithm_;  // Of the client's checksum.
  std::optional<std::string> expected_checksum_;
  bool in_trailer_ = false;
  bool checksum_headers_ = true;
  std::optional<ObjectChecksum> checksum_;
  bool compute_md5_ = true;
};

}  // namespace rondel::payload
