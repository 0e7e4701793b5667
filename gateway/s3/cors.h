// Cross-origin resource sharing: a bucket's rules, and which of them a request falls under. No I/O.
// Source: "CORS configuration", "Troubleshooting CORS", S3 user guide; PutBucketCors, S3 API reference; Fetch standard, section 3.3.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/s3/error.h"

namespace rondel::s3 {

struct CorsRule {
  std::string id;
  std::vector<std::string> allowed_origins;   // With at most one '*' each.
  std::vector<std::string> allowed_methods;   // Of GET, PUT, HEAD, POST, DELETE.
  std::vector<std::string> allowed_headers;   // With at most one '*' each; case does not matter.
  std::vector<std::string> expose_headers;
  std::optional<uint32_t> max_age_seconds;
};

using CorsConfiguration = std::vector<CorsRule>;   // 1 to 100, the first that fits counts.

// kMalformedXML, kInvalidRequest (methods, wildcards, more than 100 rules).
S3Result<CorsConfiguration> parse_cors_document(std::string_view text);
// As it is stored and answered; parse_cors_document() reads it back.
std::string cors_document(const CorsConfiguration& configuration);

bool is_cors_method(std::string_view method);

// `headers`: names that the request would carry, in any case.
const CorsRule* find_cors_rule(const CorsConfiguration& configuration, std::string_view origin, std::string_view method,
                               const std::vector<std::string>& headers);

// "a, b" of Access-Control-Request-Headers, lower case.
std::vector<std::string> parse_header_names(std::string_view list);

// The Access-Control-* fields of an answer under `rule`.
std::vector<std::pair<std::string, std::string>> cors_fields(const CorsRule& rule, std::string_view origin, const std::vector<std::string>& headers);

// What an answer of a bucket with CORS depends on.
inline constexpr std::string_view kCorsVary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

}  // namespace rondel::s3
