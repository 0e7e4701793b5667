#include "common/sigv4/sigv4.h"

#include <algorithm>
#include <cstdio>
#include <initializer_list>

#include "common/base/dates.h"
#include "common/base/encoding.h"
#include "common/crypto/digest.h"

namespace rondel::sigv4 {
namespace {

constexpr std::string_view kTerminator = "aws4_request";
constexpr std::string_view kChunkAlgorithm = "AWS4-HMAC-SHA256-PAYLOAD";
constexpr std::string_view kTrailerAlgorithm = "AWS4-HMAC-SHA256-TRAILER";

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Trimmed, and every run of blanks inside one space.
void append_folded(std::string& out, std::string_view value) {
  bool blank = false;
  bool any = false;
  for (const char c : value) {
    if (is_blank(c)) {
      blank = any;
      continue;
    }
    if (blank) out += ' ';
    blank = false;
    any = true;
    out += c;
  }
}

void append_query(std::string& out, const NameValueViews& query) {
  NameValues encoded;
  encoded.reserve(query.size());
  for (const auto& [name, value] : query) {
    encoded.emplace_back(percent_encode(name, false), percent_encode(value, false));
  }
  std::sort(encoded.begin(), encoded.end());
  bool first = true;
  for (const auto& [name, value] : encoded) {
    if (!std::exchange(first, false)) out += '&';
    out.append(name).append(1, '=').append(value);
  }
}

// Stable. Insertion: there are few headers and nearly always in order.
template <class Pairs>
void sort_by_name(Pairs& pairs) {
  const auto by_name = [](const auto& a, const auto& b) { return a.first < b.first; };
  for (auto next = pairs.begin(); next != pairs.end(); ++next) {
    std::rotate(std::upper_bound(pairs.begin(), next, *next, by_name), next, next + 1);
  }
}

void append_lines(std::string& out, std::initializer_list<std::string_view> lines) {
  bool first = true;
  for (const std::string_view line : lines) {
    if (!std::exchange(first, false)) out += '\n';
    out += line;
  }
}

NameValueViews views(const NameValues& pairs) { return {pairs.begin(), pairs.end()}; }

std::string names_of(const NameValues& headers) {
  std::string names;
  std::string_view last;
  for (const auto& [name, value] : headers) {
    if (name == std::exchange(last, name)) continue;
    if (!names.empty()) names += ';';
    names += name;
  }
  return names;
}

}  // namespace

std::string Scope::text() const {
  std::string out;
  out.reserve(date.size() + region.size() + service.size() + kTerminator.size() + 3);
  return out.append(date)
      .append(1, '/')
      .append(region)
      .append(1, '/')
      .append(service)
      .append(1, '/')
      .append(kTerminator);
}

std::string canonical_request(const SignedRequest& request) {
  std::string out;
  out.reserve(1024);
  out.append(request.method)
      .append(1, '\n')
      .append(request.path.empty() ? "/" : request.path)
      .append(1, '\n');
  append_query(out, request.query);
  out += '\n';

  NameValueViews headers = request.headers;
  sort_by_name(headers);
  std::string names;
  names.reserve(256);
  for (size_t i = 0; i < headers.size(); ++i) {
    const auto& [name, value] = headers[i];
    const bool again = i > 0 && headers[i - 1].first == name;
    if (again) {
      out.back() = ',';
    } else {
      out.append(name).append(1, ':');
      if (!names.empty()) names += ';';
      names += name;
    }
    append_folded(out, value);
    out += '\n';
  }
  out.append(1, '\n').append(names).append(1, '\n').append(request.payload_hash);
  return out;
}

std::string string_to_sign(std::string_view timestamp, const Scope& scope,
                           std::string_view canonical_request) {
  std::string out;
  out.reserve(160);
  append_lines(out, {kAlgorithm, timestamp, scope.text(), crypto::sha256_hex(canonical_request)});
  return out;
}

std::string signing_key(std::string_view secret, const Scope& scope) {
  std::string start = "AWS4";
  start += secret;
  const std::string date_key = crypto::hmac_sha256(start, scope.date);
  const std::string region_key = crypto::hmac_sha256(date_key, scope.region);
  const std::string service_key = crypto::hmac_sha256(region_key, scope.service);
  return crypto::hmac_sha256(service_key, kTerminator);
}

std::string signature(std::string_view signing_key, std::string_view string_to_sign) {
  return to_hex(as_bytes(crypto::hmac_sha256(signing_key, string_to_sign)));
}

std::string chunk_string_to_sign(std::string_view timestamp, const Scope& scope,
                                 std::string_view previous_signature,
                                 std::string_view chunk_sha256_hex) {
  std::string out;
  out.reserve(320);
  append_lines(out, {kChunkAlgorithm, timestamp, scope.text(), previous_signature, kEmptySha256,
                     chunk_sha256_hex});
  return out;
}

std::string trailer_string_to_sign(std::string_view timestamp, const Scope& scope,
                                   std::string_view previous_signature,
                                   std::string_view trailer_sha256_hex) {
  std::string out;
  out.reserve(256);
  append_lines(
      out, {kTrailerAlgorithm, timestamp, scope.text(), previous_signature, trailer_sha256_hex});
  return out;
}

std::string format_timestamp(SystemTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  char text[32];
  const int size = std::snprintf(
      text, sizeof text, "%04d%02u%02uT%02d%02d%02dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()));
  return {text, static_cast<size_t>(size)};
}

Result<SystemTime> parse_timestamp(std::string_view text) {
  constexpr size_t kSize = 16;  // yyyymmddThhmmssZ
  const auto time =
      text.size() == kSize && text.back() == 'Z' ? parse_compact_date(text) : std::nullopt;
  if (!time) {
    return fail(ErrorCode::kInvalidArgument, "not a timestamp of the form yyyymmddThhmmssZ");
  }
  return *time;
}

NameValues sign(const Signer& signer, UnsignedRequest request) {
  const std::string timestamp = format_timestamp(signer.now);
  const Scope scope{timestamp.substr(0, 8), signer.region, "s3"};
  NameValues& headers = request.headers;
  headers.emplace_back("x-amz-content-sha256", request.payload_hash);
  headers.emplace_back("x-amz-date", timestamp);
  sort_by_name(headers);
  const std::string canonical = canonical_request(
      {request.method, request.path, views(request.query), views(headers), request.payload_hash});
  const std::string key = signing_key(signer.credentials.secret_key, scope);

  std::string authorization(kAlgorithm);
  authorization.append(" Credential=")
      .append(signer.credentials.access_key)
      .append(1, '/')
      .append(scope.text());
  authorization.append(", SignedHeaders=").append(names_of(headers));
  authorization.append(", Signature=")
      .append(signature(key, string_to_sign(timestamp, scope, canonical)));
  return {{"x-amz-date", timestamp},
          {"x-amz-content-sha256", std::string(request.payload_hash)},
          {"authorization", std::move(authorization)}};
}

std::string presign(const Signer& signer, UnsignedRequest request, int expires_s) {
  const std::string timestamp = format_timestamp(signer.now);
  const Scope scope{timestamp.substr(0, 8), signer.region, "s3"};
  sort_by_name(request.headers);
  NameValues& query = request.query;
  query.emplace_back("X-Amz-Algorithm", kAlgorithm);
  query.emplace_back("X-Amz-Credential", signer.credentials.access_key + "/" + scope.text());
  query.emplace_back("X-Amz-Date", timestamp);
  query.emplace_back("X-Amz-Expires", std::to_string(expires_s));
  query.emplace_back("X-Amz-SignedHeaders", names_of(request.headers));
  const std::string canonical = canonical_request(
      {request.method, request.path, views(query), views(request.headers), kUnsignedPayload});
  std::string out;
  append_query(out, views(query));
  const std::string key = signing_key(signer.credentials.secret_key, scope);
  return out.append("&X-Amz-Signature=")
      .append(signature(key, string_to_sign(timestamp, scope, canonical)));
}

}  // namespace rondel::sigv4
