// AWS Signature Version 4: pure functions of both sides, no sockets.
// Source: "AWS Signature Version 4 for API requests" and "Authenticating Requests (AWS Signature
// Version 4)", S3 API reference.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace rondel::sigv4 {

inline constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";
inline constexpr std::string_view kStreamingSigned = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
inline constexpr std::string_view kStreamingSignedTrailer =
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
inline constexpr std::string_view kStreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
inline constexpr std::string_view kEmptySha256 =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct Scope {
  std::string date;  // yyyymmdd
  std::string region;
  std::string service;
  std::string text() const;  // date/region/service/aws4_request
};

using NameValues = std::vector<std::pair<std::string, std::string>>;
using NameValueViews = std::vector<std::pair<std::string_view, std::string_view>>;

// What is signed of a request. S3's canonical path is the path as sent: encoded once, never
// normalised. Views: the caller keeps what they show alive.
struct SignedRequest {
  std::string_view method;
  std::string_view path;  // As sent, still encoded.
  NameValueViews query;   // Decoded, any order; without X-Amz-Signature.
  // Lower-case names, the signed ones, any order. A name that occurs again is one header with the
  // values in that order.
  NameValueViews headers;
  std::string_view payload_hash;  // x-amz-content-sha256 as sent.
};

std::string canonical_request(const SignedRequest& request);
std::string string_to_sign(std::string_view timestamp, const Scope& scope,
                           std::string_view canonical_request);
// Derived key: 32 raw bytes.
std::string signing_key(std::string_view secret, const Scope& scope);
// Hexadecimal.
std::string signature(std::string_view signing_key, std::string_view string_to_sign);

// aws-chunked: signature of one chunk and of the trailer, each over the one before.
std::string chunk_string_to_sign(std::string_view timestamp, const Scope& scope,
                                 std::string_view previous_signature,
                                 std::string_view chunk_sha256_hex);
std::string trailer_string_to_sign(std::string_view timestamp, const Scope& scope,
                                   std::string_view previous_signature,
                                   std::string_view trailer_sha256_hex);

std::string format_timestamp(SystemTime time);              // yyyymmddThhmmssZ
Result<SystemTime> parse_timestamp(std::string_view text);  // Strict; kInvalidArgument.

// Client side.
struct Credentials {
  std::string access_key;
  std::string secret_key;
};

// Who signs, for which region, and when.
struct Signer {
  Credentials credentials;
  std::string region;
  SystemTime now;
};

struct UnsignedRequest {
  std::string_view method;
  std::string_view path;          // As it will be sent, encoded.
  NameValues query;               // Decoded.
  NameValues headers;             // All of them are signed; host must be one.
  std::string_view payload_hash;  // Of a presigned URL: not looked at.
};

// The headers to add: x-amz-date, x-amz-content-sha256, authorization, in that order.
NameValues sign(const Signer& signer, UnsignedRequest request);
// The query string of a presigned URL: the query and the X-Amz-* parameters. The payload is not
// signed.
std::string presign(const Signer& signer, UnsignedRequest request, int expires_s);

}  // namespace rondel::sigv4
