// Signature version 2, in header ("AWS key:signature") and query (AWSAccessKeyId, Expires,
// Signature). Pure. Source: "Signing and authenticating REST requests (AWS signature version 2)",
// S3 developer guide.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/signature/authenticator.h"

namespace rondel::signature {

using QueryParameters = std::vector<std::pair<std::string, std::string>>;  // Decoded.

struct ClaimV2 {
  std::string access_key;
  std::string signature;  // Base64 of HMAC-SHA1.
  std::string string_to_sign;
  // The same, as some clients sign an address that is a bucket alone: "/bucket/". Or empty.
  std::string with_slash;
  bool presigned = false;
};

// `virtual_bucket`: the bucket when the host names it, else empty. nullopt: the request has no
// signature of version 2. Time and expiry are checked here, the signature is not.
std::expected<std::optional<ClaimV2>, RefusalDetail> claim_v2(const http::RequestHead& head,
                                                              const QueryParameters& query,
                                                              std::string_view virtual_bucket,
                                                              const AuthenticatorOptions& options);

std::expected<void, RefusalDetail> check_signature_v2(const ClaimV2& claim,
                                                      const std::string& secret);

}  // namespace rondel::signature
