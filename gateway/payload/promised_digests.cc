#include "gateway/payload/promised_digests.h"

#include <algorithm>
#include <array>

#include "common/base/encoding.h"

namespace rondel::payload {
namespace {

using model::ChecksumAlgorithm;

std::unexpected<PayloadError> refuse(PayloadRefusal refusal, std::string message) {
  return std::unexpected(PayloadError{refusal, std::move(message), {}});
}

std::optional<ChecksumAlgorithm> algorithm_of_header(std::string_view name) {
  for (const ChecksumAlgorithm algorithm : model::all_checksum_algorithms()) {
    if (http::iequals(name, model::header_name(algorithm))) return algorithm;
  }
  return std::nullopt;
}

constexpr std::string_view kPrefix = "x-amz-checksum-";

// x-amz-checksum-* that carry no checksum.
bool is_about_checksums(std::string_view name) {
  static constexpr std::array<std::string_view, 3> kNames{
      "x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"};
  return std::ranges::any_of(kNames,
                             [&](std::string_view known) { return http::iequals(name, known); });
}

std::string type_name(std::optional<ChecksumAlgorithm> algorithm) {
  std::string out(algorithm ? model::to_string(*algorithm) : "null");
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

// Source: "Checking object integrity": a part has a checksum of its upload's algorithm, and must
// have it when the object's is made of them.
std::expected<void, PayloadError> check_type(std::optional<ChecksumAlgorithm> actual,
                                             const PayloadOptions& options) {
  if (!options.expected || actual == options.expected || (!actual && !options.checksum_required)) {
    return {};
  }
  return refuse(PayloadRefusal::kInvalidChecksum,
                "Checksum Type mismatch occurred, expected checksum Type: " +
                    type_name(options.expected) + ", actual checksum Type: " + type_name(actual));
}

}  // namespace

std::expected<std::optional<ChecksumHeader>, PayloadError> find_checksum_header(
    const http::Fields& fields) {
  const std::pair<std::string, std::string>* found = nullptr;
  for (const auto& field : fields) {
    const std::string_view name = field.first;
    if (name.size() <= kPrefix.size() || !http::iequals(name.substr(0, kPrefix.size()), kPrefix) ||
        is_about_checksums(name)) {
      continue;
    }
    if (found != nullptr) {
      return refuse(
          PayloadRefusal::kInvalidChecksum,
          "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
    }
    found = &field;
  }
  if (found == nullptr) return std::nullopt;
  const auto algorithm = algorithm_of_header(found->first);
  if (!algorithm) {
    return refuse(PayloadRefusal::kInvalidChecksum,
                  "The algorithm type you specified in x-amz-checksum- header is invalid.");
  }
  return ChecksumHeader{*algorithm, found->second};
}

PayloadError malformed_checksum(ChecksumAlgorithm algorithm, bool in_trailer) {
  return {PayloadRefusal::kMalformedChecksum,
          "Value for " + std::string(model::header_name(algorithm)) +
              (in_trailer ? " trailing header is invalid." : " header is invalid."),
          {}};
}

std::expected<PromisedDigests, PayloadError> PromisedDigests::begin(
    const http::RequestHead& head, const signature::Identity& identity,
    const PayloadOptions& options) {
  PromisedDigests digests;
  digests.compute_md5_ = options.compute_md5;
  digests.checksum_headers_ = options.checksum_headers;
  if (const auto md5 = head.fields.find("Content-MD5")) {
    digests.expected_md5_ = from_base64(*md5);
    if (!digests.expected_md5_ || digests.expected_md5_->size() != 16) {
      return refuse(PayloadRefusal::kInvalidDigest, "The Content-MD5 you specified was invalid.");
    }
  }
  if (options.compute_md5 || digests.expected_md5_) {
    digests.md5_.emplace(crypto::DigestAlgorithm::kMd5);
  }
  if (identity.payload_form == signature::PayloadForm::kHash) {
    digests.sha256_.emplace(crypto::DigestAlgorithm::kSha256);
    digests.expected_sha256_ = identity.payload_hash;
  }
  if (options.checksum_headers) {
    if (auto taken = digests.take_checksum(head.fields); !taken) {
      return std::unexpected(taken.error());
    }
    if (auto good = check_type(digests.algorithm_, options); !good) {
      return std::unexpected(good.error());
    }
  }
  if (digests.algorithm_) {
    digests.checksum_.emplace(*digests.algorithm_);
  } else if (options.compute) {
    digests.checksum_.emplace(*options.compute);
  }
  return digests;
}

std::expected<void, PayloadError> PromisedDigests::take_checksum(const http::Fields& fields) {
  const auto header = find_checksum_header(fields);
  if (!header) return std::unexpected(header.error());
  if (*header) {
    algorithm_ = (*header)->algorithm;
    expected_checksum_ = parse_checksum(*algorithm_, (*header)->value);
    if (!expected_checksum_) return std::unexpected(malformed_checksum(*algorithm_));
  }
  if (const auto trailer = fields.find("x-amz-trailer")) {
    const auto announced = algorithm_of_header(*trailer);
    if (!announced) {
      return refuse(PayloadRefusal::kInvalidChecksum,
                    "The value specified in the x-amz-trailer header is not supported");
    }
    if (algorithm_) {
      return refuse(PayloadRefusal::kInvalidChecksum, "Expecting a single x-amz-checksum- header");
    }
    algorithm_ = announced;
    in_trailer_ = true;
  }
  return check_announced(fields);
}

// x-amz-sdk-checksum-algorithm says nothing by itself.
std::expected<void, PayloadError> PromisedDigests::check_announced(
    const http::Fields& fields) const {
  const auto announced = fields.find("x-amz-sdk-checksum-algorithm");
  if (!announced) return {};
  const auto algorithm = model::parse_checksum_algorithm(*announced);
  if (!algorithm) return refuse(PayloadRefusal::kInvalidChecksum, kUnsupportedChecksum);
  if (!algorithm_) {
    return refuse(PayloadRefusal::kInvalidChecksum,
                  "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* "
                  "or x-amz-trailer headers were found.");
  }
  if (algorithm_ != algorithm) {
    return refuse(PayloadRefusal::kInvalidChecksum,
                  "Value for x-amz-sdk-checksum-algorithm header is invalid.");
  }
  return {};
}

// Exactly what was announced: another line would be a promise that nobody checks.
std::expected<void, PayloadError> PromisedDigests::take_trailer(
    const std::vector<std::pair<std::string, std::string>>& trailer) {
  if (!in_trailer_ && trailer.empty()) return {};
  if (!in_trailer_ || trailer.size() != 1 ||
      algorithm_of_header(trailer.front().first) != algorithm_) {
    return std::unexpected(malformed_trailer());
  }
  expected_checksum_ = parse_checksum(*algorithm_, trailer.front().second);
  if (!expected_checksum_) return std::unexpected(malformed_checksum(*algorithm_, true));
  return {};
}

void PromisedDigests::update(ByteView bytes) {
  if (md5_) md5_->update(bytes);
  if (sha256_) sha256_->update(bytes);
  if (checksum_) checksum_->update(bytes);
}

std::expected<PayloadSummary, PayloadError> PromisedDigests::finish(
    uint64_t size, const std::vector<std::pair<std::string, std::string>>& trailer) {
  PayloadSummary summary;
  summary.size = size;
  if (sha256_ && to_hex(as_bytes(sha256_->finish())) != expected_sha256_) {
    return refuse(PayloadRefusal::kContentSha256Mismatch,
                  "The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
  if (md5_) {
    const std::string md5 = md5_->finish();
    if (expected_md5_ && md5 != *expected_md5_) {
      return refuse(PayloadRefusal::kBadDigest,
                    "The Content-MD5 you specified did not match what we received.");
    }
    if (compute_md5_) summary.md5_hex = to_hex(as_bytes(md5));
  }
  if (checksum_headers_) {
    if (auto taken = take_trailer(trailer); !taken) return std::unexpected(taken.error());
  }
  if (checksum_) {
    const ChecksumAlgorithm algorithm = checksum_->algorithm();
    const std::string value = checksum_->finish();
    if (expected_checksum_ && value != *expected_checksum_) {
      return refuse(PayloadRefusal::kChecksumMismatch,
                    "The " + std::string(model::to_string(algorithm)) +
                        " you specified did not match the calculated checksum.");
    }
    summary.checksum = model::Checksum{algorithm, model::ChecksumType::kFullObject, value};
    summary.checksum_from_client = expected_checksum_.has_value();
  }
  return summary;
}

}  // namespace rondel::payload
