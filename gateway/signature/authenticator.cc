#include "gateway/signature/authenticator.h"

#include <algorithm>

#include "common/base/dates.h"
#include "common/base/encoding.h"
#include "common/base/numbers.h"
#include "common/crypto/digest.h"
#include "gateway/signature/credential_scope.h"
#include "gateway/signature/post_signature.h"
#include "gateway/signature/signature_v2.h"
#include "gateway/signature/signing_key_cache.h"

namespace rondel::signature {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;
using Details = std::vector<std::pair<std::string, std::string>>;
template <class T>
using Checked = std::expected<T, RefusalDetail>;

constexpr std::string_view kService = "s3";
constexpr std::string_view kTerminator = "aws4_request";
constexpr int64_t kExpiresMax = 604'800;
// The first two sentences are AWS's.
constexpr std::string_view kOlderSignature =
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256. "
    "Clients of the AWS SDKs presign so with signature_version = s3v4 in their configuration.";
constexpr std::string_view kNoDate =
    "AWS authentication requires a valid Date or x-amz-date header";

std::unexpected<RefusalDetail> refuse(Refusal refusal, std::string message, Details details = {}) {
  return std::unexpected(RefusalDetail{refusal, std::move(message), std::move(details)});
}

std::string text(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const std::string_view part : parts) out += part;
  return out;
}

const std::string* find(const Query& query, std::string_view name) {
  const auto found = std::find_if(query.begin(), query.end(),
                                  [&](const auto& pair) { return pair.first == name; });
  return found == query.end() ? nullptr : &found->second;
}

bool is_amz_header(std::string_view name) {
  return name.size() > 6 && http::iequals(name.substr(0, 6), "x-amz-");
}

// What a request says about its signature, from header or query.
struct Claim {
  bool presigned = false;
  std::string_view credential_text;
  CredentialText credential;
  std::vector<std::string_view> signed_headers;
  std::string_view signature;
  std::string timestamp;
  SystemTime time;
  int64_t expires_s = 0;
  std::string_view payload_hash;  // As signed.
};

// The two places of a signature use different words for the same mistakes.
std::unexpected<RefusalDetail> refuse_scope(const Claim& claim, std::string_view message,
                                            Details details = {}) {
  if (claim.presigned) {
    return refuse(Refusal::kAuthorizationQueryParametersError,
                  text({"Error parsing the X-Amz-Credential parameter; ", message}),
                  std::move(details));
  }
  return refuse(Refusal::kAuthorizationHeaderMalformed,
                text({"The authorization header is malformed; ", message}), std::move(details));
}

Checked<void> check_scope(const Claim& claim, const std::string& region) {
  const CredentialText& credential = claim.credential;
  if (credential.region != region) {
    return refuse_scope(
        claim, text({"the region '", credential.region, "' is wrong; expecting '", region, "'"}),
        {{"Region", region}});
  }
  if (credential.service != kService) {
    return refuse_scope(claim, text({"incorrect service \"", credential.service,
                                     "\". This endpoint belongs to \"s3\"."}));
  }
  if (credential.terminator != kTerminator) {
    return refuse_scope(claim, text({"incorrect terminal \"", credential.terminator,
                                     "\". This endpoint uses \"aws4_request\"."}));
  }
  if (credential.date != std::string_view(claim.timestamp).substr(0, 8)) {
    return refuse_scope(claim, text({"Invalid credential date \"", credential.date,
                                     "\". This date is not the same as X-Amz-Date: \"",
                                     std::string_view(claim.timestamp).substr(0, 8), "\"."}));
  }
  return {};
}

