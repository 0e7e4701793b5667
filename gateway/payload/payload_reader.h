// PayloadReader: the plain bytes of a request's body, with everything checked that the client
// promised about them.
//
// Decodes aws-chunked, verifies each chunk's signature before its bytes are handed out as final,
// the payload hash, the decoded length, the final chunk, the trailer and its signature,
// Content-MD5, and x-amz-checksum-* in header or trailer; computes the ETag's MD5 in the same pass.
// A body that breaks any promise ends with a Refusal and must not be stored. One coroutine. Source:
// "Signature calculations for the Authorization header: transferring payload in multiple chunks",
// "Checking object integrity", S3 user guide.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/http/server.h"
#include "common/model/checksum.h"
#include "gateway/signature/authenticator.h"

namespace rondel::payload {

enum class PayloadRefusal {
  kIncompleteBody,  // Fewer bytes than announced.
  kClientGone,
  kTimeout,
  kContentSha256Mismatch,   // XAmzContentSHA256Mismatch
  kChunkSignatureMismatch,  // SignatureDoesNotMatch
  kMalformedChunk,          // IncompleteBody of the framing
  kInvalidChunkSize,        // A chunk but the last below 8 KiB: InvalidChunkSizeError
  kBadDigest,               // Content-MD5 differs
  kInvalidDigest,           // Content-MD5 is not base64 of 16 bytes
  kChecksumMismatch,        // XAmzContentChecksumMismatch / BadDigest
  // Two values were given, or one of no algorithm, or of another than announced or expected
  kInvalidChecksum,
  // A value is not of its algorithm's form: BadDigest where ceph/s3-tests wants it, else
  // InvalidRequest
  kMalformedChecksum,
  kMalformedTrailer,  // MalformedTrailerError
  kTooLarge,          // Above PayloadOptions::size_max
  // PayloadOptions::needs_length: neither a length nor chunks of HTTP: MissingContentLength
  kMissingLength,
};

struct PayloadError {
  PayloadRefusal refusal;
  std::string message;
  // Elements of the answer: Chunk, StringToSign, ...
  std::vector<std::pair<std::string, std::string>> details;
};

// MalformedTrailerError, as AWS says it of every trailer that is not what was announced.
PayloadError malformed_trailer();

struct PayloadOptions {
  uint64_t size_max = UINT64_MAX;
  bool compute_md5 = true;
  // False: x-amz-checksum-* headers are not about this body (CompleteMultipartUpload: about the
  // object).
  bool checksum_headers = true;
  // The only algorithm that the client's checksum may have, and whether one must come.
  std::optional<model::ChecksumAlgorithm> expected;
  bool checksum_required = false;
  // The body is an object: a head that says nothing of a body's length is refused, not read as an
  // empty one.
  bool needs_length = false;
  // Computed even when the client sent none of it (S3 adds CRC64NVME to such uploads).
  std::optional<model::ChecksumAlgorithm> compute;
};

struct PayloadSummary {
  uint64_t size = 0;
  std::string md5_hex;  // Empty unless computed.
  // The one the client sent (verified), else the computed one.
  std::optional<model::Checksum> checksum;
  bool checksum_from_client = false;
};

class PayloadReader {
 public:
  // Looks at the head alone; a contradiction or bad value in it is refused here, before any byte is
  // read.
  static std::expected<std::unique_ptr<PayloadReader>, PayloadError> open(
      http::Exchange& exchange, const signature::Identity& identity, PayloadOptions options);
  virtual ~PayloadReader() = default;

  // Decoded length when it is known up front.
  virtual std::optional<uint64_t> size() const = 0;
  // The algorithm of the client's checksum, from header, trailer announcement or
  // x-amz-sdk-checksum-algorithm.
  virtual std::optional<model::ChecksumAlgorithm> checksum_algorithm() const = 0;
  // The next run of plain bytes, valid until the next call; empty = everything was read and
  // verified.
  virtual async::Task<std::expected<ByteView, PayloadError>> read() = 0;
  // REQUIRES: read() returned the empty run.
  virtual const PayloadSummary& summary() const = 0;
};

}  // namespace rondel::payload
