// The text forms of a signature in a request: Credential, SignedHeaders, the Authorization header,
// the Date header.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"

namespace rondel::signature {

// The words for a text that parse_credential() cannot read.
inline constexpr std::string_view kExpectedCredential =
    "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";

// The words for a request that is signed in more than one place.
inline constexpr std::string_view kOneMechanism =
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query "
    "string parameter or the "
    "Authorization header should be specified";

// "AKID/20130524/us-east-1/s3/aws4_request"; the access key may hold slashes. Views into the text.
struct CredentialText {
  std::string_view access_key;
  std::string_view date;
  std::string_view region;
  std::string_view service;
  std::string_view terminator;
};

std::optional<CredentialText> parse_credential(std::string_view text);

// "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=..." with the three in any order.
// Views into the text.
struct AuthorizationText {
  std::string_view credential;
  std::string_view signed_headers;
  std::string_view signature;
};

// `text` without the algorithm. nullopt when one is missing, unknown or given twice.
std::optional<AuthorizationText> parse_authorization(std::string_view text);

// "a;b;c": lower-case field names, each once. nullopt otherwise, and when empty.
std::optional<std::vector<std::string_view>> parse_signed_headers(std::string_view text);

// "61 62": the bytes of a text, as error documents show what was signed.
std::string spaced_hex(std::string_view value);

// "2013-05-24T00:00:00Z", as AWS writes times in error documents.
std::string format_iso_time(SystemTime time);

}  // namespace rondel::signature