Checked<void> set_time_from_headers(const http::RequestHead& head, Claim& claim) {
  std::optional<SystemTime> time;
  if (const auto amz_date = head.fields.find("x-amz-date")) {
    if (const Result<SystemTime> parsed = sigv4::parse_timestamp(*amz_date)) time = *parsed;
  } else if (const auto date = head.fields.find("date")) {
    // SDKs also write universal time as RFC 5322 does: -0000 where HTTP has GMT.
    const bool numeric = date->ends_with(" -0000") || date->ends_with(" +0000");
    time = numeric ? parse_http_date(std::string(date->substr(0, date->size() - 5)) + "GMT")
                   : parse_http_date(*date);
    if (!time) {
      if (const Result<SystemTime> parsed = sigv4::parse_timestamp(*date)) time = *parsed;
    }
  }
  if (!time) return refuse(Refusal::kAccessDenied, std::string(kNoDate));
  claim.time = *time;
  claim.timestamp = sigv4::format_timestamp(*time);
  return {};
}

std::unexpected<RefusalDetail> refuse_authorization(std::string_view message,
                                                    std::string_view authorization) {
  return refuse(Refusal::kInvalidArgument, std::string(message),
                {{"ArgumentName", "Authorization"}, {"ArgumentValue", std::string(authorization)}});
}

// The scheme is all that stands before the first blank. An empty header is as good as none where
// one is needed.
Checked<void> check_scheme(std::string_view authorization) {
  if (authorization.empty()) return refuse(Refusal::kAccessDenied, "");
  const size_t blank = authorization.find(' ');
  if (blank == std::string_view::npos) {
    return refuse_authorization(
        "Authorization header is invalid -- one and only one ' ' (space) required", authorization);
  }
  const std::string_view scheme = authorization.substr(0, blank);
  if (scheme == sigv4::kAlgorithm) return {};
  if (scheme == "AWS") return refuse(Refusal::kUnsupportedVersion, std::string(kOlderSignature));
  return refuse_authorization("Unsupported Authorization Type", authorization);
}

Checked<Claim> claim_of_header(const http::RequestHead& head, std::string_view authorization) {
  if (Checked<void> scheme = check_scheme(authorization); !scheme) {
    return std::unexpected(std::move(scheme).error());
  }
  const auto parsed = parse_authorization(authorization.substr(sigv4::kAlgorithm.size() + 1));
  if (!parsed) {
    return refuse(Refusal::kAuthorizationHeaderMalformed,
                  "The authorization header is malformed; the authorization header requires three "
                  "components: Credential, "
                  "SignedHeaders, and Signature.");
  }
  Claim claim;
  claim.credential_text = parsed->credential;
  claim.signature = parsed->signature;
  const auto credential = parse_credential(parsed->credential);
  if (!credential) return refuse_scope(claim, kExpectedCredential);
  claim.credential = *credential;
  auto signed_headers = parse_signed_headers(parsed->signed_headers);
  if (!signed_headers) {
    return refuse_scope(claim,
                        "SignedHeaders must be lower-case names, each once, divided by ';'.");
  }
  claim.signed_headers = std::move(*signed_headers);
  if (Checked<void> time = set_time_from_headers(head, claim); !time) {
    return std::unexpected(std::move(time).error());
  }
  const auto payload_hash = head.fields.find("x-amz-content-sha256");
  if (!payload_hash) {
    return refuse(Refusal::kInvalidRequest,
                  "Missing required header for this request: x-amz-content-sha256");
  }
  claim.payload_hash = *payload_hash;
  return claim;
}

Checked<int64_t> parse_expires(const std::string& value) {
  const auto bad = [](std::string message) {
    return refuse(Refusal::kAuthorizationQueryParametersError, std::move(message));
  };
  const auto seconds = value.starts_with('+') ? std::nullopt : parse_signed_decimal(value);
  if (!seconds) return bad("X-Amz-Expires should be a number");
  if (*seconds > kExpiresMax) {
    return bad(
        "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires "
        "must be less than "
        "604800 seconds");
  }
  if (*seconds < 0 || value.starts_with('-')) return bad("X-Amz-Expires must be non-negative");
  if (*seconds == 0) {
    return refuse(Refusal::kAccessDenied, "Request has expired", {{"X-Amz-Expires", value}});
  }
  return *seconds;
}

