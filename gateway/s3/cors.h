// Cross-origin resource sharing: a bucket's rules, and which of them a request falls under. No I/O.
// Source: "CORS configuration", "Troubleshooting CORS", S3 user guide; PutBucketCors, S3 API
// reference; Fetch standard, section 3.3.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/s3/error.h"

namespace rondel::s3 {

struct CorsRule {
  std::string id;
  std::vector<std::string> allowed_origins;  // With at most one '*' each.
  std::vector<std::string> allowed_methods;  // Of GET, PUT, HEAD, POST, DELETE.
  std::vector<std::string> allowed_headers;  // With at most one '*' each; case does not matter.
  std::vector<std::string> expose_headers;
  std::optional<uint32_t> max_age_seconds;
};

using CorsConfiguration = std::vector<CorsRule>;  // 1 to 100, the first that fits counts.

// kMalformedXML, kInvalidRequest (methods, wildcards, more than 100 rules).
S3Result<CorsConfiguration> parse_cors_document(std::string_view text);
// As it is stored and answered; parse_cors_document() reads it back.
std::string cors_document(const CorsConfiguration& configuration);

bool is_cors_method(std::string_view method);

// Names in Access-Control-Request-Headers that a preflight may have: a script sends a few.
inline constexpr size_t kPreflightNamesMax = 100;

// A bucket's rules, prepared once and asked by every cross-origin request. Immutable: safe for
// concurrent use.
class CorsRules {
 public:
  explicit CorsRules(CorsConfiguration configuration);
  CorsRules(CorsRules&&) = default;

  // The first rule that fits, or null. `headers`: names that the request would carry, in small
  // letters; more than kPreflightNamesMax fit no rule. Patterns compared are added to `steps`: at
  // most one for each pattern of origins, and for each of the headers one for each pattern with a
  // wildcard and for a search among the others.
  const CorsRule* find(std::string_view origin, std::string_view method,
                       const std::vector<std::string>& headers, uint64_t* steps = nullptr) const;

  // What it holds.
  size_t memory_bytes() const { return memory_bytes_; }

 private:
  // What stands before and behind the star.
  struct Pattern {
    std::string head;
    std::string tail;
    bool matches(std::string_view text) const;
  };

  // Small letters where case does not matter.
  struct Names {
    explicit Names(const std::vector<std::string>& patterns, bool ignore_case);
    bool has(std::string_view text, uint64_t& steps) const;

    std::vector<std::string> literals;  // Sorted.
    std::vector<Pattern> patterns;
    bool any = false;  // "*"
  };

  struct Prepared {
    Names origins;
    Names headers;
  };

  CorsConfiguration configuration_;
  std::vector<Prepared> prepared_;  // Of each rule.
  size_t memory_bytes_ = 0;
};

// "a, b" of Access-Control-Request-Headers, lower case.
std::vector<std::string> parse_header_names(std::string_view list);

// The Access-Control-* fields of an answer under `rule`.
std::vector<std::pair<std::string, std::string>> cors_fields(
    const CorsRule& rule, std::string_view origin, const std::vector<std::string>& headers);

// What an answer of a bucket with CORS depends on.
inline constexpr std::string_view kCorsVary =
    "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

}  // namespace rondel::s3
