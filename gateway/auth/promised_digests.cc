#include "gateway/auth/promised_digests.h"

#include "common/base/encoding.h"

namespace rondel::auth {
namespace {

using model::ChecksumAlgorithm;

constexpr ChecksumAlgorithm kAlgorithms[] = {ChecksumAlgorithm::kCrc32, ChecksumAlgorithm::kCrc32c, ChecksumAlgorithm::kSha1,
                                             ChecksumAlgorithm::kSha256, ChecksumAlgorithm::kCrc64Nvme};

std::unexpected<PayloadError> refuse(PayloadRefusal refusal, std::string message) {
  return std::unexpected(PayloadError{refusal, std::move(message)});
}

std::optional<ChecksumAlgorithm> algorithm_of_header(std::string_view name) {
  for (const ChecksumAlgorithm algorithm : kAlgorithms) {
    if (http::iequals(name, model::header_name(algorithm))) return algorithm;
  }
  return std::nullopt;
}

}  // namespace

std::expected<PromisedDigests, PayloadError> PromisedDigests::begin(const http::RequestHead& head, const Identity& identity,
                                                                    const PayloadOptions& options) {
  PromisedDigests digests;
  digests.compute_md5_ = options.compute_md5;
  if (const auto md5 = head.fields.find("Content-MD5")) {
    digests.expected_md5_ = from_base64(*md5);
    if (!digests.expected_md5_ || digests.expected_md5_->size() != 16) return refuse(PayloadRefusal::kInvalidDigest, "The Content-MD5 you specified was invalid.");
  }
  if (options.compute_md5 || digests.expected_md5_) digests.md5_.emplace(crypto::DigestAlgorithm::kMd5);
  if (identity.payload_form == PayloadForm::kHash) {
    digests.sha256_.emplace(crypto::DigestAlgorithm::kSha256);
    digests.expected_sha256_ = identity.payload_hash;
  }
  if (options.checksum_headers) {
    for (const ChecksumAlgorithm algorithm : kAlgorithms) {
      const auto value = head.fields.find(model::header_name(algorithm));
      if (!value) continue;
      if (digests.algorithm_) return refuse(PayloadRefusal::kInvalidChecksum, "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
      digests.algorithm_ = algorithm;
      digests.expected_checksum_ = parse_checksum(algorithm, *value);
      if (!digests.expected_checksum_) {
        return refuse(PayloadRefusal::kInvalidChecksum, "Value for " + std::string(model::header_name(algorithm)) + " header is invalid.");
      }
    }
    if (const auto trailer = head.fields.find("x-amz-trailer"); trailer && !digests.algorithm_) {
      digests.algorithm_ = algorithm_of_header(*trailer);
      if (!digests.algorithm_) return refuse(PayloadRefusal::kInvalidChecksum, "The value specified in the x-amz-trailer header is not supported");
      digests.in_trailer_ = true;
    }
    if (const auto announced = head.fields.find("x-amz-sdk-checksum-algorithm")) {
      const auto algorithm = model::parse_checksum_algorithm(*announced);
      if (!algorithm) return refuse(PayloadRefusal::kInvalidChecksum, "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]");
      if (digests.algorithm_ && digests.algorithm_ != algorithm) {
        return refuse(PayloadRefusal::kInvalidChecksum, "Value for x-amz-sdk-checksum-algorithm header is invalid.");
      }
    }
  }
  if (digests.algorithm_) {
    digests.checksum_.emplace(*digests.algorithm_);
  } else if (options.compute) {
    digests.checksum_.emplace(*options.compute);
  }
  return digests;
}

void PromisedDigests::update(ByteView bytes) {
  if (md5_) md5_->update(bytes);
  if (sha256_) sha256_->update(bytes);
  if (checksum_) checksum_->update(bytes);
}

std::expected<PayloadSummary, PayloadError> PromisedDigests::finish(uint64_t size,
                                                                    const std::vector<std::pair<std::string, std::string>>& trailer) {
  PayloadSummary summary;
  summary.size = size;
  if (sha256_ && to_hex(as_bytes(sha256_->finish())) != expected_sha256_) {
    return refuse(PayloadRefusal::kContentSha256Mismatch, "The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
  if (md5_) {
    const std::string md5 = md5_->finish();
    if (expected_md5_ && md5 != *expected_md5_) return refuse(PayloadRefusal::kBadDigest, "The Content-MD5 you specified did not match what we received.");
    if (compute_md5_) summary.md5_hex = to_hex(as_bytes(md5));
  }
  if (in_trailer_) {
    for (const auto& [name, value] : trailer) {
      if (algorithm_of_header(name) == algorithm_) expected_checksum_ = parse_checksum(*algorithm_, value);
    }
    if (!expected_checksum_) return refuse(PayloadRefusal::kMalformedTrailer, "The request contained trailing data that was not well-formed or did not conform to our published schema.");
  }
  if (checksum_) {
    const ChecksumAlgorithm algorithm = checksum_->algorithm();
    const std::string value = checksum_->finish();
    if (expected_checksum_ && value != *expected_checksum_) {
      return refuse(PayloadRefusal::kChecksumMismatch, "The " + std::string(model::to_string(algorithm)) + " you specified did not match the calculated checksum.");
    }
    summary.checksum = model::Checksum{algorithm, model::ChecksumType::kFullObject, value};
    summary.checksum_from_client = expected_checksum_.has_value();
  }
  return summary;
}

}  // namespace rondel::auth