Checked<Claim> claim_of_query(const http::RequestHead& head, const Query& query) {
  const auto bad = [](std::string_view message) {
    return refuse(Refusal::kAuthorizationQueryParametersError, std::string(message));
  };
  const std::string* algorithm = find(query, "X-Amz-Algorithm");
  const std::string* credential = find(query, "X-Amz-Credential");
  const std::string* signature = find(query, "X-Amz-Signature");
  const std::string* date = find(query, "X-Amz-Date");
  const std::string* signed_headers = find(query, "X-Amz-SignedHeaders");
  const std::string* expires = find(query, "X-Amz-Expires");
  if (!algorithm || !credential || !signature || !date || !signed_headers || !expires) {
    return bad(
        "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
        "X-Amz-Signature, "
        "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.");
  }
  if (*algorithm != sigv4::kAlgorithm) {
    return bad("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
  }
  Claim claim;
  claim.presigned = true;
  claim.credential_text = *credential;
  claim.signature = *signature;
  const auto parsed = parse_credential(*credential);
  if (!parsed) return refuse_scope(claim, kExpectedCredential);
  claim.credential = *parsed;
  auto names = parse_signed_headers(*signed_headers);
  if (!names) {
    return bad("X-Amz-SignedHeaders must be lower-case names, each once, divided by ';'.");
  }
  claim.signed_headers = std::move(*names);
  const Result<SystemTime> time = sigv4::parse_timestamp(*date);
  if (!time) return bad("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  claim.time = *time;
  claim.timestamp = *date;
  Checked<int64_t> seconds = parse_expires(*expires);
  if (!seconds) return std::unexpected(std::move(seconds).error());
  claim.expires_s = *seconds;
  claim.payload_hash = sigv4::kUnsignedPayload;
  if (const std::string* hash = find(query, "X-Amz-Content-Sha256")) claim.payload_hash = *hash;
  if (const auto hash = head.fields.find("x-amz-content-sha256")) claim.payload_hash = *hash;
  return claim;
}

Checked<void> check_time(const Claim& claim, const AuthenticatorOptions& options) {
  const SystemTime now = options.clock->now();
  const auto skew = std::chrono::duration_cast<std::chrono::microseconds>(options.skew_max);
  if (!claim.presigned) {
    if (claim.time >= now - skew && claim.time <= now + skew) return {};
    const auto limit =
        std::chrono::duration_cast<std::chrono::milliseconds>(options.skew_max).count();
    return refuse(Refusal::kRequestTimeTooSkewed,
                  "The difference between the request time and the current time is too large.",
                  {{"RequestTime", claim.timestamp},
                   {"ServerTime", format_iso_time(now)},
                   {"MaxAllowedSkewMilliseconds", std::to_string(limit)}});
  }
  if (claim.time > now + skew) {
    return refuse(Refusal::kAccessDenied, "Request is not yet valid",
                  {{"ServerTime", format_iso_time(now)}});
  }
  const SystemTime end = claim.time + std::chrono::seconds(claim.expires_s);
  if (now < end) return {};
  return refuse(Refusal::kAccessDenied, "Request has expired",
                {{"X-Amz-Expires", std::to_string(claim.expires_s)},
                 {"Expires", format_iso_time(end)},
                 {"ServerTime", format_iso_time(now)}});
}

// Host and every x-amz-* header must be under the signature.
Checked<void> check_signed_headers(const http::RequestHead& head, const Claim& claim) {
  const auto is_signed = [&](std::string_view name) {
    return std::any_of(claim.signed_headers.begin(), claim.signed_headers.end(),
                       [&](std::string_view candidate) { return http::iequals(candidate, name); });
  };
  std::string missing;
  if (!is_signed("host")) missing = "host";
  for (const auto& [name, value] : head.fields) {
    if (!is_amz_header(name) || is_signed(name)) continue;
    if (!missing.empty()) missing += ", ";
    for (const char c : name) missing += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  if (missing.empty()) return {};
  return refuse(Refusal::kUnsignedHeader,
                "There were headers present in the request which were not signed",
                {{"HeadersNotSigned", missing}});
}

// Fills in the payload form from x-amz-content-sha256 and checks what the form needs.
Checked<void> set_payload_form(const http::RequestHead& head, std::string_view payload_hash,
                               Identity& identity) {
  if (payload_hash == sigv4::kUnsignedPayload) {
    identity.payload_form = PayloadForm::kUnsigned;
    return {};
  }
  if (payload_hash == sigv4::kStreamingSigned) {
    identity.payload_form = PayloadForm::kStreamingSigned;
  } else if (payload_hash == sigv4::kStreamingSignedTrailer) {
    identity.payload_form = PayloadForm::kStreamingSignedTrailer;
  } else if (payload_hash == sigv4::kStreamingUnsignedTrailer) {
    identity.payload_form = PayloadForm::kStreamingUnsignedTrailer;
  } else {
    const bool is_hash =
        payload_hash.size() == sigv4::kEmptySha256.size() && from_hex(payload_hash).has_value();
    if (!is_hash) {
      return refuse(
          Refusal::kInvalidPayloadHash,
          "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
          "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a "
          "valid sha256 value.",
          {{"ArgumentName", "x-amz-content-sha256"}, {"ArgumentValue", std::string(payload_hash)}});
    }
    identity.payload_form = PayloadForm::kHash;
    identity.payload_hash = payload_hash;
    return {};
  }
  const auto length = head.fields.find("x-amz-decoded-content-length");
  if (!length) {
    return refuse(Refusal::kMissingDecodedLength,
                  "You must provide the Content-Length HTTP header.");
  }
  if (!parse_decimal(*length)) {
    return refuse(Refusal::kMissingDecodedLength,
                  "The value of x-amz-decoded-content-length is not a length.");
  }
  return {};
}

// One value for each occurrence of each signed name.
sigv4::NameValueViews signed_values(const http::RequestHead& head, const Claim& claim,
                                    const std::string& length) {
  sigv4::NameValueViews values;
  values.reserve(claim.signed_headers.size());
  for (const std::string_view name : claim.signed_headers) {
    bool present = false;
    for (const auto& [field, value] : head.fields) {
      if (!http::iequals(field, name)) continue;
      values.emplace_back(name, value);
      present = true;
    }
    if (!present) {
      values.emplace_back(name, name == "content-length" ? std::string_view(length) : "");
    }
  }
  return values;
}

Details mismatch_details(const Claim& claim, const std::string& to_sign,
                         const std::string& canonical) {
  return {{"AWSAccessKeyId", std::string(claim.credential.access_key)},
          {"StringToSign", to_sign},
          {"SignatureProvided", std::string(claim.signature)},
          {"StringToSignBytes", spaced_hex(to_sign)},
          {"CanonicalRequest", canonical},
          {"CanonicalRequestBytes", spaced_hex(canonical)}};
}

// The path in AWS's own encoding, when the client's differs: some clients sign that and send
// another spelling of it.
std::optional<std::string> respelled_path(std::string_view path) {
  const std::optional<std::string> decoded = percent_decode(path);
  if (!decoded) return std::nullopt;
  std::string encoded = percent_encode(*decoded, true);
  if (encoded == path) return std::nullopt;
  return encoded;
}

Checked<void> check_signature(const http::RequestHead& head, const Query& query, const Claim& claim,
                              const sigv4::Scope& scope, const std::string& key) {
  const std::string length =
      head.content_length ? std::to_string(*head.content_length) : std::string();
  sigv4::SignedRequest request{
      head.method, head.path(), {}, signed_values(head, claim, length), claim.payload_hash};
  request.query.reserve(query.size());
  for (const auto& [name, value] : query) {
    if (!claim.presigned || name != "X-Amz-Signature") request.query.emplace_back(name, value);
  }
  const std::string canonical = sigv4::canonical_request(request);
  const std::string to_sign = sigv4::string_to_sign(claim.timestamp, scope, canonical);
  if (crypto::constant_time_equal(sigv4::signature(key, to_sign), claim.signature)) return {};
  if (const std::optional<std::string> respelled = respelled_path(request.path)) {
    request.path = *respelled;
    const std::string other =
        sigv4::string_to_sign(claim.timestamp, scope, sigv4::canonical_request(request));
    if (crypto::constant_time_equal(sigv4::signature(key, other), claim.signature)) return {};
  }
  return refuse(Refusal::kSignatureDoesNotMatch,
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing "
                "method.",
                mismatch_details(claim, to_sign, canonical));
}

bool has_signed_chunks(std::string_view payload_hash) {
  return payload_hash == sigv4::kStreamingSigned || payload_hash == sigv4::kStreamingSignedTrailer;
}

// Of a request without a key of version 4: nothing can sign its chunks.
Checked<Identity> keyless_identity(const http::RequestHead& head) {
  Identity identity;
  const auto payload_hash = head.fields.find("x-amz-content-sha256");
  if (!payload_hash) return identity;
  if (has_signed_chunks(*payload_hash)) {
    return refuse(Refusal::kInvalidRequest,
                  "Anonymous requests don't support this x-amz-content-sha256 value. Please use "
                  "UNSIGNED-PAYLOAD or "
                  "STREAMING-UNSIGNED-PAYLOAD-TRAILER.");
  }
  if (Checked<void> form = set_payload_form(head, *payload_hash, identity); !form) {
    return std::unexpected(std::move(form).error());
  }
  return identity;
}

// nullopt: an anonymous request.
bool is_claimed_by_query(const Query& query) {
  return find(query, "X-Amz-Algorithm") || find(query, "X-Amz-Signature") ||
         find(query, "X-Amz-Credential");
}

Checked<std::optional<Claim>> find_claim(const http::RequestHead& head, const Query& query) {
  const auto authorization = head.fields.find("authorization");
  const bool in_query = is_claimed_by_query(query);
  const bool version_2 = find(query, "AWSAccessKeyId") && find(query, "Signature");
  if (authorization && (in_query || find(query, "Signature"))) {
    return refuse_authorization(kOneMechanism, *authorization);
  }
  if (version_2) return refuse(Refusal::kUnsupportedVersion, std::string(kOlderSignature));
  if (!authorization && !in_query) return std::optional<Claim>();
  Checked<Claim> claim =
      authorization ? claim_of_header(head, *authorization) : claim_of_query(head, query);
  if (!claim) return std::unexpected(std::move(claim).error());
  return std::optional<Claim>(std::move(*claim));
}

Checked<void> check_claim(const http::RequestHead& head, const Claim& claim,
                          const AuthenticatorOptions& options) {
  if (Checked<void> scope = check_scope(claim, options.region); !scope) return scope;
  if (Checked<void> time = check_time(claim, options); !time) return time;
  return check_signed_headers(head, claim);
}

// Asked once the signature is known to be right: a stranger learns nothing by it.
Checked<void> check_token(const http::RequestHead& head, const Query& query) {
  if (const auto token = head.fields.find(kSecurityToken)) return refuse_token(*token);
  const auto in_query = std::ranges::find_if(
      query, [](const auto& pair) { return http::iequals(pair.first, kSecurityToken); });
  if (in_query != query.end()) return refuse_token(in_query->second);
  return {};
}

}  // namespace

bool has_unsigned_chunks(const http::Fields& fields) {
  return fields.find("x-amz-content-sha256") == sigv4::kStreamingUnsignedTrailer;
}

struct Authenticator::Impl {
  metadata::IdentityCache& identities;
  const AuthenticatorOptions options;
  SigningKeyCache keys;

  Checked<Identity> verify(const http::RequestHead& head, const Query& query, const Claim& claim,
                           std::shared_ptr<const metadata::Credential> credential) {
    Identity identity;
    identity.scope = {std::string(claim.credential.date), options.region, std::string(kService)};
    identity.signing_key =
        keys.find_or_derive(claim.credential_text, credential->key.secret_key, identity.scope);
    if (Checked<void> match =
            check_signature(head, query, claim, identity.scope, identity.signing_key);
        !match) {
      return std::unexpected(std::move(match).error());
    }
    if (Checked<void> token = check_token(head, query); !token) {
      return std::unexpected(std::move(token).error());
    }
    if (Checked<void> enabled = check_enabled(*credential); !enabled) {
      return std::unexpected(std::move(enabled).error());
    }
    if (Checked<void> form = set_payload_form(head, claim.payload_hash, identity); !form) {
      return std::unexpected(std::move(form).error());
    }
    identity.presigned = claim.presigned;
    identity.seed_signature = claim.signature;
    identity.timestamp = claim.timestamp;
    identity.credential = std::move(credential);
    return identity;
  }

  async::Task<Checked<Identity>> verify_v2(const http::RequestHead& head, const Query& query,
                                           const ClaimV2& claim, Deadline deadline) {
    auto credential = co_await find_signer(identities, claim.access_key, deadline);
    if (!credential) co_return std::unexpected(std::move(credential).error());
    if (Checked<void> match = check_signature_v2(claim, (*credential)->key.secret_key); !match) {
      co_return std::unexpected(std::move(match).error());
    }
    if (Checked<void> token = check_token(head, query); !token) {
      co_return std::unexpected(std::move(token).error());
    }
    if (Checked<void> enabled = check_enabled(**credential); !enabled) {
      co_return std::unexpected(std::move(enabled).error());
    }
    // The body is not under this signature; a hash of it is checked when there is one.
    Checked<Identity> identity = keyless_identity(head);
    if (!identity) co_return identity;
    identity->presigned = claim.presigned;
    identity->signature_version = 2;
    identity->credential = std::move(*credential);
    co_return identity;
  }
};

Authenticator::Authenticator(metadata::IdentityCache& identities, AuthenticatorOptions options)
    : impl_(new Impl{identities, std::move(options), {}}) {}

Authenticator::~Authenticator() = default;

const AuthenticatorOptions& Authenticator::options() const { return impl_->options; }

size_t Authenticator::cache_bytes() const { return impl_->keys.bytes(); }

async::Task<std::expected<Identity, RefusalDetail>> Authenticator::authenticate(
    const http::RequestHead& head, const Query& query, Deadline deadline,
    std::string_view virtual_bucket) {
  if (impl_->options.signature_v2) {
    Checked<std::optional<ClaimV2>> older = claim_v2(head, query, virtual_bucket, impl_->options);
    if (!older) co_return std::unexpected(std::move(older).error());
    if (*older) {
      if (is_claimed_by_query(query)) {
        co_return refuse_authorization(kOneMechanism,
                                       head.fields.find("authorization").value_or(""));
      }
      co_return co_await impl_->verify_v2(head, query, **older, deadline);
    }
  }
  Checked<std::optional<Claim>> claim = find_claim(head, query);
  if (!claim) co_return std::unexpected(std::move(claim).error());
  if (!*claim) co_return keyless_identity(head);
  if (Checked<void> good = check_claim(head, **claim, impl_->options); !good) {
    co_return std::unexpected(std::move(good).error());
  }
  auto credential = co_await find_signer(impl_->identities,
                                         std::string((*claim)->credential.access_key), deadline);
  if (!credential) co_return std::unexpected(std::move(credential).error());
  co_return impl_->verify(head, query, **claim, std::move(*credential));
}

}  // namespace rondel::signature
