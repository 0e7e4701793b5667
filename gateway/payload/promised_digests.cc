#include "gateway/payload/promised_digests.h"

#include "common/base/encoding.h"

namespace rondel::payload {
namespace {

using model::ChecksumAlgorithm;

std::unexpected<PayloadError> refuse(PayloadRefusal refusal, std::string message) {
  return std::unexpected(PayloadError{refusal, std::move(message)});
}

std::optional<ChecksumAlgorithm> algorithm_of_header(std::string_view name) {
  for (const ChecksumAlgorithm algorithm : model::all_checksum_algorithms()) {
    if (http::iequals(name, model::header_name(algorithm))) return algorithm;
  }
  return std::nullopt;
}

}  // namespace

std::expected<PromisedDigests, PayloadError> PromisedDigests::begin(const http::RequestHead& head, const signature::Identity& identity,
                                                                    const PayloadOptions& options) {
  PromisedDigests digests;
  digests.compute_md5_ = options.compute_md5;
  digests.checksum_headers_ = options.checksum_headers;
  if (const auto md5 = head.fields.find("Content-MD5")) {
    digests.expected_md5_ = from_base64(*md5);
    if (!digests.expected_md5_ || digests.expected_md5_->size() != 16) return refuse(PayloadRefusal::kInvalidDigest, "The Content-MD5 you specified was invalid.");
  }
  if (options.compute_md5 || digests.expected_md5_) digests.md5_.emplace(crypto::DigestAlgorithm::kMd5);
  if (identity.payload_form == signature::PayloadForm::kHash) {
    digests.sha256_.emplace(crypto::DigestAlgorithm::kSha256);
    digests.expected_sha256_ = identity.payload_hash;
  }
  if (options.checksum_headers) {
    if (auto taken = digests.take_checksum(head.fields); !taken) return std::unexpected(taken.error());
  }
  if (digests.algorithm_) {
    digests.checksum_.emplace(*digests.algorithm_);
  } else if (options.compute) {
    digests.checksum_.emplace(*options.compute);
  }
  return digests;
}

std::expected<void, PayloadError> PromisedDigests::take_checksum(const http::Fields& fields) {
  for (const ChecksumAlgorithm algorithm : model::all_checksum_algorithms()) {
    const auto values = fields.find_all(model::header_name(algorithm));
    if (values.empty()) continue;
    if (algorithm_ || values.size() > 1) {
      return refuse(PayloadRefusal::kInvalidChecksum, "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
    }
    algorithm_ = algorithm;
    expected_checksum_ = parse_checksum(algorithm, values.front());
    if (!expected_checksum_) {
      return refuse(PayloadRefusal::kBadDigest, "Value for " + std::string(model::header_name(algorithm)) + " header is invalid.");
    }
  }
  if (const auto trailer = fields.find("x-amz-trailer")) {
    const auto announced = algorithm_of_header(*trailer);
    if (!announced) return refuse(PayloadRefusal::kInvalidChecksum, "The value specified in the x-amz-trailer header is not supported");
    if (algorithm_) return refuse(PayloadRefusal::kInvalidChecksum, "Expecting a single x-amz-checksum- header");
    algorithm_ = announced;
    in_trailer_ = true;
  }
  return check_announced(fields);
}

// x-amz-sdk-checksum-algorithm says nothing by itself.
std::expected<void, PayloadError> PromisedDigests::check_announced(const http::Fields& fields) const {
  const auto announced = fields.find("x-amz-sdk-checksum-algorithm");
  if (!announced) return {};
  const auto algorithm = model::parse_checksum_algorithm(*announced);
  if (!algorithm) return refuse(PayloadRefusal::kInvalidChecksum, kUnsupportedChecksum);
  if (!algorithm_) {
    return refuse(PayloadRefusal::kInvalidChecksum,
                  "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.");
  }
  if (algorithm_ != algorithm) return refuse(PayloadRefusal::kInvalidChecksum, "Value for x-amz-sdk-checksum-algorithm header is invalid.");
  return {};
}

// Exactly what was announced: another line would be a promise that nobody checks.
bool PromisedDigests::take_trailer(const std::vector<std::pair<std::string, std::string>>& trailer) {
  if (!in_trailer_) return trailer.empty();
  if (trailer.size() != 1 || algorithm_of_header(trailer.front().first) != algorithm_) return false;
  expected_checksum_ = parse_checksum(*algorithm_, trailer.front().second);
  return expected_checksum_.has_value();
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
  if (checksum_headers_ && !take_trailer(trailer)) {
    return refuse(PayloadRefusal::kMalformedTrailer, "The request contained trailing data that was not well-formed or did not conform to our published schema.");
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

}  // namespace rondel::payload
