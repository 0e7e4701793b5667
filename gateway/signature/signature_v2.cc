#include "gateway/signature/signature_v2.h"

#include <algorithm>
#include <array>
#include <map>

#include "common/base/dates.h"
#include "common/base/encoding.h"
#include "common/base/numbers.h"
#include "common/crypto/digest.h"
#include "gateway/s3/operation.h"
#include "gateway/signature/credential_scope.h"

namespace rondel::signature {
namespace {

template <class T>
using Checked = std::expected<T, RefusalDetail>;

// The last second of the year 9999.
constexpr uint64_t kExpiresMax =
    std::chrono::floor<std::chrono::seconds>(kLastTime).time_since_epoch().count();

// Parameters that are part of the resource: whatever selects an operation, so that none is reached
// by the signature of another.
constexpr auto kSelectors = std::to_array<std::string_view>({
#define RONDEL_S3_OPERATION(name, method, level, sub_resource, ...) sub_resource,
#include "gateway/s3/operation_list.h"
#undef RONDEL_S3_OPERATION
});
// And what says of which version or part, or how it is answered.
constexpr std::array<std::string_view, 11> kFurther{"defaultObjectAcl",
                                                    "partNumber",
                                                    "response-cache-control",
                                                    "response-content-disposition",
                                                    "response-content-encoding",
                                                    "response-content-language",
                                                    "response-content-type",
                                                    "response-expires",
                                                    "select-type",
                                                    "storageClass",
                                                    "versionId"};

// Clients never sign it, and it selects another form of the same listing, by the same right.
constexpr std::string_view kListType = "list-type";

constexpr bool is_of_resource(std::string_view parameter) {
  if (parameter.empty() || parameter == kListType) return false;
  return std::ranges::find(kSelectors, parameter) != kSelectors.end() ||
         std::ranges::find(kFurther, parameter) != kFurther.end();
}

consteval bool every_selector_is_signed() {
  return std::ranges::all_of(s3::kOperationRows, [](const s3::OperationRow& row) {
    return row.sub_resource.empty() || row.sub_resource == kListType ||
           is_of_resource(row.sub_resource);
  });
}

static_assert(every_selector_is_signed());

std::unexpected<RefusalDetail> refuse(
    Refusal refusal, std::string message,
    std::vector<std::pair<std::string, std::string>> details = {}) {
  return std::unexpected(RefusalDetail{refusal, std::move(message), std::move(details)});
}

const std::string* find(const QueryParameters& query, std::string_view name) {
  const auto found = std::ranges::find(query, name, &QueryParameters::value_type::first);
  return found == query.end() ? nullptr : &found->second;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

std::string amz_headers(const http::Fields& fields) {
  std::map<std::string, std::string> values;
  for (const auto& [name, value] : fields) {
    const std::string key = lower(name);
    if (!key.starts_with("x-amz-")) continue;
    std::string& joined = values[key];
    joined += (joined.empty() ? "" : ",") + value;
  }
  std::string out;
  for (const auto& [name, value] : values) out += name + ":" + value + "\n";
  return out;
}

std::string resource(std::string_view path, const QueryParameters& query,
                     std::string_view virtual_bucket) {
  std::string out;
  if (!virtual_bucket.empty()) out += "/" + std::string(virtual_bucket);
  out += path;
  QueryParameters signed_ones;
  std::ranges::copy_if(query, std::back_inserter(signed_ones),
                       [](const auto& pair) { return is_of_resource(pair.first); });
  std::ranges::sort(signed_ones);
  char separator = '?';
  for (const auto& [name, value] : signed_ones) {
    out += std::exchange(separator, '&') + name;
    if (!value.empty()) out += "=" + value;
  }
  return out;
}

ClaimV2 claim_over(const http::RequestHead& head, const QueryParameters& query,
                   std::string_view virtual_bucket, std::string_view date) {
  const auto field = [&](std::string_view name) {
    return std::string(head.fields.find(name).value_or(""));
  };
  const std::string before = head.method + "\n" + field("Content-MD5") + "\n" +
                             field("Content-Type") + "\n" + std::string(date) + "\n" +
                             amz_headers(head.fields);
  const std::string path(head.path());
  ClaimV2 claim;
  claim.string_to_sign = before + resource(path, query, virtual_bucket);
  if (virtual_bucket.empty() && path.size() > 1 && !path.substr(1).contains('/')) {
    claim.with_slash = before + resource(path + "/", query, "");
  }
  return claim;
}

std::optional<SystemTime> parse_time(std::string_view text) {
  if (const auto time = parse_http_date(text)) return time;
  if (const Result<SystemTime> time = sigv4::parse_timestamp(text)) return *time;
  return std::nullopt;
}

Checked<void> check_skew(const http::Fields& fields, const AuthenticatorOptions& options) {
  const auto amz_date = fields.find("x-amz-date");
  const auto time = parse_time(amz_date ? *amz_date : fields.find("Date").value_or(""));
  if (!time) {
    return refuse(Refusal::kAccessDenied,
                  "AWS authentication requires a valid Date or x-amz-date header");
  }
  const SystemTime now = options.clock->now();
  const auto skew = std::chrono::duration_cast<std::chrono::microseconds>(options.skew_max);
  if (*time >= now - skew && *time <= now + skew) return {};
  return refuse(Refusal::kRequestTimeTooSkewed,
                "The difference between the request time and the current time is too large.",
                {{"RequestTime", format_iso_time(*time)}, {"ServerTime", format_iso_time(now)}});
}

Checked<void> check_expiry(const std::string& expires, const AuthenticatorOptions& options) {
  const auto seconds = parse_decimal(expires);
  if (!seconds || *seconds > kExpiresMax) {
    return refuse(Refusal::kAccessDenied,
                  "Invalid date (should be seconds since epoch): " + expires);
  }
  const SystemTime until = SystemTime(std::chrono::seconds(*seconds));
  const SystemTime now = options.clock->now();
  if (now < until) return {};
  return refuse(Refusal::kAccessDenied, "Request has expired",
                {{"Expires", format_iso_time(until)}, {"ServerTime", format_iso_time(now)}});
}

Checked<std::optional<ClaimV2>> claim_of_header(const http::RequestHead& head,
                                                const QueryParameters& query,
                                                std::string_view virtual_bucket,
                                                const AuthenticatorOptions& options) {
  std::string_view text = head.fields.find("Authorization").value_or("").substr(4);
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) {
    return refuse(Refusal::kInvalidArgument,
                  "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
                  {{"ArgumentName", "Authorization"},
                   {"ArgumentValue", std::string(head.fields.find("Authorization").value_or(""))}});
  }
  if (auto fresh = check_skew(head.fields, options); !fresh) return std::unexpected(fresh.error());
  const bool dated = head.fields.has("x-amz-date");
  const std::string_view date = dated ? "" : head.fields.find("Date").value_or("");
  ClaimV2 claim = claim_over(head, query, virtual_bucket, date);
  claim.access_key = text.substr(0, colon);
  claim.signature = text.substr(colon + 1);
  return claim;
}

}  // namespace

Checked<std::optional<ClaimV2>> claim_v2(const http::RequestHead& head,
                                         const QueryParameters& query,
                                         std::string_view virtual_bucket,
                                         const AuthenticatorOptions& options) {
  const std::string *access_key = find(query, "AWSAccessKeyId"),
                    *signature = find(query, "Signature"), *expires = find(query, "Expires");
  const bool in_header = head.fields.find("Authorization").value_or("").starts_with("AWS ");
  const bool in_query = access_key != nullptr && signature != nullptr;
  if (in_header && in_query) {
    return refuse(Refusal::kInvalidArgument, std::string(kOneMechanism),
                  {{"ArgumentName", "Authorization"},
                   {"ArgumentValue", std::string(head.fields.find("Authorization").value_or(""))}});
  }
  if (in_header) return claim_of_header(head, query, virtual_bucket, options);
  if (!in_query || head.fields.has("Authorization")) return std::optional<ClaimV2>();
  if (expires == nullptr) {
    return refuse(Refusal::kAccessDenied,
                  "Query-string authentication requires the Signature, Expires and AWSAccessKeyId "
                  "parameters");
  }
  if (auto fresh = check_expiry(*expires, options); !fresh) return std::unexpected(fresh.error());
  ClaimV2 claim = claim_over(head, query, virtual_bucket, *expires);
  claim.access_key = *access_key;
  claim.signature = *signature;
  claim.presigned = true;
  return claim;
}

Checked<void> check_signature_v2(const ClaimV2& claim, const std::string& secret) {
  const auto matches = [&](const std::string& text) {
    return crypto::constant_time_equal(to_base64(as_bytes(crypto::hmac_sha1(secret, text))),
                                       claim.signature);
  };
  if (matches(claim.string_to_sign) || (!claim.with_slash.empty() && matches(claim.with_slash))) {
    return {};
  }
  return refuse(Refusal::kSignatureDoesNotMatch,
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method.",
                {{"AWSAccessKeyId", claim.access_key},
                 {"StringToSign", claim.string_to_sign},
                 {"SignatureProvided", claim.signature},
                 {"StringToSignBytes", spaced_hex(claim.string_to_sign)}});
}

}  // namespace rondel::signature
